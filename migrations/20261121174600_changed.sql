-- When a signal last changed at its source, where that says so: an older edition never takes a newer one's place.
ALTER TABLE signals ADD COLUMN changed_at BIGINT;
