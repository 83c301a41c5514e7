DROP TABLE events, call_records, agent_states, agent_sessions, queue_members, queues, dids,
    flow_versions, flows, attempts, contact_phones, contacts, campaign_agents, campaigns,
    qualifications, qualification_groups, trunks, users, sites;
