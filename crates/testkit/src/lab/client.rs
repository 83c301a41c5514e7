//! A person at the API.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::Method;
use serde_json::{Value, json};

/// Logged in.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    pub(super) async fn log_in(base: &str, login_id: &str, password: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(20))
            .build()?;
        let mut client = Self {
            http,
            base: base.to_owned(),
            token: String::new(),
        };
        let body = json!({ "login_id": login_id, "password": password });
        let answer = client.post("/api/v1/auth/login", body).await?;
        answer["access_token"]
            .as_str()
            .context("the login gave no token")?
            .clone_into(&mut client.token);
        Ok(client)
    }

    /// As the console logs in; gives the id of the user as well.
    pub(super) async fn log_in_at_console(
        base: &str,
        login_id: &str,
        password: &str,
    ) -> anyhow::Result<(Self, String)> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(20))
            .build()?;
        let mut client = Self {
            http,
            base: base.to_owned(),
            token: String::new(),
        };
        let body = json!({ "loginId": login_id, "password": password });
        let answer = client.post("/api/auth/login", body).await?;
        answer["accessToken"]
            .as_str()
            .context("the login gave no token")?
            .clone_into(&mut client.token);
        let id = answer["user"]["id"].as_str();
        let id = id.context("the login gave no user")?.to_owned();
        Ok((client, id))
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send(Method::GET, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.send(Method::POST, path, Some(body)).await
    }

    pub(super) async fn put(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.send(Method::PUT, path, Some(body)).await
    }

    pub(super) async fn delete(&self, path: &str) -> anyhow::Result<Value> {
        self.send(Method::DELETE, path, None).await
    }

    pub(super) async fn patch(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.send(Method::PATCH, path, Some(body)).await
    }

    /// Sends a CSV file.
    pub(super) async fn csv(&self, path: &str, csv: String) -> anyhow::Result<Value> {
        self.upload(path, "text/csv", csv.into_bytes()).await
    }

    /// Sends a WAV file.
    pub(super) async fn wav(&self, path: &str, wav: Vec<u8>) -> anyhow::Result<Value> {
        self.upload(path, "audio/wav", wav).await
    }

    async fn upload(&self, path: &str, kind: &str, body: Vec<u8>) -> anyhow::Result<Value> {
        let request = self
            .http
            .post(self.url(path))
            .bearer_auth(&self.token)
            .header("content-type", kind)
            .body(body);
        read(Method::POST, path, request.send().await?).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let mut request = self.http.request(method.clone(), self.url(path));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        read(method, path, request.send().await?).await
    }
}

async fn read(method: Method, path: &str, response: reqwest::Response) -> anyhow::Result<Value> {
    let status = response.status();
    let text = response.text().await?;
    if !status.is_success() {
        bail!("{method} {path}: {status} {text}");
    }
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let value: Value = serde_json::from_str(&text)
        .with_context(|| format!("{method} {path}: not JSON: {text}"))?;
    // One resource comes in an envelope, a list with a cursor beside it.
    Ok(match value {
        Value::Object(mut object)
            if object.contains_key("data") && !object.contains_key("next") =>
        {
            object.remove("data").unwrap_or(Value::Null)
        }
        other => other,
    })
}
