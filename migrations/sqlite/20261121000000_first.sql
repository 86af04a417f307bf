CREATE TABLE ledger (
    seq INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,                    -- `run.started`, `signal.read`, `proposal.opened` …
    loop TEXT,
    run TEXT,
    subject TEXT NOT NULL,                 -- the id of what it is about
    data TEXT NOT NULL                     -- JSON: ids, states, figures and salted digests; never people's words
);
CREATE INDEX ledger_by_run ON ledger (run, seq);
CREATE INDEX ledger_by_subject ON ledger (subject, seq);

CREATE TABLE seals (
    number BIGINT PRIMARY KEY NOT NULL,
    first_seq BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    digest TEXT NOT NULL,                  -- of the seal before it and the rows between, hex
    at BIGINT NOT NULL
);
