-- Dialing: lists, hopper, callbacks, several trunks per campaign, caller-id pools,
-- compliance (consents, opt-outs, do-not-call lists, packs), the dial ledger, audit.

-- === Lists and contacts ===

CREATE TABLE lists (
    id text PRIMARY KEY,
    campaign_id text NOT NULL REFERENCES campaigns ON DELETE CASCADE,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    -- Lists of one priority share the hopper by weight; 1 is dialed first.
    priority smallint NOT NULL DEFAULT 5 CHECK (priority BETWEEN 1 AND 10),
    weight smallint NOT NULL DEFAULT 100 CHECK (weight BETWEEN 0 AND 100),
    is_active boolean NOT NULL DEFAULT true,
    default_region text NOT NULL DEFAULT 'FR' CHECK (default_region ~ '^[A-Z]{2}$'),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX lists_by_campaign ON lists (campaign_id, id);

-- Each campaign that has contacts gets one list that holds them.
INSERT INTO lists (id, campaign_id, name, default_region)
SELECT c.id, c.id, c.name, c.default_region FROM campaigns c;

-- ready: may be dialed now, if its zone's window is open; waiting: from next_attempt_at on;
-- claimed: an attempt is open; filtered: the filters or quotas of the campaign leave it out;
-- blocked: the law or a list forbids it for good; callback: waits for its callback; called,
-- exhausted, qualified: done.
ALTER TABLE contacts DROP CONSTRAINT contacts_status_check;
DROP INDEX contacts_to_dial;
ALTER TABLE contacts
    ADD COLUMN list_id text REFERENCES lists ON DELETE CASCADE,
    -- IANA names joined by '|': every zone that the number to be dialed next may be in.
    ADD COLUMN zones text NOT NULL DEFAULT '',
    -- The contact's own zone, when the list says it; otherwise zones come from the number.
    ADD COLUMN time_zone text,
    -- Order within list and zone: smaller is dialed sooner.
    ADD COLUMN rank bigint NOT NULL DEFAULT 0,
    ADD COLUMN priority smallint NOT NULL DEFAULT 0 CHECK (priority BETWEEN 0 AND 99),
    -- Which of its numbers is dialed next.
    ADD COLUMN next_position smallint NOT NULL DEFAULT 0,
    -- The person and the debt, for caps that count across contacts and campaigns.
    ADD COLUMN person_key text CHECK (length(person_key) BETWEEN 1 AND 200),
    ADD COLUMN debt_key text CHECK (length(debt_key) BETWEEN 1 AND 200),
    -- The version of the campaign's filters and quotas under which it was last left out.
    ADD COLUMN filters_version integer,
    -- Why it is blocked: the rule.
    ADD COLUMN blocked_by text,
    -- The hour of its own clock at which it is best reached.
    ADD COLUMN best_hour smallint CHECK (best_hour BETWEEN 0 AND 23),
    -- A person works on it in their browser.
    ADD COLUMN locked_by text REFERENCES users ON DELETE SET NULL,
    ADD COLUMN locked_until timestamptz;
UPDATE contacts SET list_id = campaign_id,
    status = CASE WHEN status = 'pending' THEN 'waiting' ELSE status END;
ALTER TABLE contacts
    ALTER COLUMN list_id SET NOT NULL,
    ALTER COLUMN status SET DEFAULT 'ready',
    ADD CHECK (status IN ('ready', 'waiting', 'claimed', 'filtered', 'blocked', 'callback',
                          'called', 'exhausted', 'qualified'));
-- The hopper is filled by walking this index per list and zone, up to its limit.
CREATE INDEX contacts_ready ON contacts (campaign_id, list_id, zones, rank, id) WHERE status = 'ready';
CREATE INDEX contacts_waiting ON contacts (campaign_id, next_attempt_at, id) WHERE status = 'waiting';
-- Those left out under an older version of the filters are looked at again.
CREATE INDEX contacts_filtered ON contacts (campaign_id, filters_version, id) WHERE status = 'filtered';
CREATE INDEX contacts_locked ON contacts (campaign_id, locked_until) WHERE locked_until IS NOT NULL;
CREATE INDEX contacts_by_person ON contacts (person_key) WHERE person_key IS NOT NULL;
CREATE INDEX contacts_by_list ON contacts (list_id, id);

ALTER TABLE contact_phones
    -- mobile, fixed, fixed-or-mobile, voip, toll-free, premium, other.
    ADD COLUMN type text NOT NULL DEFAULT 'other',
    ADD COLUMN zones text NOT NULL DEFAULT '',
    -- Found out of service: not tried again.
    ADD COLUMN is_dead boolean NOT NULL DEFAULT false,
    -- The rule that forbids this number for good.
    ADD COLUMN blocked_by text;

-- Contacts that are ready and chosen to be claimed next. The contact itself is not touched:
-- a row whose lease is over is taken away, and its contact may be chosen again.
CREATE TABLE hopper (
    contact_id text PRIMARY KEY REFERENCES contacts ON DELETE CASCADE,
    campaign_id text NOT NULL REFERENCES campaigns ON DELETE CASCADE,
    list_id text NOT NULL REFERENCES lists ON DELETE CASCADE,
    position smallint NOT NULL,
    number text NOT NULL,
    zones text NOT NULL,
    -- Smaller is claimed sooner.
    rank bigint NOT NULL,
    leased_until timestamptz NOT NULL,
    added_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX hopper_next ON hopper (campaign_id, rank, contact_id);
CREATE INDEX hopper_leases ON hopper (campaign_id, leased_until);

CREATE TABLE callbacks (
    id uuid PRIMARY KEY,
    campaign_id text NOT NULL REFERENCES campaigns ON DELETE CASCADE,
    contact_id text NOT NULL REFERENCES contacts ON DELETE CASCADE,
    number text NOT NULL CHECK (number ~ '^\+[0-9]{3,15}$'),
    -- Null: any agent of the campaign.
    agent_id text REFERENCES users ON DELETE SET NULL,
    due_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'cancelled')),
    note text NOT NULL DEFAULT '' CHECK (length(note) <= 2000),
    created_by text REFERENCES users ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX callbacks_open ON callbacks (contact_id) WHERE state = 'pending';
CREATE INDEX callbacks_due ON callbacks (campaign_id, due_at) WHERE state = 'pending';
CREATE INDEX callbacks_by_agent ON callbacks (agent_id, due_at) WHERE state = 'pending';

-- Contacts that reached a qualification of a kind, by the value of a field.
CREATE TABLE quotas (
    id uuid PRIMARY KEY,
    campaign_id text NOT NULL REFERENCES campaigns ON DELETE CASCADE,
    field text NOT NULL CHECK (length(field) BETWEEN 1 AND 100),
    value text NOT NULL CHECK (length(value) <= 200),
    target integer NOT NULL CHECK (target >= 0),
    reached integer NOT NULL DEFAULT 0,
    UNIQUE (campaign_id, field, value)
);

-- === Campaigns ===

ALTER TABLE campaigns DROP CONSTRAINT campaigns_mode_check, DROP CONSTRAINT campaigns_state_check;
ALTER TABLE campaigns
    -- draining: no new calls; stopped once those in progress are over.
    ADD CHECK (state IN ('stopped', 'running', 'paused', 'draining', 'finished')),
    ADD CHECK (mode IN ('predictive', 'progressive', 'power', 'preview', 'manual', 'broadcast')),
    -- Most people abandoned, as a fraction of those who answered, and over how long.
    ADD COLUMN abandon_limit double precision NOT NULL DEFAULT 0.03 CHECK (abandon_limit BETWEEN 0 AND 0.5),
    ADD COLUMN abandon_window_s integer NOT NULL DEFAULT 86400 CHECK (abandon_window_s BETWEEN 3600 AND 2678400),
    ADD COLUMN min_ring_s integer NOT NULL DEFAULT 15 CHECK (min_ring_s BETWEEN 0 AND 60),
    -- A supervisor's wish to go faster or slower; never lifts the limit.
    ADD COLUMN boost double precision NOT NULL DEFAULT 1 CHECK (boost BETWEEN 0.1 AND 3),
    -- Which contacts first: new-first, priority, oldest-first, best-hour.
    ADD COLUMN dial_order text NOT NULL DEFAULT 'new-first'
        CHECK (dial_order IN ('new-first', 'priority', 'oldest-first', 'best-hour')),
    -- Include and exclude filters, and their version: a new one looks at what was left out again.
    ADD COLUMN filters jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN filters_version integer NOT NULL DEFAULT 0,
    -- Calling windows and caps of the campaign itself, on top of its packs.
    ADD COLUMN schedule jsonb NOT NULL DEFAULT '{}',
    -- What the call is for, in the words of the packs.
    ADD COLUMN activity text NOT NULL DEFAULT 'service',
    ADD COLUMN packs text[] NOT NULL DEFAULT '{}',
    ADD COLUMN hopper_min integer NOT NULL DEFAULT 50 CHECK (hopper_min BETWEEN 1 AND 10000),
    -- Parameters of answering machine detection; those absent are Asterisk's.
    ADD COLUMN amd jsonb NOT NULL DEFAULT '{}',
    -- The flow that a machine hears, or, in a broadcast, everybody.
    ADD COLUMN machine_flow_id text REFERENCES flows ON DELETE SET NULL,
    ADD COLUMN broadcast_flow_id text REFERENCES flows ON DELETE SET NULL;

CREATE TABLE campaign_trunks (
    campaign_id text NOT NULL REFERENCES campaigns ON DELETE CASCADE,
    trunk_id text NOT NULL REFERENCES trunks,
    -- 0 is used as long as it works and has room, then 1, and so on.
    position smallint NOT NULL CHECK (position BETWEEN 0 AND 9),
    PRIMARY KEY (campaign_id, position),
    UNIQUE (campaign_id, trunk_id)
);
INSERT INTO campaign_trunks (campaign_id, trunk_id, position) SELECT id, trunk_id, 0 FROM campaigns;
ALTER TABLE campaigns DROP COLUMN trunk_id;

-- === Caller ids ===

CREATE TABLE caller_id_pools (
    id text PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE caller_ids (
    pool_id text NOT NULL REFERENCES caller_id_pools ON DELETE CASCADE,
    number text NOT NULL CHECK (number ~ '^\+[0-9]{3,15}$'),
    is_active boolean NOT NULL DEFAULT true,
    -- What the test of its answer rate knows, as the core writes it.
    health jsonb NOT NULL DEFAULT '{}',
    rested_until timestamptz,
    rest_reason text,
    last_used_at timestamptz,
    dials bigint NOT NULL DEFAULT 0,
    answers bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (pool_id, number)
);
ALTER TABLE campaigns ADD COLUMN caller_id_pool_id text REFERENCES caller_id_pools ON DELETE SET NULL;

-- === Attempts: what caps count ===

ALTER TABLE attempts
    ADD COLUMN list_id text,
    ADD COLUMN person_key text,
    ADD COLUMN debt_key text,
    ADD COLUMN caller_id text,
    ADD COLUMN callback_id uuid,
    -- A conversation with a person; a refusal to be called again.
    ADD COLUMN conversation boolean NOT NULL DEFAULT false,
    ADD COLUMN refused boolean NOT NULL DEFAULT false,
    ADD COLUMN activity text NOT NULL DEFAULT 'service',
    ADD COLUMN qualification_id text REFERENCES qualifications ON DELETE SET NULL,
    -- The agent says that it was a machine or a person; null when nobody said.
    ADD COLUMN was_machine boolean,
    -- Why machine detection said what it said, in the words of the exchange.
    ADD COLUMN amd_cause text;
CREATE INDEX attempts_by_number ON attempts (number, created_at DESC);
CREATE INDEX attempts_by_person ON attempts (person_key, created_at DESC) WHERE person_key IS NOT NULL;
CREATE INDEX attempts_by_debt ON attempts (debt_key, created_at DESC) WHERE debt_key IS NOT NULL;

ALTER TABLE qualifications
    -- A conversation took place; the person refused further calls; it was a machine.
    ADD COLUMN is_conversation boolean NOT NULL DEFAULT true,
    ADD COLUMN is_refusal boolean NOT NULL DEFAULT false,
    ADD COLUMN is_machine boolean NOT NULL DEFAULT false,
    -- A retry rule; null ends the contact.
    ADD COLUMN retry jsonb;

-- === Compliance ===

-- What a person allowed or took back, one row per statement, never changed.
CREATE TABLE consents (
    id uuid PRIMARY KEY,
    number text CHECK (number ~ '^\+[0-9]{3,15}$'),
    person_key text,
    -- voice, prerecorded, sms, email.
    channel text NOT NULL,
    -- What it was given for, in the words of the packs.
    activity text NOT NULL,
    statement text NOT NULL CHECK (statement IN ('given', 'revoked')),
    at timestamptz NOT NULL,
    -- Until when it is good, when it says so.
    expires_at timestamptz,
    -- How it was obtained: form, call recording, contract; and where the proof lies.
    source text NOT NULL CHECK (length(source) BETWEEN 1 AND 200),
    proof jsonb NOT NULL DEFAULT '{}',
    recorded_by text REFERENCES users ON DELETE SET NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CHECK (number IS NOT NULL OR person_key IS NOT NULL)
);
CREATE INDEX consents_by_number ON consents (number, at DESC) WHERE number IS NOT NULL;
CREATE INDEX consents_by_person ON consents (person_key, at DESC) WHERE person_key IS NOT NULL;

CREATE TABLE opt_outs (
    id uuid PRIMARY KEY,
    number text CHECK (number ~ '^\+[0-9]{3,15}$'),
    person_key text,
    -- voice, sms, email, or all.
    channel text NOT NULL,
    -- Null: every campaign.
    campaign_id text REFERENCES campaigns ON DELETE CASCADE,
    source text NOT NULL CHECK (length(source) BETWEEN 1 AND 200),
    at timestamptz NOT NULL,
    recorded_by text REFERENCES users ON DELETE SET NULL,
    CHECK (number IS NOT NULL OR person_key IS NOT NULL)
);
CREATE INDEX opt_outs_by_number ON opt_outs (number) WHERE number IS NOT NULL;
CREATE INDEX opt_outs_by_person ON opt_outs (person_key) WHERE person_key IS NOT NULL;

CREATE TABLE dnc_lists (
    id text PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    kind text NOT NULL CHECK (kind IN ('internal', 'campaign', 'imported')),
    campaign_id text REFERENCES campaigns ON DELETE CASCADE,
    -- When an imported list was last brought up to date: some laws limit its age.
    scrubbed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((kind = 'campaign') = (campaign_id IS NOT NULL))
);
CREATE TABLE dnc_numbers (
    number text NOT NULL CHECK (number ~ '^\+[0-9]{3,15}$'),
    list_id text NOT NULL REFERENCES dnc_lists ON DELETE CASCADE,
    added_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (number, list_id)
);
CREATE INDEX dnc_numbers_by_list ON dnc_numbers (list_id, number);

-- === The dial ledger ===

-- Why each number was dialed or was not. One chain per campaign; the hash of a row covers
-- the hash of the row before it, its own place and its text.
CREATE TABLE ledger (
    chain text NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    -- dial or refusal.
    kind text NOT NULL CHECK (kind IN ('dial', 'refusal')),
    campaign_id text NOT NULL,
    contact_id text NOT NULL,
    number text NOT NULL,
    attempt_id uuid,
    -- The rule that refused.
    rule text,
    -- The text that was hashed, JSON.
    body text NOT NULL,
    previous bytea NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (chain, seq)
);
CREATE INDEX ledger_by_number ON ledger (number, at DESC);
CREATE INDEX ledger_by_campaign ON ledger (campaign_id, at DESC, seq DESC);
CREATE INDEX ledger_by_attempt ON ledger (attempt_id) WHERE attempt_id IS NOT NULL;
-- The last row of each chain: a row taken off its end is missed.
CREATE TABLE ledger_heads (
    chain text PRIMARY KEY,
    seq bigint NOT NULL,
    hash bytea NOT NULL
);

-- === Audit ===

CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    -- Null: the system itself.
    actor_id text,
    action text NOT NULL,
    subject text NOT NULL,
    -- What was there before and what is there now.
    change jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_log_by_time ON audit_log (id DESC);
CREATE INDEX audit_log_by_subject ON audit_log (subject, id DESC);
