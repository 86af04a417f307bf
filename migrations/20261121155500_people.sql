-- Signals that a person took out of a finding, and where they belong since then. It wins over likeness.
CREATE TABLE splits (
    loop TEXT NOT NULL,
    signal TEXT NOT NULL,
    finding TEXT NOT NULL,                 -- where it belongs
    apart_from TEXT NOT NULL,              -- the finding that it was taken out of
    at BIGINT NOT NULL,
    PRIMARY KEY (loop, signal)             -- the last word counts
);
-- What people said of findings, with their words; the ledger holds digests of them.
CREATE TABLE verdicts (
    finding TEXT NOT NULL,
    at BIGINT NOT NULL,
    act TEXT NOT NULL CHECK (act IN ('merge', 'split', 'refuse', 'reopen')),
    who TEXT NOT NULL,
    why TEXT,
    salt TEXT NOT NULL,                    -- of the ledger's digest of who and why
    other TEXT,                            -- the finding that it was merged into or split from
    PRIMARY KEY (finding, at, act)
);
-- Said where not everyone may read: its words do not leave for a public place.
ALTER TABLE signals ADD COLUMN private BIGINT NOT NULL DEFAULT 0;
CREATE INDEX signals_by_author ON signals (author) WHERE erased_at IS NULL;
CREATE INDEX signals_by_age ON signals (at) WHERE erased_at IS NULL;
-- When a finding that was fixed was reported again, last.
ALTER TABLE findings ADD COLUMN came_back_at BIGINT;
