-- What an attempt has so far, for whoever goes on with it after its worker was lost. Rows live as long as its order.

CREATE TABLE saves (
    attempt TEXT PRIMARY KEY NOT NULL,
    tree TEXT,                             -- none: the base's; its pack is in `packs`
    messages BIGINT NOT NULL,              -- how many of its conversation are kept
    saved_at BIGINT NOT NULL
);

CREATE TABLE saved_messages (
    attempt TEXT NOT NULL,
    number BIGINT NOT NULL,                -- from 0
    message TEXT NOT NULL,                 -- workers::agent::messages::Message, JSON
    PRIMARY KEY (attempt, number)
);
