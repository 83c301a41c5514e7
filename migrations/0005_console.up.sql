-- What the screens of the agents and supervisors keep: activity types, scripts, notes,
-- planning, media, settings, backups.

-- What an agent can be doing besides calls; those active are the states they choose from.
CREATE TABLE activity_types (
    id text PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 100),
    color text NOT NULL DEFAULT '#6b7280' CHECK (color ~ '^#[0-9a-fA-F]{6}$'),
    is_active boolean NOT NULL DEFAULT true,
    -- Part of how agents work: cannot be deleted or renamed.
    is_system boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO activity_types (id, name, color, is_system) VALUES
    ('activity-available', 'En Attente', '#22c55e', true),
    ('activity-disconnected', 'Déconnecté', '#6b7280', true),
    ('activity-pause', 'En Pause', '#f59e0b', false),
    ('activity-training', 'Formation', '#3b82f6', false);

CREATE TABLE scripts (
    id text PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    pages jsonb NOT NULL DEFAULT '[]',
    start_page_id text NOT NULL DEFAULT '',
    background_color text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE contact_notes (
    id uuid PRIMARY KEY,
    contact_id text NOT NULL REFERENCES contacts ON DELETE CASCADE,
    campaign_id text NOT NULL REFERENCES campaigns ON DELETE CASCADE,
    agent_id text REFERENCES users ON DELETE SET NULL,
    note text NOT NULL CHECK (length(note) BETWEEN 1 AND 10000),
    created_at timestamptz NOT NULL
);
CREATE INDEX contact_notes_by_contact ON contact_notes (contact_id, created_at DESC);
CREATE INDEX contact_notes_by_agent ON contact_notes (agent_id, created_at DESC);

-- A shift, or an activity within it; with a rule of RFC 5545 it repeats.
CREATE TABLE planning_events (
    id text PRIMARY KEY,
    agent_id text NOT NULL REFERENCES users ON DELETE CASCADE,
    activity_id text NOT NULL REFERENCES activity_types ON DELETE CASCADE,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    rrule text CHECK (length(rrule) <= 500),
    -- When the last repetition ends; null when it does not repeat or never ends.
    repeats_until timestamptz,
    site_id text REFERENCES sites ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (ends_at > starts_at)
);
CREATE INDEX planning_events_by_agent ON planning_events (agent_id, starts_at);
CREATE INDEX planning_events_by_start ON planning_events (starts_at);
CREATE INDEX planning_events_repeating ON planning_events (repeats_until) WHERE rrule IS NOT NULL;

-- Sounds that flows and campaigns play.
CREATE TABLE media_files (
    id text PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    -- Its name in the media directory.
    file_name text NOT NULL UNIQUE CHECK (file_name ~ '^[A-Za-z0-9_.-]{1,100}$'),
    content_type text NOT NULL,
    duration_s integer NOT NULL DEFAULT 0,
    size_bytes bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- What administrators set at run time; secrets among the values are sealed.
CREATE TABLE settings (
    key text PRIMARY KEY,
    value jsonb NOT NULL,
    updated_by text REFERENCES users ON DELETE SET NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE backups (
    id uuid PRIMARY KEY,
    file_name text NOT NULL UNIQUE,
    cause text NOT NULL CHECK (cause IN ('asked', 'scheduled')),
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    size_bytes bigint,
    -- Why it failed.
    error text
);
CREATE INDEX backups_by_start ON backups (started_at DESC);

ALTER TABLE campaigns
    ADD COLUMN script_id text REFERENCES scripts ON DELETE SET NULL,
    ADD COLUMN min_agents integer NOT NULL DEFAULT 1 CHECK (min_agents BETWEEN 1 AND 1000),
    ADD COLUMN max_call_s integer NOT NULL DEFAULT 0 CHECK (max_call_s BETWEEN 0 AND 86400),
    ADD COLUMN recording_beep boolean NOT NULL DEFAULT false,
    ADD COLUMN quotas_enabled boolean NOT NULL DEFAULT true,
    -- An agent who holds a contact for longer without a call gives it back; 0: never.
    ADD COLUMN unlock_after_min integer NOT NULL DEFAULT 0 CHECK (unlock_after_min BETWEEN 0 AND 60),
    -- So many times busy or a machine end a contact; 0: never.
    ADD COLUMN unreachable_limit integer NOT NULL DEFAULT 0 CHECK (unreachable_limit BETWEEN 0 AND 50);

ALTER TABLE quotas
    -- The value is the whole of the field, or what it begins with.
    ADD COLUMN operator text NOT NULL DEFAULT 'equals' CHECK (operator IN ('equals', 'starts-with'));

ALTER TABLE trunks
    -- The carrier that Strowger writes into the configuration of the exchange; null: the
    -- endpoint is configured there by hand.
    ADD COLUMN domain text,
    ADD COLUMN login text,
    ADD COLUMN password_sealed bytea,
    ADD COLUMN auth_type text NOT NULL DEFAULT 'ip' CHECK (auth_type IN ('ip', 'register')),
    ADD COLUMN register_string text,
    ADD COLUMN dial_pattern text NOT NULL DEFAULT '_X.',
    ADD COLUMN inbound_context text;
