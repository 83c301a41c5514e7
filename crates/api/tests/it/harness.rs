//! A database, a switchboard and a router for each test.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use strowger_api::{
    ApiSettings, ApiState, Auth, AuthSettings, ExchangeHandle, ExchangeStatus, SystemParts,
    exchange_channel, router,
};
use strowger_core::{
    compliance::Packs,
    ids::UserId,
    permission::Role,
    switchboard::{Action, Switchboard},
    telephony::ServerName,
    time::{Timestamp, after},
};
use strowger_realtime::Hub;
use strowger_store::{
    Store,
    backups::keeper::{BackupSettings, Keeper},
    login_sessions::NewLogin,
    reader::Reader,
    users::User,
};
use strowger_testkit::database::TestDatabase;
use tokio::task::JoinSet;
use tower::ServiceExt as _;
use uuid::Uuid;

pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const SECRET: &str = "an example of thirty-two bytes!!";

pub(crate) struct TestApp {
    pub(crate) store: Store,
    pub(crate) hub: Hub,
    pub(crate) exchange: ExchangeHandle,
    pub(crate) auth: Auth,
    pub(crate) state: ApiState,
    pub(crate) router: Router,
    passed_ms: Arc<AtomicI64>,
    pub(crate) tasks: JoinSet<()>,
    pub(crate) database: TestDatabase,
    /// Passwords and secrets that were sent: none of them may come back.
    sent_secrets: Mutex<BTreeSet<String>>,
    _files: Files,
}

/// What is in no answer: hashes of passwords and private keys, in the forms that there are.
const NEVER: &[&str] = &[
    "not a hash",
    "$argon2",
    "$2a$",
    "$2b$",
    "$2y$",
    "-----BEGIN",
    SECRET,
];

/// The passwords and secrets in what is sent. Short ones are in other words by chance.
fn secrets_in(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = name.to_ascii_lowercase();
                let is_secret = name.contains("password") || name.contains("secret");
                match value {
                    Value::String(text) if is_secret && text.len() >= 6 => {
                        found.insert(text.clone());
                    }
                    other => secrets_in(other, found),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                secrets_in(item, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Where the sounds of a test are; gone when it is over.
struct Files(PathBuf);

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

pub(crate) fn id(role: Role) -> UserId {
    UserId::new(format!("usr_{role}")).unwrap()
}

impl TestApp {
    /// With a switchboard that answers.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}, true).await
    }

    /// With other settings; without a switchboard the queue of one command is never emptied.
    pub(crate) async fn with(set: impl FnOnce(&mut ApiSettings), switchboard: bool) -> Self {
        Self::with_auth(set, |_| {}, switchboard).await
    }

    /// With other settings of authentication as well.
    pub(crate) async fn with_auth(
        set: impl FnOnce(&mut ApiSettings),
        set_auth: impl FnOnce(&mut AuthSettings),
        switchboard: bool,
    ) -> Self {
        let database = strowger_testkit::database::fresh().await.unwrap();
        let store = database.store.clone();
        let passed_ms = Arc::new(AtomicI64::new(0));
        let clock = {
            let passed_ms = Arc::clone(&passed_ms);
            move || {
                let start: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
                after(start, passed_ms.load(Ordering::Relaxed).unsigned_abs())
            }
        };
        let made = AtomicU64::new(1);
        let hub = Hub::new("run".to_owned());
        let (exchange, mut requests) = exchange_channel(if switchboard { 64 } else { 1 });
        let mut auth = AuthSettings::new(SECRET.into());
        set_auth(&mut auth);
        let auth = Auth::new(&auth).unwrap();
        let mut settings = ApiSettings::new(ServerName::from("pbx1"));
        settings.next_contact_wait = std::time::Duration::from_millis(20);
        let name = format!("strowger-sounds-{}", Uuid::new_v4().simple());
        let files = Files(std::env::temp_dir().join(name));
        settings.media = files.0.join("media");
        settings.recordings = files.0.join("recordings");
        let keeper = BackupSettings {
            directory: files.0.join("backups"),
            make_directory: true,
            keep: 2,
            programs: None,
            database: database.options.clone(),
        };
        let backups = Some(Keeper::new(store.clone(), keeper));
        set(&mut settings);
        let mut tasks = JoinSet::new();
        if switchboard {
            let (hub, store, clock) = (hub.clone(), store.clone(), clock.clone());
            tasks.spawn(async move {
                let mut switchboard = Switchboard::new();
                while let Some(request) = requests.recv().await {
                    let result = switchboard.command(clock(), request.command);
                    while let Some(action) = switchboard.poll_action() {
                        match action {
                            Action::Publish(change) => hub.publish(change),
                            Action::Write(write) => store.apply(&[write]).await.unwrap(),
                            Action::Telephony(_)
                            | Action::Claim { .. }
                            | Action::ClaimOne { .. }
                            | Action::PickContact { .. }
                            | Action::LookAtList { .. }
                            | Action::FindPacing { .. }
                            | Action::FindFlow { .. } => {}
                        }
                    }
                    let _ = request.reply.send(result);
                }
            });
        } else {
            tasks.spawn(async move {
                let _kept = requests;
                std::future::pending::<()>().await;
            });
        }
        let state = ApiState {
            store: store.clone(),
            hub: hub.clone(),
            exchange: exchange.clone(),
            auth: auth.clone(),
            clock: Arc::new(clock),
            ids: Arc::new(move || {
                Uuid::from_u128(u128::from(made.fetch_add(1, Ordering::Relaxed)))
            }),
            packs: Arc::new(Packs::built_in().unwrap()),
            settings,
            metrics: Arc::new(|| "strowger_up 1\n".to_owned()),
            status: Arc::new(|| ExchangeStatus {
                started: true,
                servers: vec![(ServerName::from("pbx1"), false)],
                ..ExchangeStatus::default()
            }),
            devices: Arc::new(|_, device| {
                Box::pin(std::future::ready(Some(device != "PJSIP/unplugged")))
            }),
            trunks: None,
            system: SystemParts {
                backups,
                ..SystemParts::default()
            },
            shutdown: tokio_util::sync::CancellationToken::new(),
        };
        let app = Self {
            router: router(state.clone()),
            state,
            store,
            hub,
            exchange,
            auth,
            passed_ms,
            tasks,
            database,
            sent_secrets: Mutex::default(),
            _files: files,
        };
        for role in Role::ALL {
            app.add_user(role, "not a hash").await;
        }
        app
    }

    /// With a role that asks the database.
    pub(crate) async fn with_reader(mut self) -> Self {
        let options = self.database.options.clone();
        let reader = Reader::of_private_server(&self.store, options);
        self.state.system.reader = Some(reader.await.unwrap());
        self.router = router(self.state.clone());
        self
    }

    /// The backups when none is being made any more, newest first.
    pub(crate) async fn backups_done(&self) -> Vec<Value> {
        loop {
            let list = self.get(Role::SuperAdministrator, "/api/v1/backups").await;
            let list = list.body["data"].as_array().unwrap().clone();
            if list.iter().all(|backup| backup["state"] != "running") {
                return list;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    async fn add_user(&self, role: Role, password_hash: &str) {
        let user = User {
            id: id(role),
            login_id: role.to_string(),
            first_name: "Ada".to_owned(),
            last_name: role.to_string(),
            email: None,
            role,
            is_active: true,
            password_hash: password_hash.to_owned(),
        };
        self.store.create_user(&user).await.unwrap();
    }

    /// Gives a user the password of the tests.
    pub(crate) async fn set_password(&self, role: Role) {
        let hash = self
            .auth
            .hash(role.as_str(), PASSWORD.into())
            .await
            .unwrap();
        sqlx::query("UPDATE users SET password_hash = $2 WHERE id = $1")
            .bind(id(role).as_str())
            .bind(hash)
            .execute(self.store.pool())
            .await
            .unwrap();
    }

    pub(crate) fn pass(&self, ms: i64) {
        self.passed_ms.fetch_add(ms, Ordering::Relaxed);
    }

    pub(crate) async fn token(&self, role: Role) -> String {
        let user = self.store.user(&id(role)).await.unwrap().unwrap();
        let (session, now) = (Uuid::new_v4(), (self.state.clock)());
        let login = NewLogin {
            id: session,
            user: &user.id,
            refresh_hash: Sha256::digest(session.as_bytes()).into(),
            peer: None,
            user_agent: "tests",
            expires_at: after(now, 7 * 86_400_000),
            now,
        };
        // The others go on: tests hold several tokens of one role.
        self.store.open_login(&login, false).await.unwrap();
        let token = self.auth.issue(&user, session, now, Uuid::nil());
        token.unwrap().text
    }

    pub(crate) async fn with_token(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json");
        let body = body.map_or_else(Body::empty, |json| {
            secrets_in(&json, &mut self.sent_secrets.lock().unwrap());
            Body::from(json.to_string())
        });
        self.send(request.body(body).unwrap()).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let asked = format!("{} {}", request.method(), request.uri().path());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(to_bytes(body, 10_000_000).await.unwrap().to_vec()).unwrap();
        let sent = self.sent_secrets.lock().unwrap();
        for secret in NEVER.iter().copied().chain(sent.iter().map(String::as_str)) {
            assert!(!text.contains(secret), "{asked} shows {secret:?}: {text}");
        }
        drop(sent);
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        }
    }

    pub(crate) async fn call(
        &self,
        role: Option<Role>,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(role) = role {
            request = request.header(
                header::AUTHORIZATION,
                format!("Bearer {}", self.token(role).await),
            );
        }
        let body = match body {
            Some(json) => {
                secrets_in(&json, &mut self.sent_secrets.lock().unwrap());
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(json.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    pub(crate) async fn get(&self, role: Role, path: &str) -> Answer {
        self.call(Some(role), Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, role: Role, path: &str, body: Value) -> Answer {
        let body = (!body.is_null()).then_some(body);
        self.call(Some(role), Method::POST, path, body).await
    }

    pub(crate) async fn put(&self, role: Role, path: &str, body: Value) -> Answer {
        self.call(Some(role), Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn import(&self, campaign: &str, csv: impl Into<Body>) -> Answer {
        self.import_to(campaign, "", csv).await
    }

    pub(crate) async fn import_to(
        &self,
        campaign: &str,
        query: &str,
        csv: impl Into<Body>,
    ) -> Answer {
        let path = format!("/api/v1/campaigns/{campaign}/contacts/import{query}");
        let request = Request::post(path)
            .header(
                header::AUTHORIZATION,
                format!("Bearer {}", self.token(Role::Administrator).await),
            )
            .header(header::CONTENT_TYPE, "text/csv; charset=utf-8");
        self.send(request.body(csv.into()).unwrap()).await
    }

    /// A trunk and a campaign `cmp_1`.
    pub(crate) async fn with_campaign(self) -> Self {
        let trunk = serde_json::json!({"id": "trk_1", "name": "Carrier", "endpoint": "carrier"});
        assert_eq!(
            self.post(Role::Administrator, "/api/v1/trunks", trunk)
                .await
                .status,
            201
        );
        let campaign = serde_json::json!({"id": "cmp_1", "name": "Autumn", "mode": "progressive", "trunk_ids": ["trk_1"]});
        assert_eq!(
            self.post(Role::Administrator, "/api/v1/campaigns", campaign)
                .await
                .status,
            201
        );
        self
    }
}
