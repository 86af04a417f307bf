-- What the sandbox of an attempt was, for whoever asks later.

ALTER TABLE attempts ADD COLUMN policy TEXT;    -- JSON
