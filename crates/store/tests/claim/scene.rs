//! Campaigns and contacts to claim.

use serde_json::{Value, json};
use strowger_core::{
    compliance::{Packs, SourceFile},
    ids::{AttemptId, CampaignId, ContactId, TrunkId, UserId},
    ledger::Problem,
    phone::PhoneNumber,
    switchboard::{Target, Which},
    telephony::ServerName,
    time::Timestamp,
};
use strowger_store::{
    Error, Store,
    attempts::{ClaimRequest, Claimed, OneRequest},
};
use strowger_testkit::database::{TestDatabase, fresh};
use uuid::Uuid;

/// Monday noon in Paris.
pub(crate) fn now() -> Timestamp {
    "2026-05-04T10:00:00Z".parse().unwrap()
}

pub(crate) fn number(place: usize) -> PhoneNumber {
    PhoneNumber::try_from(format!("+3363998{place:04}")).unwrap()
}

pub(crate) fn user() -> UserId {
    UserId::new("ada").unwrap()
}

pub(crate) struct Scene {
    pub(crate) database: TestDatabase,
    pub(crate) packs: Packs,
}

/// A contact to be added.
#[derive(Clone, Copy, Default)]
pub(crate) struct Contact<'a> {
    pub(crate) campaign: &'a str,
    pub(crate) id: &'a str,
    pub(crate) number: usize,
    pub(crate) person: Option<&'a str>,
    pub(crate) debt: Option<&'a str>,
    pub(crate) rank: i64,
}

impl Scene {
    /// A trunk, a user, and running campaigns with these names.
    pub(crate) async fn new(campaigns: &[&str]) -> Self {
        let database = fresh().await.unwrap();
        let scene = Self {
            database,
            packs: Packs::default(),
        };
        scene
            .run("INSERT INTO trunks (id, name, server, endpoint) VALUES ('carrier', 'Carrier', 'pbx', 'carrier')")
            .await;
        scene
            .run("INSERT INTO users (id, login_id, role, password_hash) VALUES ('ada', 'ada', 'agent', 'x')")
            .await;
        for campaign in campaigns {
            sqlx::query(
                "INSERT INTO campaigns (id, name, mode, state, epoch) VALUES ($1, $1, 'power', 'running', 1)",
            )
            .bind(campaign)
            .execute(scene.store().pool())
            .await
            .unwrap();
            sqlx::query("INSERT INTO lists (id, campaign_id, name) VALUES ($1, $1, $1)")
                .bind(campaign)
                .execute(scene.store().pool())
                .await
                .unwrap();
        }
        scene
    }

    pub(crate) fn store(&self) -> &Store {
        &self.database.store
    }

    pub(crate) async fn run(&self, sql: &'static str) {
        sqlx::query(sql).execute(self.store().pool()).await.unwrap();
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql)
            .fetch_one(self.store().pool())
            .await
            .unwrap()
    }

    pub(crate) async fn text(&self, sql: &'static str) -> String {
        sqlx::query_scalar(sql)
            .fetch_one(self.store().pool())
            .await
            .unwrap()
    }

    /// Sets the campaign's own caps and hours.
    pub(crate) async fn schedule(&self, campaign: &str, schedule: Value) {
        sqlx::query("UPDATE campaigns SET schedule = $2 WHERE id = $1")
            .bind(campaign)
            .bind(schedule)
            .execute(self.store().pool())
            .await
            .unwrap();
    }

    /// At most so many calls in 24 hours for each number, person or debt.
    pub(crate) async fn cap(&self, campaign: &str, scope: &str, limit: u32) {
        let cap = json!({ "scope": scope, "limit": limit, "hours": 24 });
        self.schedule(campaign, json!({ "caps": [cap] })).await;
    }

    /// Makes every campaign obey a pack that asks for consent and names an imported list.
    pub(crate) async fn with_pack(mut self) -> Self {
        let text = r#"
            id = "t"
            title = "Test"
            source = "nowhere"
            time_zone = "Europe/Paris"
            [[versions]]
            effective_from = 2020-01-01
            source = "nowhere"
            summary = "Consent, and a register."
            [[versions.consents]]
            name = "consent"
            [[versions.do_not_call]]
            name = "register"
            list = "register"
            max_age_days = 30
        "#;
        let file = SourceFile {
            path: "t.toml".to_owned(),
            text: text.into(),
        };
        self.packs = Packs::read([file]).unwrap();
        self.run("UPDATE campaigns SET packs = '{t}'").await;
        self
    }

    pub(crate) async fn add(&self, contact: Contact<'_>) {
        sqlx::query(
            "INSERT INTO contacts (id, campaign_id, list_id, person_key, debt_key, rank, next_attempt_at)
             VALUES ($1, $2, $2, $3, $4, $5, '2026-01-01')",
        )
        .bind(contact.id)
        .bind(contact.campaign)
        .bind(contact.person)
        .bind(contact.debt)
        .bind(contact.rank)
        .execute(self.store().pool())
        .await
        .unwrap();
        sqlx::query("INSERT INTO contact_phones (contact_id, position, number) VALUES ($1, 0, $2)")
            .bind(contact.id)
            .bind(number(contact.number).as_str())
            .execute(self.store().pool())
            .await
            .unwrap();
    }

    pub(crate) async fn claim(&self, campaign: &str, count: usize, at: Timestamp) -> Claimed {
        let ids: Vec<AttemptId> = (0..count).map(|_| AttemptId(Uuid::new_v4())).collect();
        self.claim_as(campaign, &ids, at).await.unwrap()
    }

    pub(crate) async fn claim_as(
        &self,
        campaign: &str,
        ids: &[AttemptId],
        at: Timestamp,
    ) -> Result<Claimed, Error> {
        self.store()
            .claim(ClaimRequest {
                campaign: &CampaignId::new(campaign).unwrap(),
                epoch: 1,
                trunk: &TrunkId::new("carrier").unwrap(),
                server: &ServerName::from("pbx"),
                ids,
                agents: &[],
                pacing: &json!({ "lines": 3, "agents": 2 }),
                packs: &self.packs,
                now: at,
            })
            .await
    }

    pub(crate) async fn claim_one(
        &self,
        campaign: &str,
        contact: &str,
        at: Timestamp,
    ) -> Result<
        Result<strowger_core::switchboard::NewAttempt, strowger_core::compliance::Refusal>,
        Error,
    > {
        let target = Target {
            contact: ContactId::new(contact).unwrap(),
            number: Which::Next,
        };
        self.store()
            .claim_one(OneRequest {
                campaign: &CampaignId::new(campaign).unwrap(),
                epoch: 1,
                trunk: &TrunkId::new("carrier").unwrap(),
                server: &ServerName::from("pbx"),
                id: AttemptId(Uuid::new_v4()),
                target: &target,
                agent: &user(),
                packs: &self.packs,
                now: at,
            })
            .await
    }

    /// Why the contact was refused last, by the ledger.
    pub(crate) async fn refused_by(&self, contact: &str) -> Option<String> {
        sqlx::query_scalar(
            "SELECT rule FROM ledger WHERE contact_id = $1 AND kind = 'refusal' ORDER BY at DESC, seq DESC LIMIT 1",
        )
        .bind(contact)
        .fetch_optional(self.store().pool())
        .await
        .unwrap()
    }

    pub(crate) async fn status(&self, contact: &str) -> String {
        sqlx::query_scalar("SELECT status FROM contacts WHERE id = $1")
            .bind(contact)
            .fetch_one(self.store().pool())
            .await
            .unwrap()
    }

    pub(crate) async fn end_all(&self, disposition: &str) {
        sqlx::query(
            "UPDATE attempts SET disposition = $1, ended_at = created_at WHERE ended_at IS NULL",
        )
        .bind(disposition)
        .execute(self.store().pool())
        .await
        .unwrap();
        self.run(
            "UPDATE contacts SET status = 'ready', claimed_by = NULL WHERE status = 'claimed'",
        )
        .await;
    }

    /// What is wrong with the ledger.
    pub(crate) async fn faults(&self) -> Vec<(String, i64, Problem)> {
        let found = self.store().verify_ledger(None, &[]).await.unwrap();
        found
            .faults
            .into_iter()
            .map(|fault| (fault.chain, fault.seq, fault.problem))
            .collect()
    }
}
