-- What is needed to count calls by what an attempt does, and for the whole service.
ALTER TABLE calls ADD COLUMN role TEXT NOT NULL DEFAULT 'work';
-- How many of the output tokens were thoughts.
ALTER TABLE calls ADD COLUMN reasoning_tokens BIGINT NOT NULL DEFAULT 0;
CREATE INDEX calls_by_time ON calls (at, role, cost);
