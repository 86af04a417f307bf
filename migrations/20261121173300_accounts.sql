-- What a source itself knows a person by, where the author is a name that people choose: the id in Slack. Erased with the name.
ALTER TABLE signals ADD COLUMN account TEXT;
