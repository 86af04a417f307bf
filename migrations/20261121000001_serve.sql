-- What the service needs to be steered while it runs.

ALTER TABLE runs ADD COLUMN cancel_at BIGINT;   -- somebody wants it stopped
