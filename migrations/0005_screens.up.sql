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

-- What is set up, by kind; `place` orders the things of one kind.
CREATE VIEW screens AS
SELECT 'activity-type' AS kind, id, (NOT is_system)::text || lower(name) AS place, json_build_object(
    'id', id, 'name', name, 'color', color, 'isActive', is_active, 'isSystem', is_system,
    'createdAt', iso_instant(created_at), 'updatedAt', iso_instant(updated_at))::text AS line
FROM activity_types
UNION ALL
SELECT 'script', id, lower(name), json_build_object(
    'id', id, 'name', name, 'pages', pages, 'startPageId', start_page_id, 'backgroundColor', background_color,
    'createdAt', iso_instant(created_at), 'updatedAt', iso_instant(updated_at))::text
FROM scripts
UNION ALL
SELECT 'qualification', id, code, json_build_object(
    'id', id, 'code', code, 'description', description, 'type', type, 'groupId', group_id,
    'isStandard', is_standard, 'parentId', parent_id, 'isRecyclable', is_recyclable,
    'createdAt', iso_instant(created_at), 'updatedAt', iso_instant(updated_at))::text
FROM qualifications
UNION ALL
SELECT 'qualification-group', id, lower(name), json_build_object(
    'id', id, 'name', name,
    'createdAt', iso_instant(created_at), 'updatedAt', iso_instant(updated_at))::text
FROM qualification_groups
UNION ALL
SELECT 'site', id, lower(name), json_build_object(
    'id', id, 'name', name, 'ipAddress', ip_address, 'physicalExtensions', physical_extensions,
    'directMediaEnabled', direct_media_enabled,
    'createdAt', iso_instant(created_at), 'updatedAt', iso_instant(updated_at))::text
FROM sites
UNION ALL
-- Secrets of trunks are never shown, sealed or not.
SELECT 'trunk', id, lower(name), json_build_object(
    'id', id, 'name', name, 'domain', coalesce(domain, ''), 'login', coalesce(login, ''), 'passwordEncrypted', '',
    'hasPassword', password_sealed IS NOT NULL, 'authType', auth_type,
    'registerString', coalesce(register_string, ''), 'dialPattern', dial_pattern,
    'inboundContext', coalesce(inbound_context, ''), 'forceCallerId', NULL,
    'createdAt', iso_instant(created_at), 'updatedAt', iso_instant(updated_at))::text
FROM trunks
UNION ALL
SELECT 'did', id, number, json_build_object(
    'id', id, 'number', number, 'description', description, 'trunkId', trunk_id, 'ivrFlowId', flow_id,
    'createdAt', iso_instant(created_at), 'updatedAt', iso_instant(updated_at))::text
FROM dids
UNION ALL
SELECT 'media-file', id, lower(name), json_build_object(
    'id', id, 'name', name, 'fileName', file_name, 'duration', duration_s, 'size', size_bytes,
    'uploadDate', iso_instant(created_at),
    'createdAt', iso_instant(created_at), 'updatedAt', iso_instant(updated_at))::text
FROM media_files;

-- The qualifications that the console knows by their ids and codes.
INSERT INTO qualifications (id, code, description, type, is_standard, is_recyclable, is_conversation, is_machine) VALUES
    ('qual-90', '90', 'Occupé', 'neutral', true, true, false, false),
    ('qual-91', '91', 'Faux numéro', 'negative', true, false, false, false),
    ('qual-92', '92', 'Absent', 'neutral', true, true, false, false),
    ('qual-93', '93', 'Répondeur', 'neutral', true, true, false, true),
    ('qual-94', '94', 'Rappel personnel', 'neutral', true, true, true, false),
    ('qual-95', '95', 'Relance', 'neutral', true, true, true, false),
    ('qual-96', '96', 'Indisponible', 'neutral', true, true, false, false),
    ('qual-97', '97', 'Transfert', 'neutral', true, true, true, false),
    ('qual-99', '99', 'Limite Injoignable Atteinte', 'negative', true, false, false, false),
    ('qual-101', '101', 'Appel Non Qualifié (Système)', 'neutral', true, true, false, false)
ON CONFLICT DO NOTHING;
