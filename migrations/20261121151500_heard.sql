-- How far comments under a dashboard were read, by GitHub's clock, in Unix milliseconds.
ALTER TABLE boards ADD COLUMN heard_at BIGINT;
