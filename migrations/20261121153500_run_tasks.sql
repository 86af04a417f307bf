-- Where each task of a run stands, as the run's state has it. Apart from the run's own row, so that a step writes what it
-- changes and not what thousands of other tasks are at.

CREATE TABLE run_tasks (
    run TEXT NOT NULL,
    task TEXT NOT NULL,
    state TEXT NOT NULL,                   -- JSON
    PRIMARY KEY (run, task)
);
