-- A share of the calls taken for machines goes to agents nevertheless: what they say of them tells
-- how often machine detection is wrong.

-- How large it is; 0: nobody checks.
ALTER TABLE campaigns ADD COLUMN amd_audit_share double precision NOT NULL DEFAULT 0
    CHECK (amd_audit_share BETWEEN 0 AND 0.2);

-- It was taken for a machine and treated as a person.
ALTER TABLE attempts ADD COLUMN amd_audited boolean NOT NULL DEFAULT false;

DROP INDEX attempts_detected;
CREATE INDEX attempts_detected ON attempts (campaign_id, created_at)
    INCLUDE (amd, was_machine, amd_audited) WHERE amd IS NOT NULL;
