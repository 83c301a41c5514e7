-- What screens show, as JSON in the names of the console.

-- An instant as the console reads it: UTC with milliseconds.
CREATE FUNCTION iso_instant(timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
    RETURN to_char($1 AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');

-- A contact. Of the nine statuses the console knows three: pending may still be dialed, called
-- is over without an agent's word, qualified has one. Its own fields keep their names.
CREATE VIEW contact_screens AS
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
