//! Everything that a console shows, in one answer.
//!
//! The console fetches it whenever it is told to, and holds all of it: every contact of every
//! campaign is inside. It is written as JSON by the database and passed on a page at a time, the
//! small parts first; what the reader does not take is not read, and a slow one holds no connection
//! to the database. Each role is given what it may see, and empty lists for the rest.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    pin::pin,
    sync::Arc,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use futures_util::{Stream, StreamExt as _, stream};
use serde_json::{Value, json};
use strowger_core::{
    ids::{CampaignId, UserId},
    permission::{Permission, Role},
};
use strowger_store::{
    users::User,
    views::{JsonPage, Screen},
};
use tokio::sync::mpsc;

use super::{
    Answer, Caller, ConsoleProblem, backups,
    campaign_view::{CampaignHead, campaign_heads, campaign_pages},
    licence,
    system::{log, services},
};
use crate::{
    guard::WorkAsAgent,
    routes::system,
    settings::{
        app_settings, backup_schedule, connection_settings, keys, module_visibility, smtp_settings,
    },
    state::{App, Shared},
};

/// Most things of one kind that are set up.
const MAX_THINGS: u32 = 10_000;

/// Most calls, sessions, notes and callbacks each.
const MAX_HISTORY: u32 = 1_000;

/// Most campaigns.
const MAX_CAMPAIGNS: u32 = 1_000;

/// Chunks that wait for the reader.
const AHEAD: usize = 2;

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/api/application-data", get(application_data))
}

async fn application_data(
    Caller(caller): Caller<WorkAsAgent>,
    State(app): State<Shared>,
    headers: HeaderMap,
) -> Answer<Response> {
    let tag = tag(&app, &caller.user).await?;
    // Also after a 304: the console asked because it came anew, and what agents do is not in it.
    app.console
        .data_served(&app.tasks, &caller.user.id, caller.user.role);
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    let cached = [
        (header::ETAG, tag.clone()),
        // Kept by the browser of this person alone, and asked for each time.
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
    ];
    if known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag)) {
        return Ok((StatusCode::NOT_MODIFIED, cached).into_response());
    }
    // What fails here is answered as a failure; later on the answer only breaks off.
    let users = users(&app, &caller.user).await?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    let reads = Arc::clone(&app);
    let work = async move {
        let mut out = Out {
            sender,
            begun: false,
        };
        if let Err(Stop::Failed(problem)) = write(&reads, &caller.user, users, &mut out).await {
            let _ = out.sender.send(Err(problem)).await;
        }
    };
    app.tasks.spawn(work);
    let chunks = stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|chunk| (chunk, receiver))
    });
    let chunks = chunks.map(|chunk: Answer<Bytes>| {
        chunk.map_err(|_| std::io::Error::other("the answer could not be completed"))
    });
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((kind, cached, Body::from_stream(chunks)).into_response())
}

/// Differs as soon as anything differs that the answer is made of: the database, the calls that
/// go on, who asks. Locks expire and calls grow longer by themselves: after a minute it differs
/// in any case.
async fn tag(app: &App, user: &User) -> Answer<String> {
    let mut hasher = DefaultHasher::new();
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    app.started_at.hash(&mut hasher);
    user.id.hash(&mut hasher);
    user.role.as_str().hash(&mut hasher);
    app.api.store.state_of_everything().await?.hash(&mut hasher);
    app.api.hub.seq().hash(&mut hasher);
    (app.now().as_second() / 60).hash(&mut hasher);
    Ok(format!("\"{:016x}\"", hasher.finish()))
}

/// Where the answer goes.
struct Out {
    sender: mpsc::Sender<Answer<Bytes>>,
    begun: bool,
}

/// Why writing ended early.
enum Stop {
    /// The reader went away.
    Left,
    /// Reading failed.
    Failed(ConsoleProblem),
}

impl<E: Into<ConsoleProblem>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Out {
    async fn text(&mut self, text: impl Into<Bytes>) -> Result<(), Stop> {
        let sent = self.sender.send(Ok(text.into())).await;
        sent.map_err(|_| Stop::Left)
    }

    /// The beginning of a field.
    fn name(&mut self, name: &str) -> String {
        let before = if self.begun { ',' } else { '{' };
        self.begun = true;
        format!("{before}\"{name}\":")
    }

    async fn list(&mut self, name: &str, page: JsonPage) -> Result<(), Stop> {
        let text = format!("{}[{}]", self.name(name), page.json);
        self.text(text).await
    }

    async fn value(&mut self, name: &str, value: &Value) -> Result<(), Stop> {
        let text = format!("{}{value}", self.name(name));
        self.text(text).await
    }

    async fn campaigns(
        &mut self,
        campaigns: impl Stream<Item = Answer<Bytes>>,
    ) -> Result<(), Stop> {
        let mut campaigns = pin!(campaigns);
        while let Some(chunk) = campaigns.next().await {
            self.text(chunk?).await?;
        }
        Ok(())
    }
}

/// Whom one sees: agents themselves.
async fn users(app: &App, user: &User) -> Answer<JsonPage> {
    let store = &app.api.store;
    if user.role.may(Permission::ManageAgents) {
        return Ok(store.screens(Screen::User, MAX_THINGS).await?);
    }
    let own = store.screen(Screen::User, user.id.as_str()).await?;
    Ok(one(own))
}

fn one(line: Option<String>) -> JsonPage {
    JsonPage {
        count: u32::from(line.is_some()),
        json: line.unwrap_or_default(),
        last: None,
    }
}

/// Writes everything, the small parts first.
async fn write(app: &Shared, user: &User, users: JsonPage, out: &mut Out) -> Result<(), Stop> {
    out.list("users", users).await?;
    let heads = campaigns(app, user).await?;
    set_up(app, user, &heads, out).await?;
    history(app, user, out).await?;
    settings(app, user, out).await?;
    let mut open = format!("{}[", out.name("campaigns"));
    for head in heads {
        out.text(std::mem::replace(&mut open, ",".to_owned()))
            .await?;
        out.campaigns(campaign_pages(app, &head)).await?;
    }
    if open != "," {
        out.text(open).await?;
    }
    out.text("]}").await
}

/// The campaigns that one sees: agents those that they work for.
async fn campaigns(app: &App, user: &User) -> Answer<Vec<CampaignHead>> {
    let all = app
        .api
        .store
        .campaigns(None::<&CampaignId>, MAX_CAMPAIGNS)
        .await?;
    let heads = campaign_heads(app, all).await?;
    if user.role.may(Permission::RunCampaigns) {
        return Ok(heads);
    }
    let own = heads.into_iter().filter(|head| head.is_of(&user.id));
    Ok(own.map(|head| head.for_agent(&user.id)).collect())
}

/// What is set up, as far as one may see it.
async fn set_up(app: &App, user: &User, heads: &[CampaignHead], out: &mut Out) -> Result<(), Stop> {
    let store = &app.api.store;
    let all = [
        (
            "qualifications",
            Screen::Qualification,
            Permission::WorkAsAgent,
        ),
        (
            "qualificationGroups",
            Screen::QualificationGroup,
            Permission::WorkAsAgent,
        ),
        (
            "activityTypes",
            Screen::ActivityType,
            Permission::WorkAsAgent,
        ),
        ("ivrFlows", Screen::Flow, Permission::EditFlows),
        ("audioFiles", Screen::MediaFile, Permission::EditMedia),
        ("trunks", Screen::Trunk, Permission::EditTrunks),
        ("dids", Screen::Did, Permission::EditDids),
    ];
    for (name, screen, permission) in all {
        let page = if user.role.may(permission) {
            store.screens(screen, MAX_THINGS).await?
        } else {
            JsonPage::default()
        };
        out.list(name, page).await?;
    }
    let sees_all = user.role.may(Permission::ManageAgents);
    let sites = if sees_all {
        store.screens(Screen::Site, MAX_THINGS).await?
    } else {
        // An agent chooses a telephone of their own site.
        match store.site_of(&user.id).await? {
            Some(site) => one(store.screen(Screen::Site, &site).await?),
            None => JsonPage::default(),
        }
    };
    out.list("sites", sites).await?;
    let scripts = if sees_all {
        store.screens(Screen::Script, MAX_THINGS).await?
    } else {
        scripts_of(app, heads).await?
    };
    out.list("savedScripts", scripts).await?;
    let groups = if sees_all {
        store.screens(Screen::UserGroup, MAX_THINGS).await?
    } else {
        JsonPage::default()
    };
    out.list("userGroups", groups).await?;
    let profiles = store.screens(Screen::AgentProfile, MAX_THINGS).await?;
    out.list("agentProfiles", profiles).await
}

/// The scripts of these campaigns.
async fn scripts_of(app: &App, heads: &[CampaignHead]) -> Answer<JsonPage> {
    let mut ids: Vec<&str> = heads
        .iter()
        .filter_map(|head| head.script_id.as_deref())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let mut lines = Vec::new();
    for id in ids {
        lines.extend(app.api.store.screen(Screen::Script, id).await?);
    }
    Ok(JsonPage {
        count: u32::try_from(lines.len()).unwrap_or(u32::MAX),
        json: lines.join(","),
        last: None,
    })
}

/// What happened: agents see what is theirs, and the notes of their campaigns.
async fn history(app: &App, user: &User, out: &mut Out) -> Result<(), Stop> {
    let store = &app.api.store;
    let only = |permission| -> Option<&UserId> { (!user.role.may(permission)).then_some(&user.id) };
    let calls = store.calls_json(only(Permission::ReadCallRecords), MAX_HISTORY);
    out.list("callHistory", calls.await?).await?;
    let sessions = store.sessions_json(only(Permission::ManageAgents), MAX_HISTORY);
    out.list("agentSessions", sessions.await?).await?;
    let notes = store.notes_json(only(Permission::RunCampaigns), MAX_HISTORY);
    out.list("contactNotes", notes.await?).await?;
    let callbacks = store.callbacks_json(only(Permission::RunCampaigns), MAX_HISTORY);
    out.list("personalCallbacks", callbacks.await?).await?;
    let live = if user.role.may(Permission::WatchLive) {
        app.console.active_calls(app.now())
    } else {
        Vec::new()
    };
    out.value("activeCalls", &json!(live)).await
}

/// How the system is set: all see how the console looks, super administrators the rest.
async fn settings(app: &App, user: &User, out: &mut Out) -> Result<(), Stop> {
    let names = [
        keys::APP,
        keys::SMTP,
        keys::CONNECTION,
        keys::MODULES,
        keys::BACKUPS,
    ];
    let kept = app.api.store.settings(&names).await?;
    let is_super = user.role == Role::SuperAdministrator;
    let inner = |key: &str| kept.get(key).filter(|_| is_super);
    out.value("appSettings", &app_settings(kept.get(keys::APP)))
        .await?;
    out.value(
        "moduleVisibility",
        &module_visibility(kept.get(keys::MODULES)),
    )
    .await?;
    out.value("smtpSettings", &smtp_settings(inner(keys::SMTP)))
        .await?;
    let connection = connection_settings(inner(keys::CONNECTION));
    out.value("systemConnectionSettings", &connection).await?;
    out.value("backupSchedule", &backup_schedule(inner(keys::BACKUPS)))
        .await?;
    let (mut backups, mut lines, mut places) = <(Vec<_>, Vec<_>, Vec<_>)>::default();
    let mut licence = Value::Null;
    if is_super {
        backups = backups::logs(app).await?;
        lines = log(system::of_daemon(app).system);
        places = services(&app.api.system.services);
        licence = licence::info(app).await?;
    }
    out.value("backupLogs", &json!(backups)).await?;
    out.value("systemLogs", &json!(lines)).await?;
    out.value("connectivityServices", &json!(places)).await?;
    out.value("licenseInfo", &licence).await?;
    let version = json!({ "application": env!("CARGO_PKG_VERSION") });
    out.value("versionInfo", &version).await
}
