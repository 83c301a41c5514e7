-- Conversations that were handed on: one row for each transfer, so that a second leg is counted
-- as the first one is.

CREATE TABLE call_transfers (
    call_id uuid NOT NULL,
    -- Counts the transfers of the call from 1.
    ordinal integer NOT NULL CHECK (ordinal >= 1),
    asked_by text REFERENCES users ON DELETE SET NULL,
    asked_at timestamptz NOT NULL,
    -- The agent who had the call.
    from_agent_id text REFERENCES users ON DELETE SET NULL,
    kind text NOT NULL CHECK (kind IN ('agent', 'outside', 'flow')),
    to_agent_id text REFERENCES users ON DELETE SET NULL,
    to_flow_id text REFERENCES flows ON DELETE SET NULL,
    to_number text,
    -- The line to a number outside, and the number shown there.
    trunk_id text,
    caller_id text,
    answered_at timestamptz,
    ended_at timestamptz,
    outcome text CHECK (outcome IN ('answered', 'no-answer', 'failed', 'call-ended')),
    PRIMARY KEY (call_id, ordinal),
    CHECK (kind <> 'outside' OR (to_number IS NOT NULL AND trunk_id IS NOT NULL AND caller_id IS NOT NULL)),
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
);
CREATE INDEX call_transfers_open ON call_transfers (call_id) WHERE ended_at IS NULL;
-- Who has whom called at our cost.
CREATE INDEX call_transfers_outside ON call_transfers (asked_at DESC) WHERE kind = 'outside';
