-- The dashboard issue of each repository, and the boxes in it that people ticked.
CREATE TABLE boards (
    repository TEXT PRIMARY KEY NOT NULL,  -- owner/name
    number BIGINT NOT NULL,                -- the issue
    url TEXT NOT NULL,
    body TEXT NOT NULL,                    -- as we wrote it last
    closed_at BIGINT,                      -- since when somebody has it closed: it is left alone
    updated_at BIGINT NOT NULL
);
CREATE TABLE ticked (
    repository TEXT NOT NULL,
    subject TEXT NOT NULL,                 -- what was asked, and of what: `pause:fix`
    serial BIGINT NOT NULL,                -- how often it was asked before
    who TEXT,                              -- as far as GitHub says
    at BIGINT NOT NULL,
    PRIMARY KEY (repository, subject, serial)
);
