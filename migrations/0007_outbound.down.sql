CREATE OR REPLACE VIEW contact_screens AS
SELECT c.id, c.campaign_id, json_build_object(
    'id', c.id,
    'campaignId', c.campaign_id,
    'firstName', c.first_name,
    'lastName', c.last_name,
    'phoneNumber', coalesce((SELECT p.number FROM contact_phones p WHERE p.contact_id = c.id AND p.position = 0), ''),
    'postalCode', c.postal_code,
    'status', CASE
        WHEN c.status = 'qualified' THEN 'qualified'
        WHEN c.status IN ('called', 'exhausted', 'blocked') THEN 'called'
        ELSE 'pending' END,
    'customFields', c.custom_fields,
    'lockedByAgentId', CASE WHEN c.locked_until > now() THEN c.locked_by END,
    'lockedAt', CASE WHEN c.locked_until > now() THEN iso_instant(c.updated_at) END,
    'createdAt', iso_instant(c.created_at),
    'updatedAt', iso_instant(c.updated_at)
)::text AS line
FROM contacts c;
ALTER TABLE contact_phones DROP COLUMN shown;
DROP INDEX attempts_by_agent;
ALTER TABLE campaigns DROP COLUMN console;
DROP INDEX contacts_by_lock;
ALTER TABLE contacts DROP COLUMN relaunch_at, DROP COLUMN locked_at;
DELETE FROM attempts a
    WHERE NOT EXISTS (SELECT 1 FROM contacts c WHERE c.id = a.contact_id)
       OR NOT EXISTS (SELECT 1 FROM campaigns c WHERE c.id = a.campaign_id);
ALTER TABLE attempts
    ADD CONSTRAINT attempts_contact_id_fkey FOREIGN KEY (contact_id) REFERENCES contacts ON DELETE CASCADE,
    ADD CONSTRAINT attempts_campaign_id_fkey FOREIGN KEY (campaign_id) REFERENCES campaigns ON DELETE CASCADE;
