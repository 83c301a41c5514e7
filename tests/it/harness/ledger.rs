//! What the database and the exchange say of a campaign.

use std::collections::BTreeMap;

use super::{Ground, until};

impl Ground {
    async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query)
            .fetch_one(self.store.pool())
            .await
            .unwrap()
    }

    /// The dispositions of the attempts of each number, in the order in which they ended.
    pub(crate) async fn dispositions(&self) -> BTreeMap<String, Vec<String>> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT number, coalesce(disposition, 'open') FROM attempts ORDER BY ended_at",
        )
        .fetch_all(self.store.pool())
        .await
        .unwrap();
        let mut numbers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (number, disposition) in rows {
            numbers.entry(number).or_default().push(disposition);
        }
        numbers
    }

    /// Attempts that were made, and those of them that ended.
    pub(crate) async fn attempts(&self) -> (i64, i64) {
        (
            self.count("SELECT count(*) FROM attempts").await,
            self.count("SELECT count(*) FROM attempts WHERE ended_at IS NOT NULL")
                .await,
        )
    }

    /// Waits until so many attempts have ended.
    pub(crate) async fn ended(&self, attempts: i64) {
        until(&format!("{attempts} attempts ended"), async || {
            (self.attempts().await.1 >= attempts).then_some(())
        })
        .await;
    }

    /// Waits until so many contacts were reached.
    pub(crate) async fn called(&self, contacts: i64) {
        until(&format!("{contacts} contacts were called"), async || {
            let called = self.count("SELECT count(*) FROM contacts WHERE status = 'called'");
            (called.await >= contacts).then_some(())
        })
        .await;
    }

    /// Waits until the campaign is finished, and looks whether all of it came out right:
    /// every contact was dialed once, has its outcome and its record, and nothing is open.
    pub(crate) async fn is_complete(&self) {
        until("the campaign is finished", async || {
            let state: String = sqlx::query_scalar("SELECT state FROM campaigns")
                .fetch_one(self.store.pool())
                .await
                .unwrap();
            (state == "finished").then_some(())
        })
        .await;
        let none = async |what: &str, query: &'static str| {
            assert_eq!(self.count(query).await, 0, "{what}");
        };
        none(
            "attempts without a disposition",
            "SELECT count(*) FROM attempts WHERE disposition IS NULL OR ended_at IS NULL",
        )
        .await;
        none(
            "attempts without exactly one record",
            "SELECT count(*) FROM attempts a WHERE 1 <>
                (SELECT count(*) FROM call_records r WHERE r.attempt_id = a.id AND r.disposition = a.disposition)",
        )
        .await;
        none(
            "contacts without an outcome",
            // A contact of whom nobody can tell how the call ended is not said to be reached.
            "SELECT count(*) FROM contacts c WHERE NOT EXISTS
                (SELECT 1 FROM attempts a WHERE a.contact_id = c.id AND c.status =
                    CASE a.disposition WHEN 'unknown' THEN 'exhausted' ELSE 'called' END)",
        )
        .await;
        self.nobody_was_dialed_twice().await;
    }

    /// Each number was dialed once at most, and everything dialed was written down before.
    pub(crate) async fn nobody_was_dialed_twice(&self) {
        let stats = self.sim.stats().await;
        assert_eq!(stats.duplicates(), Vec::<&str>::new());
        let attempts: BTreeMap<String, String> =
            sqlx::query_as("SELECT 'att_' || replace(id::text, '-', ''), number FROM attempts")
                .fetch_all(self.store.pool())
                .await
                .unwrap()
                .into_iter()
                .collect();
        let mut dialed: BTreeMap<&str, u32> = BTreeMap::new();
        for id in stats
            .originates_by_id
            .keys()
            .filter(|id| id.starts_with("att_"))
        {
            let number = attempts
                .get(id)
                .unwrap_or_else(|| panic!("{id} is no attempt"));
            *dialed.entry(number).or_default() += 1;
        }
        dialed.retain(|_, calls| *calls > 1);
        assert_eq!(
            dialed,
            BTreeMap::new(),
            "numbers and how often they were dialed"
        );
    }

    /// Calls to customers that the exchange has been asked for.
    pub(crate) async fn dialed(&self) -> usize {
        let stats = self.sim.stats().await;
        let ids = stats.originates_by_id.keys();
        ids.filter(|id| id.starts_with("att_")).count()
    }

    /// Waits until the exchange has no channel but the agents' legs.
    pub(crate) async fn exchange_is_idle(&self) {
        let legs = match self.plan.leg_mode {
            strowger_core::agent::LegMode::NailedUp => self.plan.agents as usize,
            strowger_core::agent::LegMode::RingPerCall => 0,
        };
        until("no channels but the agents' legs", async || {
            let stats = self.sim.stats().await;
            ((stats.channels, stats.sessions) == (legs, 0)).then_some(())
        })
        .await;
    }
}
