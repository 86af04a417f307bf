-- Orders: what is to be carried out, by whom it is held until when, and what became of it. A row is gone as soon as
-- what became of it is written down elsewhere, so the table holds what is open.

CREATE TABLE orders (
    attempt TEXT PRIMARY KEY NOT NULL,
    run TEXT NOT NULL,
    task TEXT NOT NULL,
    loop TEXT NOT NULL,
    kind TEXT NOT NULL,                    -- the kind of worker, or `(prove)`, `(review)`
    needs TEXT NOT NULL,                   -- labels that a node must have, JSON, sorted
    priority BIGINT NOT NULL,              -- higher is sooner
    protocol BIGINT NOT NULL,              -- the form of `body`
    packed BIGINT NOT NULL CHECK (packed IN (0, 1)), -- whether all that a node without a mirror needs is in `packs`
    body TEXT NOT NULL,                    -- JSON
    state TEXT NOT NULL CHECK (state IN ('waiting', 'held', 'done', 'cancelled')),
    token BIGINT NOT NULL,                 -- of the last holder; it only grows
    holder TEXT,
    expires_at BIGINT,
    losses BIGINT NOT NULL,                -- holders that were lost
    ready_at BIGINT NOT NULL,
    cancel_at BIGINT,                      -- when its holder was told to stop
    outcome TEXT,                          -- JSON
    created_at BIGINT NOT NULL,
    CHECK ((state = 'held') = (holder IS NOT NULL)),
    CHECK ((state = 'held') = (expires_at IS NOT NULL))
);
CREATE INDEX orders_waiting ON orders (loop, kind, needs, priority, created_at) WHERE state = 'waiting';
CREATE INDEX orders_held ON orders (expires_at) WHERE state = 'held';
CREATE INDEX orders_by_run ON orders (run);
CREATE INDEX orders_by_task ON orders (task);

-- Git packs that another machine needs, in parts: `base-<commit>`, `change-<tree>`.
CREATE TABLE packs (
    id TEXT NOT NULL,
    part BIGINT NOT NULL,
    data TEXT NOT NULL,                    -- base64
    made_at BIGINT NOT NULL,
    PRIMARY KEY (id, part)
);

-- Processes that carry out orders.
CREATE TABLE nodes (
    id TEXT PRIMARY KEY NOT NULL,          -- of this process, `<home>/<process>`
    name TEXT NOT NULL,                    -- for people
    role TEXT NOT NULL CHECK (role IN ('leads', 'stands_by', 'works')),
    labels TEXT NOT NULL,                  -- JSON, sorted
    places BIGINT NOT NULL,                -- orders at once
    busy BIGINT NOT NULL,
    version TEXT NOT NULL,
    protocol BIGINT NOT NULL,
    draining BIGINT NOT NULL CHECK (draining IN (0, 1)),
    started_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
);

-- Who leads; no row: nobody ever did.
CREATE TABLE leader (
    one BIGINT PRIMARY KEY NOT NULL CHECK (one = 1),
    epoch BIGINT NOT NULL,                 -- one more with each leader
    holder TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
