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
FROM media_files
UNION ALL
-- The designer sees what it saved last; callers walk what was published.
SELECT 'flow', id, lower(name), json_build_object(
    'id', id, 'name', name, 'nodes', coalesce(draft->'nodes', '[]'), 'connections', coalesce(draft->'connections', '[]'),
    'publishedVersion', published_version,
    'createdAt', iso_instant(created_at), 'updatedAt', iso_instant(updated_at))::text
FROM flows
UNION ALL
SELECT 'user', u.id, lower(u.last_name || ' ' || u.first_name), json_build_object(
    'id', u.id, 'loginId', u.login_id, 'firstName', u.first_name, 'lastName', u.last_name, 'email', u.email,
    'role', CASE u.role WHEN 'agent' THEN 'Agent' WHEN 'supervisor' THEN 'Superviseur'
        WHEN 'administrator' THEN 'Administrateur' ELSE 'SuperAdmin' END,
    'isActive', u.is_active, 'siteId', u.site_id, 'agentProfileId', u.agent_profile_id,
    'mobileNumber', u.mobile_number, 'useMobileAsStation', u.use_mobile_as_station,
    -- Everybody's pictures of megabytes would make the list a hundred times as long.
    'profilePictureUrl', (SELECT p.url FROM user_pictures p WHERE p.user_id = u.id AND length(p.url) <= 20000),
    'planningEnabled', u.planning_enabled,
    'campaignIds', ARRAY(SELECT a.campaign_id FROM campaign_agents a WHERE a.user_id = u.id ORDER BY a.campaign_id),
    'createdAt', iso_instant(u.created_at), 'updatedAt', iso_instant(u.updated_at))::text
FROM users u
UNION ALL
SELECT 'user-group', g.id, lower(g.name), json_build_object(
    'id', g.id, 'name', g.name,
    'memberIds', ARRAY(SELECT m.user_id FROM user_group_members m WHERE m.group_id = g.id ORDER BY m.user_id),
    'createdAt', iso_instant(g.created_at), 'updatedAt', iso_instant(g.updated_at))::text
FROM user_groups g
UNION ALL
SELECT 'agent-profile', id, lower(name), json_build_object(
    'id', id, 'name', name, 'callControlsConfig', call_controls,
    'createdAt', iso_instant(created_at), 'updatedAt', iso_instant(updated_at))::text
FROM agent_profiles;

-- What happened, to be read newest first. The number of the customer is that which we called,
-- or which called us, and never null: the console looks into it.
CREATE VIEW call_screens AS
SELECT r.id, r.agent_id, r.campaign_id, r.contact_id, r.started_at, json_build_object(
    'id', 'call_' || replace(r.id::text, '-', ''),
    'startTime', iso_instant(r.started_at), 'timestamp', iso_instant(r.started_at), 'endTime', iso_instant(r.ended_at),
    'duration', coalesce(extract(epoch FROM r.ended_at - r.started_at)::integer, 0),
    'billableDuration', coalesce(extract(epoch FROM r.ended_at - r.answered_at)::integer, 0),
    'direction', r.direction,
    'callStatus', CASE
        WHEN r.answered_at IS NOT NULL THEN 'ANSWERED'
        WHEN r.disposition = 'busy' THEN 'BUSY'
        WHEN r.disposition IN ('no-answer', 'cancelled') OR r.disposition IS NULL THEN 'NO ANSWER'
        ELSE 'FAILED' END,
    'source', coalesce(r.source, ''), 'destination', r.destination,
    'callerNumber', CASE r.direction WHEN 'outbound' THEN r.destination ELSE coalesce(r.source, '') END,
    'agentId', r.agent_id, 'contactId', r.contact_id, 'campaignId', r.campaign_id,
    'qualificationId', r.qualification_id, 'hasRecording', r.recording IS NOT NULL)::text AS line
FROM call_records r;

CREATE VIEW session_screens AS
SELECT s.id, s.user_id, s.login_at, json_build_object(
    'id', 'ses_' || replace(s.id::text, '-', ''), 'agentId', s.user_id,
    'loginTime', iso_instant(s.login_at), 'logoutTime', iso_instant(s.logout_at))::text AS line
FROM agent_sessions s;

CREATE INDEX agent_sessions_by_user ON agent_sessions (user_id, login_at DESC);

CREATE VIEW note_screens AS
SELECT n.id, n.contact_id, n.campaign_id, n.created_at, json_build_object(
    'id', 'note_' || replace(n.id::text, '-', ''), 'contactId', n.contact_id, 'agentId', n.agent_id,
    'campaignId', n.campaign_id, 'note', n.note, 'createdAt', iso_instant(n.created_at))::text AS line
FROM contact_notes n;
CREATE INDEX contact_notes_by_time ON contact_notes (created_at DESC, id);

-- Callbacks that one agent makes.
CREATE VIEW callback_screens AS
SELECT k.id, k.agent_id, k.state, k.due_at, json_build_object(
    'id', 'cbk_' || replace(k.id::text, '-', ''), 'agentId', k.agent_id, 'contactId', k.contact_id,
    'campaignId', k.campaign_id,
    'contactName', (SELECT trim(c.first_name || ' ' || c.last_name) FROM contacts c WHERE c.id = k.contact_id),
    'contactNumber', k.number, 'scheduledTime', iso_instant(k.due_at), 'notes', k.note,
    'status', CASE k.state WHEN 'done' THEN 'completed' ELSE k.state END,
    'createdAt', iso_instant(k.created_at), 'updatedAt', iso_instant(k.updated_at))::text AS line
FROM callbacks k WHERE k.agent_id IS NOT NULL;

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
