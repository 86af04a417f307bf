-- How often an effect was refused: an answer that says no, and not an outage. Only so many of these end it.

ALTER TABLE outbox ADD COLUMN refusals BIGINT NOT NULL DEFAULT 0;
