//! People at the API of the daemon.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Ground, station, until};

/// Somebody who is logged in, or nobody.
pub(crate) struct Api {
    http: reqwest::Client,
    base: String,
    pub(crate) token: String,
}

impl Api {
    pub(crate) fn nobody(ground: &Ground) -> Self {
        Self {
            http: reqwest::Client::builder()
                .timeout(Duration::from_secs(20))
                .build()
                .unwrap(),
            base: format!("http://{}", ground.http),
            token: String::new(),
        }
    }

    pub(crate) async fn log_in(ground: &Ground, login_id: &str) -> Self {
        let mut api = Self::nobody(ground);
        let who = json!({ "login_id": login_id, "password": ground.planted.password });
        let answer = api.post("/api/v1/auth/login", &who).await;
        answer["data"]["access_token"]
            .as_str()
            .unwrap()
            .clone_into(&mut api.token);
        api
    }

    /// What a path gives; `None` when nobody answers or the answer is an error.
    pub(crate) async fn try_get(&self, path: &str) -> Option<Value> {
        let request = self.http.get(format!("{}{path}", self.base));
        let answer = request.bearer_auth(&self.token).send().await.ok()?;
        answer.error_for_status().ok()?.json().await.ok()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let request = self.http.post(format!("{}{path}", self.base)).json(body);
        let answer = request.bearer_auth(&self.token).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Waits until a figure of `/health` is as wanted.
    pub(crate) async fn health(&self, what: &str, as_wanted: impl Fn(&Value) -> bool) -> Value {
        until(what, async || {
            self.try_get("/health")
                .await
                .filter(|health| as_wanted(health))
        })
        .await
    }
}

/// Brings every agent to their station and starts the campaign.
pub(super) async fn to_work(ground: &Ground) -> Api {
    let admin = Api::log_in(ground, "admin").await;
    admin
        .health("the link is up", |health| {
            health["exchanges"][0]["up"] == true
        })
        .await;
    for place in 1..=ground.plan.agents {
        let agent = Api::log_in(ground, &format!("agent{place}")).await;
        let at = json!({ "station": station(place), "leg_mode": ground.plan.leg_mode });
        agent.post("/api/v1/agents/me/login", &at).await;
        agent.post("/api/v1/agents/me/ready", &json!({})).await;
    }
    let campaign = &ground.planted.campaign.settings.id;
    admin
        .post(&format!("/api/v1/campaigns/{campaign}/start"), &json!({}))
        .await;
    admin
}
