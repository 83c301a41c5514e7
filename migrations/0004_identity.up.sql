-- Who people are, how they prove it, and what they may do.

CREATE TABLE agent_profiles (
    id text PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    -- Which call controls the agent has, by name.
    call_controls jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(call_controls) = 'object'),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
-- The profile of whoever has no other. The console knows it by its name.
INSERT INTO agent_profiles (id, name, call_controls) VALUES (
    'default-profile', 'Défaut',
    '{"dial": true, "hangup": true, "hold": true, "transfer": true, "mute": true, "record": true,
      "keypad": true, "qualify": true, "search": true, "insert": true, "history": true, "raiseHand": true}'
);

ALTER TABLE users
    -- A profile that somebody has is not deleted.
    ADD agent_profile_id text DEFAULT 'default-profile' REFERENCES agent_profiles,
    ADD planning_enabled boolean NOT NULL DEFAULT false;
CREATE INDEX users_by_agent_profile ON users (agent_profile_id);

-- Pictures are large and seldom wanted: not in the row that each request reads.
CREATE TABLE user_pictures (
    user_id text PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    -- data:image/…;base64,…
    url text NOT NULL
);

CREATE TABLE user_groups (
    id text PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE user_group_members (
    group_id text NOT NULL REFERENCES user_groups ON DELETE CASCADE,
    user_id text NOT NULL REFERENCES users ON DELETE CASCADE,
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX user_group_members_by_user ON user_group_members (user_id);

-- From the password to the end of the last token.
CREATE TABLE login_sessions (
    id uuid PRIMARY KEY,
    user_id text NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    -- When it was last used, to the minute.
    seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    cause text CHECK (cause IN ('logged-out', 'replaced', 'revoked', 'token-reused', 'password-changed', 'deactivated')),
    peer text,
    user_agent text NOT NULL DEFAULT '',
    CHECK ((ended_at IS NULL) = (cause IS NULL))
);
CREATE INDEX login_sessions_open ON login_sessions (user_id) WHERE ended_at IS NULL;
CREATE INDEX login_sessions_by_user ON login_sessions (user_id, created_at DESC);

-- Every refresh token of a session. Used ones are kept: whoever shows one again has stolen it,
-- or somebody else has.
CREATE TABLE refresh_tokens (
    hash bytea PRIMARY KEY CHECK (length(hash) = 32),
    session_id uuid NOT NULL REFERENCES login_sessions ON DELETE CASCADE,
    used_at timestamptz
);
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);

-- Tokens that let somebody choose a new password, once.
CREATE TABLE password_resets (
    hash bytea PRIMARY KEY CHECK (length(hash) = 32),
    user_id text NOT NULL REFERENCES users ON DELETE CASCADE,
    created_by text REFERENCES users ON DELETE SET NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX password_resets_by_user ON password_resets (user_id);

-- The second factor: one-time codes of RFC 6238.
CREATE TABLE user_mfa (
    user_id text PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    -- Sealed with the configured key.
    secret bytea NOT NULL,
    -- Null until a code was shown: only then it is asked for at login.
    confirmed_at timestamptz,
    -- The time step of the last code: it and those before are used up.
    last_step bigint NOT NULL DEFAULT 0
);

CREATE TABLE mfa_recovery_codes (
    user_id text NOT NULL REFERENCES user_mfa ON DELETE CASCADE,
    hash bytea NOT NULL CHECK (length(hash) = 32),
    used_at timestamptz,
    PRIMARY KEY (user_id, hash)
);

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    user_id text NOT NULL REFERENCES users ON DELETE CASCADE,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    hash bytea NOT NULL CHECK (length(hash) = 32),
    -- Names of permissions.
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    -- To the minute.
    last_used_at timestamptz,
    revoked_at timestamptz
);
CREATE INDEX api_keys_by_user ON api_keys (user_id, created_at DESC);
