//! The daemon inside of the test.

use std::collections::BTreeSet;

use strowger::{
    config::{Config, Needs},
    daemon::{self, Daemon},
    lifecycle::Lifecycle,
};
use strowger_core::{
    agent::{AgentState, Login},
    campaign::CampaignState,
    ids::AgentSessionId,
    switchboard::{Command, Stats},
    telephony::ServerName,
};
use strowger_realtime::Snapshot;
use tokio::time::timeout;
use uuid::Uuid;

use super::{Ground, LONG, Plan, SERVER, station, until};

pub(crate) struct Centre {
    pub(crate) ground: Ground,
    pub(crate) daemon: Daemon,
    lifecycle: Lifecycle,
}

impl Centre {
    /// A daemon with a link to its exchange, and its agents at work.
    pub(crate) async fn open(plan: Plan) -> Self {
        Self::on(Ground::new(plan).await).await
    }

    pub(crate) async fn on(ground: Ground) -> Self {
        let config = Config::load(Some(&ground.write_config("info")), Needs::All).unwrap();
        let lifecycle = Lifecycle::default();
        let daemon = daemon::start(&config, &lifecycle).await.unwrap();
        let centre = Self {
            ground,
            daemon,
            lifecycle,
        };
        centre
            .seen("the link is up", |now| now.servers.iter().any(|s| s.up))
            .await;
        centre.log_agents_in().await;
        centre.everybody_is_available().await;
        centre
    }

    async fn log_agents_in(&self) {
        for (place, agent) in (1..).zip(&self.ground.planted.agents) {
            let login = Login {
                agent: agent.id.clone(),
                name: agent.display_name(),
                session: AgentSessionId(Uuid::now_v7()),
                server: ServerName::from(SERVER),
                station: format!("PJSIP/{}", station(place)),
                leg_mode: self.ground.plan.leg_mode,
                campaigns: BTreeSet::from([self.ground.planted.campaign.settings.id.clone()]),
                queues: self.ground.plan.queues.iter().cloned().collect(),
            };
            self.send(Command::LogIn(login)).await;
            self.send(Command::Ready(agent.id.clone())).await;
        }
    }

    pub(crate) async fn send(&self, command: Command) {
        self.daemon.exchange.send(command).await.unwrap();
    }

    pub(crate) async fn start_campaign(&self) {
        let campaign = self.ground.planted.campaign.settings.id.clone();
        let epoch = self.ground.store.start_campaign(&campaign).await.unwrap();
        self.send(Command::Start { campaign, epoch }).await;
    }

    /// Waits until the live view shows something.
    pub(crate) async fn seen(&self, what: &str, shows: impl Fn(&Snapshot) -> bool) {
        let mut changes = self.daemon.hub.subscribe(None);
        let wait = async {
            while !shows(&self.daemon.hub.snapshot()) {
                if changes.next().await.is_err() {
                    changes = self.daemon.hub.subscribe(None);
                }
            }
        };
        if timeout(LONG, wait).await.is_err() {
            let now = self.daemon.hub.snapshot();
            panic!("not within {LONG:?}: {what}; {now:#?}");
        }
    }

    pub(crate) async fn everybody_is_available(&self) {
        let agents = self.ground.plan.agents as usize;
        self.seen("everybody is available", |now| {
            now.agents.len() == agents
                && now
                    .agents
                    .iter()
                    .all(|agent| agent.state == AgentState::Available)
        })
        .await;
    }

    /// Waits until so many attempts have ended.
    pub(crate) async fn ended(&self, attempts: u64) {
        self.seen(&format!("{attempts} attempts ended"), |now| {
            now.campaigns[0].counters.ended >= attempts
        })
        .await;
    }

    /// Waits until the campaign is finished and no call is left.
    pub(crate) async fn finished(&self) {
        self.seen("the campaign is finished", |now| {
            now.campaigns[0].state == CampaignState::Finished && now.calls.is_empty()
        })
        .await;
    }

    /// The figures of an idle switchboard.
    pub(crate) async fn figures(&self) -> Stats {
        until("no call is left", async || {
            let stats = self.daemon.progress.status().stats;
            (stats.calls == 0).then_some(stats)
        })
        .await
    }

    /// Waits for the end of the campaign; all of it must have come out right, whatever
    /// happened meanwhile.
    pub(crate) async fn comes_out_right(&self) {
        self.finished().await;
        self.ground.is_complete().await;
        self.ground.exchange_is_idle().await;
        assert_eq!(self.figures().await.violations, 0);
        assert!(!self.lifecycle.has_failed());
    }

    /// Stops the daemon.
    pub(crate) async fn close(self) {
        self.leave().await;
    }

    /// Stops the daemon; what it worked with stays.
    pub(crate) async fn leave(self) -> Ground {
        self.lifecycle.hard.cancel();
        self.lifecycle.tracker.close();
        timeout(LONG, self.lifecycle.tracker.wait())
            .await
            .expect("every task ends");
        assert!(!self.lifecycle.has_failed());
        self.daemon.database.close().await;
        self.ground
    }
}
