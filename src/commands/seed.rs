//! `strowger seed`: something to try things out with.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use clap::Args;
use strowger_core::{
    campaign::{
        CampaignSettings, CampaignState, DeskSettings, DialingMode, MachineAction, PacingSettings,
        TrunkSettings,
    },
    compliance::Activity,
    disposition::Disposition,
    ids::{CampaignId, ContactId, TrunkId, UserId},
    lists::order::DialOrder,
    permission::Role,
    phone::PhoneNumber,
    retry::{RetryRule, RetryRules},
    telephony::ServerName,
};
use strowger_store::{
    Store,
    campaigns::Campaign,
    contacts::{Known, NewContact},
    users::User,
};

use crate::{
    config::Config,
    daemon::{self, Database, Purpose},
};

/// What to plant.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Agents, with login ids agent1, agent2, …
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=999))]
    pub agents: u32,
    /// Contacts, with numbers from the range that France reserves for fiction (+33 6 39 98).
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=9_999))]
    pub contacts: u32,
    /// PJSIP endpoint of the trunk.
    #[arg(long, default_value = "carrier")]
    pub trunk: String,
    /// Configured name of the exchange; the first one when not given.
    #[arg(long)]
    pub server: Option<String>,
}

/// What was planted.
#[derive(Debug, Clone)]
pub struct Planted {
    /// The campaign.
    pub campaign: Campaign,
    /// The agents, all of whom work for it.
    pub agents: Vec<User>,
    /// The password of every planted user.
    pub password: String,
}

/// Plants users, a trunk, a campaign and its contacts in an empty database.
///
/// # Errors
/// When there are users already: seeding is for trying out, not for a system in use.
pub async fn run(config: Config, options: Options) -> anyhow::Result<()> {
    let server = options
        .server
        .clone()
        .or_else(|| config.asterisk.servers.keys().next().cloned())
        .context("no [asterisk.servers.<name>] section is configured; give --server")?;
    let database = Database::open(&config, Purpose::OneCommand, config.database.migrate).await?;
    let planted = plant(&database.store, &options, ServerName::from(server.as_str())).await;
    database.close().await;
    let planted = planted?;
    print(&planted);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what the command is for")]
fn print(planted: &Planted) {
    println!(
        "users     admin, agent1 … agent{}, password {}",
        planted.agents.len(),
        planted.password
    );
    println!(
        "campaign  {} ({})",
        planted.campaign.settings.name, planted.campaign.settings.id
    );
}

/// Plants into an open database.
///
/// # Errors
/// When there is a user `admin` already, or the database fails.
pub async fn plant(
    store: &Store,
    options: &Options,
    server: ServerName,
) -> anyhow::Result<Planted> {
    if store.user_by_login("admin").await?.is_some() {
        bail!("there is a user \"admin\" already: seed an empty database");
    }
    let password = daemon::new_secret();
    let hash = daemon::hash_password("admin", &password, 8).await?;
    let user = |login_id: String, role: Role, first_name: &str, last_name: String| User {
        id: UserId::generate(daemon::new_id()),
        login_id,
        first_name: first_name.to_owned(),
        last_name,
        email: None,
        role,
        is_active: true,
        password_hash: hash.clone(),
    };
    store
        .create_user(&user(
            "admin".to_owned(),
            Role::SuperAdministrator,
            "",
            String::new(),
        ))
        .await?;
    let mut agents = Vec::new();
    for number in 1..=options.agents {
        let agent = user(
            format!("agent{number}"),
            Role::Agent,
            "Agent",
            number.to_string(),
        );
        store.create_user(&agent).await?;
        agents.push(agent);
    }
    let trunk = TrunkSettings {
        id: TrunkId::generate(daemon::new_id()),
        server,
        endpoint: options.trunk.clone(),
        max_channels: 200,
        max_calls_per_second: 20,
    };
    store.create_trunk("Trunk", &trunk).await?;
    let campaign = campaign(trunk);
    store.create_campaign(&campaign).await?;
    let ids: Vec<UserId> = agents.iter().map(|agent| agent.id.clone()).collect();
    store.assign_agents(&campaign.settings.id, &ids).await?;
    add_contacts(store, &campaign.settings.id, 0..options.contacts).await?;
    Ok(Planted {
        campaign,
        agents,
        password,
    })
}

fn campaign(trunk: TrunkSettings) -> Campaign {
    let retry = |delay_s, max_attempts| RetryRule {
        delay_s,
        max_attempts,
        ..RetryRule::default()
    };
    Campaign {
        settings: CampaignSettings {
            id: CampaignId::generate(daemon::new_id()),
            name: "First campaign".to_owned(),
            mode: DialingMode::Power,
            ratio: 1.5,
            priority: 5,
            max_lines: 100,
            pacing: PacingSettings::default(),
            trunks: vec![trunk],
            caller_id: None,
            caller_id_pool: None,
            ring_timeout_s: 20,
            abandon_after_ms: 2_000,
            safe_harbour: "vm-goodbye".to_owned(),
            amd: true,
            amd_parameters: serde_json::json!({}),
            amd_audit_share: 0.0,
            machine_action: MachineAction::HangUp,
            broadcast_flow: None,
            record: false,
            wrap_up_s: 2,
            retry: RetryRules(BTreeMap::from([
                (Disposition::Busy, retry(30, 3)),
                (Disposition::NoAnswer, retry(60, 3)),
                (Disposition::CarrierFailure, retry(15, 3)),
                (Disposition::Unknown, retry(30, 2)),
            ])),
            activity: Activity::Service,
            packs: Vec::new(),
            schedule: serde_json::json!({}),
            filters: serde_json::json!([]),
            dial_order: DialOrder::NewFirst,
            hopper_min: 50,
            desk: DeskSettings::default(),
        },
        description: String::new(),
        state: CampaignState::Stopped,
        epoch: 0,
        default_region: "FR".to_owned(),
    }
}

/// Adds contacts whose numbers end in their place in the range.
///
/// # Errors
/// When the database fails.
pub async fn add_contacts(
    store: &Store,
    campaign: &CampaignId,
    range: std::ops::Range<u32>,
) -> anyhow::Result<()> {
    let mut contacts = Vec::with_capacity(range.len());
    for place in range {
        contacts.push(NewContact {
            id: ContactId::generate(daemon::new_id()),
            first_name: "Contact".to_owned(),
            last_name: place.to_string(),
            postal_code: "75001".to_owned(),
            custom_fields: serde_json::Map::new(),
            known: Known::default(),
            phones: vec![PhoneNumber::try_from(format!("+3363998{place:04}"))?.into()],
        });
    }
    for batch in contacts.chunks(1_000) {
        store.add_contacts(campaign, batch, daemon::now()).await?;
    }
    Ok(())
}
