//! What a start takes up again.

use strowger_core::{
    agent::{AgentState, Login},
    call::{AttemptFacts, InboundFacts, Kind},
    campaign::CampaignState,
    ids::{AgentSessionId, AttemptId, CallId},
    switchboard::{Restored, RestoredCall, RestoredSession},
    telephony::{ChannelId, ServerName},
};

use crate::{
    Error, Store,
    attempts::segment,
    convert::{parse, read, timestamp, uint},
    users::User,
};

impl Store {
    /// Reads everything that has no end, and gives each running or paused campaign a new
    /// epoch, so that nothing that an earlier runner still does is written.
    ///
    /// # Errors
    /// When the database fails or holds what no version writes.
    pub async fn restore(&self) -> Result<Restored, Error> {
        sqlx::query!("UPDATE campaigns SET epoch = epoch + 1 WHERE state IN ('running', 'paused', 'draining')")
            .execute(&self.pool)
            .await?;
        let mut restored = Restored::default();
        let mut after = None;
        loop {
            let page = self.campaigns(after.as_ref(), 500).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.settings.id.clone());
            for campaign in page {
                // Finished and stopped ones are loaded as well: a board shows them, and old calls refer to them.
                let state: CampaignState = campaign.state;
                restored
                    .campaigns
                    .push((campaign.settings, state, campaign.epoch));
            }
        }
        restored.calls = self.open_attempts().await?;
        restored.calls.extend(self.open_inbound().await?);
        let mut transfers = self.open_transfers().await?;
        for call in &mut restored.calls {
            if let Some(of_call) = transfers.remove(&call.id) {
                (call.transfers, call.transfer) = (of_call.count, of_call.open);
            }
        }
        restored.sessions = self.open_sessions().await?;
        restored.limits = self.limits().await?;
        Ok(restored)
    }

    async fn open_attempts(&self) -> Result<Vec<RestoredCall>, Error> {
        let rows = sqlx::query!(
            "SELECT a.id, a.campaign_id, a.contact_id, a.ordinal, a.number, a.trunk_id, a.server, a.epoch, a.agent_id, a.caller_id,
                 a.created_at, a.answered_at, a.bridged_at, a.list_id, c.time_zone
             FROM attempts a JOIN contacts c ON c.id = a.contact_id
             WHERE a.ended_at IS NULL ORDER BY a.id"
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let attempt = AttemptId(row.id);
                let agent = row
                    .agent_id
                    .map(|id| read("attempts.agent_id", id))
                    .transpose()?;
                let number = read("attempts.number", row.number)?;
                let segment = segment(
                    row.list_id.as_deref().unwrap_or_default(),
                    &number,
                    row.time_zone.as_ref(),
                    timestamp(row.created_at),
                );
                // Until somebody talks, the agent of an attempt is the one it was dialed for.
                let (wanted_agent, bridged) = match row.bridged_at {
                    None => (agent, None),
                    Some(at) => (None, Some(timestamp(at)).zip(agent)),
                };
                Ok(RestoredCall {
                    id: CallId::from(attempt),
                    server: ServerName::from(row.server.as_str()),
                    channel: ChannelId::for_attempt(attempt),
                    kind: Kind::Outbound(AttemptFacts {
                        attempt,
                        segment,
                        campaign: read("attempts.campaign_id", row.campaign_id)?,
                        contact: read("attempts.contact_id", row.contact_id)?,
                        number,
                        ordinal: uint(row.ordinal),
                        epoch: row.epoch,
                        trunk: read("attempts.trunk_id", row.trunk_id)?,
                        caller_id: row
                            .caller_id
                            .map(|shown| read("attempts.caller_id", shown))
                            .transpose()?,
                        wanted_agent,
                    }),
                    queue: None,
                    started_at: timestamp(row.created_at),
                    answered_at: row.answered_at.map(timestamp),
                    bridged,
                    transfer: None,
                    transfers: 0,
                })
            })
            .collect()
    }

    async fn open_inbound(&self) -> Result<Vec<RestoredCall>, Error> {
        let rows = sqlx::query!(
            "SELECT id, server, channel, source, destination, started_at, agent_id, bridged_at, queue_id
             FROM call_records WHERE ended_at IS NULL AND direction = 'inbound' ORDER BY id"
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let agent = row
                    .agent_id
                    .map(|id| read("call_records.agent_id", id))
                    .transpose()?;
                let queue = row
                    .queue_id
                    .map(|id| read("call_records.queue_id", id))
                    .transpose()?;
                Ok(RestoredCall {
                    id: CallId(row.id),
                    server: ServerName::from(row.server.as_str()),
                    channel: ChannelId::from(row.channel.as_str()),
                    kind: Kind::Inbound(InboundFacts {
                        did: row.destination,
                        caller: row.source,
                    }),
                    queue,
                    started_at: timestamp(row.started_at),
                    answered_at: Some(timestamp(row.started_at)),
                    bridged: row.bridged_at.map(timestamp).zip(agent),
                    transfer: None,
                    transfers: 0,
                })
            })
            .collect()
    }

    async fn open_sessions(&self) -> Result<Vec<RestoredSession>, Error> {
        let rows = sqlx::query!(
            "SELECT id, user_id, server, station, leg_mode, legs_dialed, state, state_reason
             FROM agent_sessions WHERE logout_at IS NULL ORDER BY id"
        )
        .fetch_all(&self.pool)
        .await?;
        let mut sessions = Vec::with_capacity(rows.len());
        for row in rows {
            let agent = read("agent_sessions.user_id", row.user_id)?;
            let (campaigns, queues) = self.assignments(&agent).await?;
            let name = self
                .user(&agent)
                .await?
                .as_ref()
                .map_or_else(String::new, User::display_name);
            let state = AgentState::from_parts(&row.state, row.state_reason.as_deref()).ok_or(
                Error::Corrupt {
                    what: "agent_sessions.state",
                    detail: row.state,
                },
            )?;
            sessions.push(RestoredSession {
                login: Login {
                    agent,
                    name,
                    session: AgentSessionId(row.id),
                    server: ServerName::from(row.server.as_str()),
                    station: row.station,
                    leg_mode: parse("agent_sessions.leg_mode", &row.leg_mode)?,
                    campaigns,
                    queues,
                },
                legs_dialed: uint(row.legs_dialed),
                state,
            });
        }
        Ok(sessions)
    }
}
