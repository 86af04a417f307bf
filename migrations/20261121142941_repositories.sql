-- Which repository defines a loop, and for which one a call was made: what its loops may spend together in a day is
-- counted over every name that they ever had.
ALTER TABLE loops ADD COLUMN repository TEXT;               -- owner/name in small letters; none: the operator's
ALTER TABLE calls ADD COLUMN repository TEXT;
CREATE INDEX calls_by_repository ON calls (repository, at) WHERE repository IS NOT NULL;
