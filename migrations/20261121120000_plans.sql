-- Tasks that wait for a person before any worker begins, as the person was shown them.

CREATE TABLE plans (
    task TEXT PRIMARY KEY NOT NULL,
    run TEXT NOT NULL,
    loop TEXT NOT NULL,
    title TEXT NOT NULL,
    goal TEXT NOT NULL,
    acceptance TEXT NOT NULL,              -- JSON
    findings TEXT NOT NULL,                -- JSON
    paths TEXT NOT NULL,                   -- globs that may be changed, JSON
    cost_cap BIGINT NOT NULL,              -- what the task may cost at most
    state TEXT NOT NULL CHECK (state IN ('waiting', 'approved', 'refused', 'expired')),
    words TEXT,                            -- what a person said last, or why it is refused
    who TEXT,
    decided_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX plans_by_run ON plans (run);
CREATE INDEX plans_open ON plans (loop, created_at) WHERE state IN ('waiting', 'approved');
