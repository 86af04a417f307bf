-- A task whose proven change asks for other dependencies waits as a plan does; this is what it asks for.

ALTER TABLE plans ADD COLUMN asked TEXT;   -- lines and digest, JSON; null: a plan of work
