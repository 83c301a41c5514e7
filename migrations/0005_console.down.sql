ALTER TABLE trunks DROP COLUMN domain, DROP COLUMN login, DROP COLUMN password_sealed,
    DROP COLUMN auth_type, DROP COLUMN register_string, DROP COLUMN dial_pattern,
    DROP COLUMN inbound_context;
ALTER TABLE quotas DROP COLUMN operator;
ALTER TABLE campaigns DROP COLUMN script_id, DROP COLUMN min_agents, DROP COLUMN max_call_s,
    DROP COLUMN recording_beep, DROP COLUMN quotas_enabled, DROP COLUMN unlock_after_min,
    DROP COLUMN unreachable_limit;
DROP TABLE backups, settings, media_files, planning_events, contact_notes, scripts, activity_types;
