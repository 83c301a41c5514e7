-- What agents do with contacts at their screens: locks that say since when, relaunches, what
-- a console sent, and the qualifications that every campaign offers.

ALTER TABLE contacts
    -- Since when a person has it.
    ADD COLUMN locked_at timestamptz,
    -- The agent who qualified it wants it dialed again from then on.
    ADD COLUMN relaunch_at timestamptz;
CREATE INDEX contacts_by_lock ON contacts (locked_by) WHERE locked_by IS NOT NULL;

-- What a console sent that no other column says; used as long as it means what the others say.
ALTER TABLE campaigns ADD COLUMN console jsonb NOT NULL DEFAULT '{}';

-- What an agent talked about last.
CREATE INDEX attempts_by_agent ON attempts (agent_id, created_at DESC) WHERE agent_id IS NOT NULL;

INSERT INTO qualifications (id, code, description, type, is_standard, is_recyclable, is_conversation, is_machine) VALUES
    ('qual-90', '90', 'Occupé', 'neutral', true, true, false, false),
    ('qual-91', '91', 'Faux numéro', 'negative', true, false, false, false),
    ('qual-92', '92', 'Absent', 'neutral', true, true, false, false),
    ('qual-93', '93', 'Répondeur', 'neutral', true, true, false, true),
    ('qual-94', '94', 'Rappel personnel', 'neutral', true, true, true, false),
    ('qual-95', '95', 'Relance', 'neutral', true, true, true, false),
    ('qual-96', '96', 'Indisponible', 'neutral', true, true, true, false),
    ('qual-97', '97', 'Transfert', 'neutral', true, true, true, false),
    ('qual-99', '99', 'Limite injoignable atteinte', 'negative', true, false, false, false),
    ('qual-101', '101', 'Appel non qualifié (système)', 'neutral', true, true, true, false)
ON CONFLICT DO NOTHING;

-- What was dialed stays known when a contact or its campaign is deleted: caps count it.
ALTER TABLE attempts
    DROP CONSTRAINT attempts_contact_id_fkey,
    DROP CONSTRAINT attempts_campaign_id_fkey;

-- A number as people of the region in which it was given dial it.
ALTER TABLE contact_phones ADD COLUMN shown text;

CREATE OR REPLACE VIEW contact_screens AS
SELECT c.id, c.campaign_id, json_build_object(
    'id', c.id,
    'campaignId', c.campaign_id,
    'firstName', c.first_name,
    'lastName', c.last_name,
    'phoneNumber', coalesce((SELECT coalesce(p.shown, p.number) FROM contact_phones p
                             WHERE p.contact_id = c.id AND p.position = 0), ''),
    'postalCode', c.postal_code,
    'status', CASE
        WHEN c.status = 'qualified' THEN 'qualified'
        WHEN c.status IN ('called', 'exhausted', 'blocked') THEN 'called'
        ELSE 'pending' END,
    'customFields', c.custom_fields,
    'lockedByAgentId', CASE WHEN c.locked_until > now() THEN c.locked_by END,
    'lockedAt', CASE WHEN c.locked_until > now() THEN iso_instant(coalesce(c.locked_at, c.updated_at)) END,
    'createdAt', iso_instant(c.created_at),
    'updatedAt', iso_instant(c.updated_at)
)::text AS line
FROM contacts c;
