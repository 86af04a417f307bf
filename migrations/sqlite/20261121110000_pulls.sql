
-- SQLite cannot change a rule of a column: the table is laid anew, with one more word.
CREATE TABLE proposals_anew (
    id TEXT PRIMARY KEY NOT NULL,
    loop TEXT NOT NULL,
    run TEXT NOT NULL,
    task TEXT NOT NULL,
    attempt TEXT NOT NULL,
    finding TEXT NOT NULL,
    branch TEXT NOT NULL,
    base_branch TEXT NOT NULL,
    base TEXT NOT NULL,
    head TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('preparing', 'open', 'revising', 'approved', 'merged', 'rejected', 'expired')),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
INSERT INTO proposals_anew SELECT id, loop, run, task, attempt, finding, branch, base_branch, base, head, title, body,
    state, created_at, updated_at FROM proposals;
DROP TABLE proposals;
ALTER TABLE proposals_anew RENAME TO proposals;
CREATE UNIQUE INDEX proposals_one_open ON proposals (finding) WHERE state IN ('preparing', 'open', 'revising', 'approved');
CREATE UNIQUE INDEX proposals_by_task ON proposals (task);
CREATE INDEX proposals_by_loop ON proposals (loop, state);
