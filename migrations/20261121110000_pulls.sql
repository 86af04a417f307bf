-- Proposals as pull requests, and effects that wait before they are tried again.

CREATE TABLE pulls (
    proposal TEXT PRIMARY KEY NOT NULL,
    repository TEXT NOT NULL,              -- owner/name
    number BIGINT NOT NULL,
    url TEXT NOT NULL,
    draft BIGINT NOT NULL,
    talk TEXT NOT NULL,                    -- how far what was said on it was read, JSON
    rounds BIGINT NOT NULL DEFAULT 0,      -- how often it was sent back because of what was said or failed on it
    rebuilds BIGINT NOT NULL DEFAULT 0,    -- how often it was made anew because its base had moved
    hands_off TEXT,                        -- why it is left alone from now on
    opened_at BIGINT NOT NULL,
    UNIQUE (repository, number)
);

ALTER TABLE outbox ADD COLUMN next_at BIGINT NOT NULL DEFAULT 0;   -- not to be tried before
