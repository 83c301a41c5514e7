-- What pacing must know of the past: how many people answered within the legal window, and how
-- many of them no agent came for in time.

-- A person for whom an agent was owed got none in time; null when nobody was owed one.
ALTER TABLE attempts ADD COLUMN late boolean;
UPDATE attempts SET late = disposition = 'abandoned'
WHERE disposition IN ('answered-human', 'answered-hangup', 'abandoned');

CREATE INDEX attempts_answered ON attempts (campaign_id, answered_at)
    INCLUDE (bridged_at, ended_at, late, disposition) WHERE answered_at IS NOT NULL;
-- What agents said of the verdicts of machine detection.
CREATE INDEX attempts_detected ON attempts (campaign_id, created_at)
    INCLUDE (amd, was_machine) WHERE amd IS NOT NULL;
