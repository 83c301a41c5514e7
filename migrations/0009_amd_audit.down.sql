DROP INDEX attempts_detected;
CREATE INDEX attempts_detected ON attempts (campaign_id, created_at)
    INCLUDE (amd, was_machine) WHERE amd IS NOT NULL;
ALTER TABLE attempts DROP COLUMN amd_audited;
ALTER TABLE campaigns DROP COLUMN amd_audit_share;
