ALTER TABLE campaigns ADD COLUMN trunk_id text REFERENCES trunks;
UPDATE campaigns c SET trunk_id = t.trunk_id FROM campaign_trunks t WHERE t.campaign_id = c.id AND t.position = 0;
ALTER TABLE campaigns ALTER COLUMN trunk_id SET NOT NULL;
DROP TABLE audit_log, ledger_heads, ledger, dnc_numbers, dnc_lists, opt_outs, consents;
ALTER TABLE qualifications DROP COLUMN is_conversation, DROP COLUMN is_refusal, DROP COLUMN is_machine, DROP COLUMN retry;
DROP INDEX attempts_by_number, attempts_by_person, attempts_by_debt;
ALTER TABLE attempts DROP COLUMN list_id, DROP COLUMN person_key, DROP COLUMN debt_key, DROP COLUMN caller_id,
    DROP COLUMN callback_id, DROP COLUMN conversation, DROP COLUMN refused, DROP COLUMN activity,
    DROP COLUMN qualification_id, DROP COLUMN was_machine, DROP COLUMN amd_cause;
ALTER TABLE campaigns DROP COLUMN caller_id_pool_id;
DROP TABLE caller_ids, caller_id_pools, campaign_trunks, quotas, callbacks, hopper;
ALTER TABLE campaigns DROP CONSTRAINT campaigns_mode_check, DROP CONSTRAINT campaigns_state_check;
UPDATE campaigns SET state = 'paused' WHERE state = 'draining';
ALTER TABLE campaigns ADD CHECK (state IN ('stopped', 'running', 'paused', 'finished'));
UPDATE campaigns SET mode = 'progressive' WHERE mode NOT IN ('progressive', 'power');
ALTER TABLE campaigns ADD CHECK (mode IN ('progressive', 'power')),
    DROP COLUMN abandon_limit, DROP COLUMN abandon_window_s, DROP COLUMN min_ring_s, DROP COLUMN boost,
    DROP COLUMN dial_order, DROP COLUMN filters, DROP COLUMN filters_version, DROP COLUMN schedule,
    DROP COLUMN activity, DROP COLUMN packs, DROP COLUMN hopper_min, DROP COLUMN amd,
    DROP COLUMN machine_flow_id, DROP COLUMN broadcast_flow_id;
ALTER TABLE contact_phones DROP COLUMN type, DROP COLUMN zones, DROP COLUMN is_dead, DROP COLUMN blocked_by;
DROP INDEX contacts_ready, contacts_waiting, contacts_filtered, contacts_locked, contacts_by_person, contacts_by_list;
ALTER TABLE contacts DROP CONSTRAINT contacts_status_check;
UPDATE contacts SET status = 'pending' WHERE status IN ('ready', 'waiting', 'filtered', 'callback');
UPDATE contacts SET status = 'called' WHERE status = 'blocked';
ALTER TABLE contacts ALTER COLUMN status SET DEFAULT 'pending',
    ADD CHECK (status IN ('pending', 'claimed', 'called', 'exhausted', 'qualified')),
    DROP COLUMN list_id, DROP COLUMN zones, DROP COLUMN time_zone, DROP COLUMN rank, DROP COLUMN priority,
    DROP COLUMN next_position, DROP COLUMN person_key, DROP COLUMN debt_key, DROP COLUMN filters_version,
    DROP COLUMN blocked_by, DROP COLUMN best_hour, DROP COLUMN locked_by, DROP COLUMN locked_until;
CREATE INDEX contacts_to_dial ON contacts (campaign_id, next_attempt_at, id) WHERE status = 'pending';
DROP TABLE lists;
