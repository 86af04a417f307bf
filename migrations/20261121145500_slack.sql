-- What services have told us by themselves: each event once, however often it is sent.
CREATE TABLE heard (
    id TEXT PRIMARY KEY NOT NULL,          -- the service and its own id: `slack:Ev…`
    kind TEXT NOT NULL,                    -- such as `message`
    place TEXT NOT NULL,                   -- the channel's id
    at BIGINT NOT NULL                     -- when it came
);
CREATE INDEX heard_by_time ON heard (at);

-- What we have said outside of GitHub, by the key of its effect.
CREATE TABLE said (
    key TEXT PRIMARY KEY NOT NULL,
    channel TEXT NOT NULL,                 -- its id
    ts TEXT NOT NULL,                      -- the message's id in it
    words TEXT NOT NULL,                   -- as we said them last
    at BIGINT NOT NULL
);

-- What people have answered to it, each once.
CREATE TABLE answered (
    channel TEXT NOT NULL,
    ts TEXT NOT NULL,                      -- their message, or ours that they reacted to
    what TEXT NOT NULL,                    -- `words`, or `reaction:person:name`
    key TEXT NOT NULL,                     -- to what of ours
    came_to TEXT NOT NULL,                 -- what became of it
    at BIGINT NOT NULL,
    PRIMARY KEY (channel, ts, what)
);

-- What answers a thing is looked for beside it.
CREATE INDEX signals_by_root ON signals (loop, source, (COALESCE(thread, external_id)));
