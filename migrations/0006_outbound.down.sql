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
