-- Connections of attempts to hosts that their loops allow. A row is written before the first byte goes.
CREATE TABLE egress (
    id TEXT PRIMARY KEY NOT NULL,
    attempt TEXT NOT NULL,
    run TEXT NOT NULL,
    loop TEXT NOT NULL,
    host TEXT NOT NULL,
    port BIGINT NOT NULL,
    sent BIGINT NOT NULL DEFAULT 0,        -- bytes from the attempt to the host
    received BIGINT NOT NULL DEFAULT 0,    -- bytes from the host to the attempt
    at BIGINT NOT NULL,
    ended_at BIGINT                        -- null: it goes on still, or was cut by a kill and its bytes are unknown
);
CREATE INDEX egress_by_attempt ON egress (attempt);
