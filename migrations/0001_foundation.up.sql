-- Identity, telephony, campaigns, flows, calls. Ids that people or their clients may
-- choose are text; ids that only Strowger makes are uuid. Every table that a screen
-- lists has the index that its order needs.

CREATE TABLE sites (
    id text PRIMARY KEY,
    name text NOT NULL,
    ip_address text NOT NULL DEFAULT '',
    physical_extensions jsonb NOT NULL DEFAULT '[]',
    direct_media_enabled boolean NOT NULL DEFAULT false,
    time_zone text NOT NULL DEFAULT 'UTC',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE users (
    id text PRIMARY KEY,
    login_id text NOT NULL UNIQUE,
    first_name text NOT NULL DEFAULT '',
    last_name text NOT NULL DEFAULT '',
    email text UNIQUE,
    role text NOT NULL CHECK (role IN ('agent', 'supervisor', 'administrator', 'super-administrator')),
    is_active boolean NOT NULL DEFAULT true,
    password_hash text NOT NULL,
    site_id text REFERENCES sites ON DELETE SET NULL,
    mobile_number text,
    use_mobile_as_station boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE trunks (
    id text PRIMARY KEY,
    name text NOT NULL,
    -- The exchange that the trunk is connected to, by its configured name.
    server text NOT NULL,
    -- The PJSIP endpoint.
    endpoint text NOT NULL CHECK (endpoint ~ '^[A-Za-z0-9_.-]{1,64}$'),
    max_channels integer NOT NULL DEFAULT 30 CHECK (max_channels BETWEEN 1 AND 10000),
    max_calls_per_second integer NOT NULL DEFAULT 10 CHECK (max_calls_per_second BETWEEN 1 AND 1000),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE qualification_groups (
    id text PRIMARY KEY,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE qualifications (
    id text PRIMARY KEY,
    code text NOT NULL UNIQUE,
    description text NOT NULL DEFAULT '',
    type text NOT NULL CHECK (type IN ('positive', 'neutral', 'negative')),
    group_id text REFERENCES qualification_groups ON DELETE SET NULL,
    parent_id text REFERENCES qualifications ON DELETE SET NULL,
    is_standard boolean NOT NULL DEFAULT false,
    is_recyclable boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE campaigns (
    id text PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    description text NOT NULL DEFAULT '',
    state text NOT NULL DEFAULT 'stopped' CHECK (state IN ('stopped', 'running', 'paused', 'finished')),
    -- Counts the runners that this campaign has had: a runner with an older epoch writes nothing.
    epoch bigint NOT NULL DEFAULT 0,
    mode text NOT NULL CHECK (mode IN ('progressive', 'power')),
    ratio double precision NOT NULL DEFAULT 1 CHECK (ratio BETWEEN 1 AND 20),
    priority smallint NOT NULL DEFAULT 5 CHECK (priority BETWEEN 1 AND 10),
    max_lines integer NOT NULL DEFAULT 100 CHECK (max_lines BETWEEN 1 AND 10000),
    trunk_id text NOT NULL REFERENCES trunks,
    caller_id text,
    ring_timeout_s integer NOT NULL DEFAULT 25 CHECK (ring_timeout_s BETWEEN 5 AND 120),
    abandon_after_ms integer NOT NULL DEFAULT 2000 CHECK (abandon_after_ms BETWEEN 0 AND 60000),
    safe_harbour text NOT NULL DEFAULT 'vm-goodbye',
    amd_enabled boolean NOT NULL DEFAULT false,
    -- Played to machines; null hangs up on them.
    machine_message text,
    recording_enabled boolean NOT NULL DEFAULT false,
    wrap_up_s integer NOT NULL DEFAULT 0 CHECK (wrap_up_s BETWEEN 0 AND 3600),
    retry_rules jsonb NOT NULL DEFAULT '{}',
    default_region text NOT NULL DEFAULT 'FR' CHECK (default_region ~ '^[A-Z]{2}$'),
    qualification_group_id text REFERENCES qualification_groups ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX campaigns_by_state ON campaigns (state);

CREATE TABLE campaign_agents (
    campaign_id text NOT NULL REFERENCES campaigns ON DELETE CASCADE,
    user_id text NOT NULL REFERENCES users ON DELETE CASCADE,
    PRIMARY KEY (campaign_id, user_id)
);
CREATE INDEX campaign_agents_by_user ON campaign_agents (user_id);

CREATE TABLE contacts (
    id text PRIMARY KEY,
    campaign_id text NOT NULL REFERENCES campaigns ON DELETE CASCADE,
    first_name text NOT NULL DEFAULT '',
    last_name text NOT NULL DEFAULT '',
    postal_code text NOT NULL DEFAULT '',
    custom_fields jsonb NOT NULL DEFAULT '{}',
    -- pending: may be dialed from next_attempt_at on; claimed: an attempt is open;
    -- called: reached, or an outcome that is not retried; exhausted: attempts used up,
    -- or nobody knows how the last one ended;
    -- qualified: an agent chose the outcome.
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'claimed', 'called', 'exhausted', 'qualified')),
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    attempts_made integer NOT NULL DEFAULT 0,
    claimed_by uuid,
    last_disposition text,
    qualification_id text REFERENCES qualifications ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
-- The claim walks this index in order and stops at its limit.
CREATE INDEX contacts_to_dial ON contacts (campaign_id, next_attempt_at, id) WHERE status = 'pending';
CREATE INDEX contacts_by_campaign ON contacts (campaign_id, id);
CREATE INDEX contacts_by_status ON contacts (campaign_id, status);

CREATE TABLE contact_phones (
    contact_id text NOT NULL REFERENCES contacts ON DELETE CASCADE,
    position smallint NOT NULL CHECK (position BETWEEN 0 AND 9),
    number text NOT NULL CHECK (number ~ '^\+[0-9]{3,15}$'),
    PRIMARY KEY (contact_id, position)
);
CREATE INDEX contact_phones_by_number ON contact_phones (number);

CREATE TABLE attempts (
    id uuid PRIMARY KEY,
    campaign_id text NOT NULL REFERENCES campaigns ON DELETE CASCADE,
    contact_id text NOT NULL REFERENCES contacts ON DELETE CASCADE,
    ordinal integer NOT NULL,
    number text NOT NULL,
    trunk_id text NOT NULL,
    server text NOT NULL,
    epoch bigint NOT NULL,
    agent_id text REFERENCES users ON DELETE SET NULL,
    disposition text,
    cause smallint,
    sip_code smallint,
    amd text,
    created_at timestamptz NOT NULL,
    answered_at timestamptz,
    bridged_at timestamptz,
    ended_at timestamptz,
    CHECK ((ended_at IS NULL) = (disposition IS NULL))
);
-- One open attempt per contact: the database refuses a second one.
CREATE UNIQUE INDEX attempts_open ON attempts (contact_id) WHERE ended_at IS NULL;
CREATE INDEX attempts_open_by_campaign ON attempts (campaign_id) WHERE ended_at IS NULL;
CREATE INDEX attempts_by_campaign ON attempts (campaign_id, created_at DESC);
CREATE INDEX attempts_by_contact ON attempts (contact_id);

CREATE TABLE flows (
    id text PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    draft jsonb NOT NULL,
    published_version integer,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE flow_versions (
    flow_id text NOT NULL REFERENCES flows ON DELETE CASCADE,
    version integer NOT NULL,
    graph jsonb NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now(),
    published_by text REFERENCES users ON DELETE SET NULL,
    PRIMARY KEY (flow_id, version)
);

CREATE TABLE dids (
    id text PRIMARY KEY,
    number text NOT NULL UNIQUE,
    description text NOT NULL DEFAULT '',
    trunk_id text REFERENCES trunks ON DELETE SET NULL,
    flow_id text REFERENCES flows ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE queues (
    id text PRIMARY KEY,
    name text NOT NULL,
    strategy text NOT NULL DEFAULT 'longest-idle' CHECK (strategy IN ('longest-idle')),
    service_level_s integer NOT NULL DEFAULT 20 CHECK (service_level_s BETWEEN 1 AND 3600),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE queue_members (
    queue_id text NOT NULL REFERENCES queues ON DELETE CASCADE,
    user_id text NOT NULL REFERENCES users ON DELETE CASCADE,
    PRIMARY KEY (queue_id, user_id)
);
CREATE INDEX queue_members_by_user ON queue_members (user_id);

CREATE TABLE agent_sessions (
    id uuid PRIMARY KEY,
    user_id text NOT NULL REFERENCES users ON DELETE CASCADE,
    server text NOT NULL,
    station text NOT NULL,
    leg_mode text NOT NULL CHECK (leg_mode IN ('nailed-up', 'ring-per-call')),
    legs_dialed integer NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'paused',
    state_reason text,
    login_at timestamptz NOT NULL,
    logout_at timestamptz,
    logout_cause text
);
CREATE UNIQUE INDEX agent_sessions_open ON agent_sessions (user_id) WHERE logout_at IS NULL;
CREATE INDEX agent_sessions_by_login ON agent_sessions (login_at DESC);

CREATE TABLE agent_states (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES agent_sessions ON DELETE CASCADE,
    state text NOT NULL,
    reason text,
    cause text NOT NULL,
    call_id uuid,
    at timestamptz NOT NULL
);
CREATE INDEX agent_states_by_session ON agent_states (session_id, id);

CREATE TABLE call_records (
    id uuid PRIMARY KEY,
    direction text NOT NULL CHECK (direction IN ('outbound', 'inbound')),
    server text NOT NULL,
    channel text NOT NULL,
    attempt_id uuid,
    campaign_id text REFERENCES campaigns ON DELETE SET NULL,
    contact_id text REFERENCES contacts ON DELETE SET NULL,
    agent_id text REFERENCES users ON DELETE SET NULL,
    qualification_id text REFERENCES qualifications ON DELETE SET NULL,
    source text,
    destination text NOT NULL,
    flow_id text REFERENCES flows ON DELETE SET NULL,
    flow_version integer,
    flow_path text[] NOT NULL DEFAULT '{}',
    queue_id text REFERENCES queues ON DELETE SET NULL,
    transferred_to text,
    started_at timestamptz NOT NULL,
    answered_at timestamptz,
    waiting_since timestamptz,
    bridged_at timestamptz,
    unbridged_at timestamptz,
    -- Null while an inbound call goes on.
    ended_at timestamptz,
    disposition text,
    cause smallint,
    recording text,
    voicemail text,
    voicemail_ms bigint
);
CREATE INDEX call_records_by_start ON call_records (started_at DESC, id DESC);
CREATE INDEX call_records_by_campaign ON call_records (campaign_id, started_at DESC, id DESC);
CREATE INDEX call_records_by_agent ON call_records (agent_id, started_at DESC, id DESC);
CREATE INDEX call_records_by_contact ON call_records (contact_id, started_at DESC);
CREATE INDEX call_records_open ON call_records (id) WHERE ended_at IS NULL;

CREATE TABLE events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    payload jsonb NOT NULL
);
CREATE INDEX events_by_subject ON events (subject, id);
