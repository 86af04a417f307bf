-- Since when a loop's schedule counts, and how often its machinery failed one time after the other.
ALTER TABLE loops ADD COLUMN served_since BIGINT;           -- none: nobody serves it
ALTER TABLE loops ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;
ALTER TABLE loops ADD COLUMN failed_by TEXT;                -- loops::schedule::Cause
ALTER TABLE loops ADD COLUMN failed_at BIGINT;

-- What was ticking goes on from its last tick.
UPDATE loops SET served_since = (SELECT MAX(due_at) FROM ticks WHERE ticks.loop = loops.name);

-- Ticks that were taken by a process that died before their run was written down.
CREATE INDEX ticks_unbegun ON ticks (loop, due_at) WHERE receipt = 'running' AND run IS NULL;
