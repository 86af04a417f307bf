-- Known forms of prompt injection in a signal's words: JSON, forms and places, no words.
ALTER TABLE signals ADD COLUMN flags TEXT NOT NULL DEFAULT '[]';
