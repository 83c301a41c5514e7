DROP TABLE api_keys, mfa_recovery_codes, user_mfa, password_resets, refresh_tokens, login_sessions,
    user_group_members, user_groups, user_pictures;
ALTER TABLE users DROP COLUMN agent_profile_id, DROP COLUMN planning_enabled;
DROP TABLE agent_profiles;
