
ALTER TABLE proposals DROP CONSTRAINT proposals_state_check;
ALTER TABLE proposals ADD CONSTRAINT proposals_state_check
    CHECK (state IN ('preparing', 'open', 'revising', 'approved', 'merged', 'rejected', 'expired'));
