//! Scripts that agents read and fill in.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strowger_core::{ids::ScriptId, time::Timestamp};
use strowger_store::{
    Removal,
    scripts::{Script, ScriptEntry, ScriptSettings},
};
use utoipa::ToSchema;

use crate::{
    changes::{Kind, What},
    guard::{EditScripts, May},
    input::{Body, Check, MAX_DEPTH, Path, Query, unstorable},
    problem::{Problem, ProblemBody},
    reply::{Data, Done, Page, PageQuery},
    state::{App, Shared},
};

/// Most pages of a script.
const MAX_PAGES: usize = 100;

/// What is appended to the name of a copy, in the language of the console.
const COPY: &str = " (Copie)";

/// Longest name.
const MAX_NAME: usize = 200;

/// A script in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ScriptItem {
    /// Its id.
    #[schema(value_type = String, example = "scr_1")]
    id: ScriptId,
    /// Its name.
    name: String,
    /// How many pages it has.
    page_count: u32,
    /// When it was added.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// A script.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ScriptView {
    /// Its id.
    #[schema(value_type = String, example = "scr_1")]
    pub(crate) id: ScriptId,
    /// Its name.
    name: String,
    /// Its pages with their blocks.
    #[schema(value_type = Vec<Object>)]
    pages: Value,
    /// The page that it begins with.
    start_page_id: String,
    /// A colour.
    background_color: String,
    /// When it was added.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<Script> for ScriptView {
    fn from(script: Script) -> Self {
        Self {
            id: script.id,
            name: script.settings.name,
            pages: script.settings.pages,
            start_page_id: script.settings.start_page_id,
            background_color: script.settings.background_color,
            created_at: script.created_at,
            updated_at: script.updated_at,
        }
    }
}

/// A script as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScriptBody {
    /// Chosen by Strowger when absent; ignored when one is changed.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(crate) id: Option<ScriptId>,
    /// 1 to 200 characters.
    pub(crate) name: String,
    /// At most 100 pages with their blocks, kept as they are sent.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    pub(crate) pages: Vec<Value>,
    /// The page that it begins with.
    #[serde(default)]
    pub(crate) start_page_id: String,
    /// A colour.
    #[serde(default)]
    pub(crate) background_color: String,
}

impl ScriptBody {
    fn check(self) -> Result<ScriptSettings, Problem> {
        let mut check = Check::default();
        check.line("name", &self.name, 1..=MAX_NAME);
        check.range("pages", &self.pages.len(), &(0..=MAX_PAGES));
        check.line("start_page_id", &self.start_page_id, 0..=100);
        check.line("background_color", &self.background_color, 0..=50);
        let pages = Value::Array(self.pages);
        if let Some(why) = unstorable(&pages, MAX_DEPTH) {
            check.wrong("pages", why);
        }
        check.done()?;
        Ok(ScriptSettings {
            name: self.name.trim().to_owned(),
            pages,
            start_page_id: self.start_page_id,
            background_color: self.background_color,
        })
    }
}

async fn find(app: &App, id: &ScriptId) -> Result<Script, Problem> {
    let script = app.api.store.script(id).await?;
    script.ok_or_else(|| no_such(id))
}

/// List scripts
#[utoipa::path(
    get, path = "/api/v1/scripts", tag = "scripts", params(PageQuery),
    responses((status = 200, description = "In the order of their ids, without their pages", body = Page<ScriptItem>))
)]
pub(crate) async fn list(
    _caller: May<EditScripts>,
    State(app): State<Shared>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<ScriptItem>>, Problem> {
    let limit = page.limit()?;
    let after = page.after::<ScriptId>()?;
    let rows = app.api.store.scripts(after.as_ref(), limit + 1).await?;
    let view = |row: ScriptEntry| ScriptItem {
        id: row.id,
        name: row.name,
        page_count: row.pages,
        created_at: row.created_at,
        updated_at: row.updated_at,
    };
    Ok(Page::cut(rows, limit, |row| row.id.to_string(), view))
}

/// Show a script
#[utoipa::path(
    get, path = "/api/v1/scripts/{id}", tag = "scripts", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The script", body = Data<ScriptView>),
        (status = 404, description = "No such script", body = ProblemBody),
    )
)]
pub(crate) async fn show(
    _caller: May<EditScripts>,
    State(app): State<Shared>,
    Path(id): Path<ScriptId>,
) -> Result<Json<Data<ScriptView>>, Problem> {
    Ok(Data::of(find(&app, &id).await?.into()))
}

/// Add a script
#[utoipa::path(
    post, path = "/api/v1/scripts", tag = "scripts", request_body = ScriptBody,
    responses(
        (status = 201, description = "Added", body = Data<ScriptView>),
        (status = 409, description = "The id is in use", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn create(
    caller: May<EditScripts>,
    State(app): State<Shared>,
    Body(mut new): Body<ScriptBody>,
) -> Result<(StatusCode, Json<Data<ScriptView>>), Problem> {
    let chosen = new.id.take();
    let settings = new.check()?;
    let id = chosen.unwrap_or_else(|| ScriptId::generate(app.new_id()));
    add(&app, &caller, id, &settings).await
}

async fn add(
    app: &App,
    caller: &May<EditScripts>,
    id: ScriptId,
    settings: &ScriptSettings,
) -> Result<(StatusCode, Json<Data<ScriptView>>), Problem> {
    let store = &app.api.store;
    let saved = store
        .save_script(&id, settings, true, caller.id(), app.now())
        .await?;
    let saved = saved.ok_or_else(Problem::internal)?;
    app.changes.tell(Kind::Script, What::Created, id);
    Ok((StatusCode::CREATED, Data::of(saved.into())))
}

/// Change a script
///
/// Agents who have it before them see the change with their next contact.
#[utoipa::path(
    put, path = "/api/v1/scripts/{id}", tag = "scripts", params(("id" = String, Path)), request_body = ScriptBody,
    responses(
        (status = 200, description = "Changed", body = Data<ScriptView>),
        (status = 404, description = "No such script", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn change(
    caller: May<EditScripts>,
    State(app): State<Shared>,
    Path(id): Path<ScriptId>,
    Body(body): Body<ScriptBody>,
) -> Result<Json<Data<ScriptView>>, Problem> {
    let settings = body.check()?;
    let store = &app.api.store;
    let saved = store
        .save_script(&id, &settings, false, caller.id(), app.now())
        .await?;
    let saved = saved.ok_or_else(|| no_such(&id))?;
    app.changes.tell(Kind::Script, What::Updated, id);
    Ok(Data::of(saved.into()))
}

/// Copy a script
#[utoipa::path(
    post, path = "/api/v1/scripts/{id}/duplicate", tag = "scripts", params(("id" = String, Path)),
    responses(
        (status = 201, description = "The copy", body = Data<ScriptView>),
        (status = 404, description = "No such script", body = ProblemBody),
    )
)]
pub(crate) async fn duplicate(
    caller: May<EditScripts>,
    State(app): State<Shared>,
    Path(id): Path<ScriptId>,
) -> Result<(StatusCode, Json<Data<ScriptView>>), Problem> {
    let mut settings = find(&app, &id).await?.settings;
    settings.name = copy_of(&settings.name);
    add(&app, &caller, ScriptId::generate(app.new_id()), &settings).await
}

/// The name of a copy, cut so that it is not too long.
pub(crate) fn copy_of(name: &str) -> String {
    let room = MAX_NAME - COPY.chars().count();
    let mut copy: String = name.chars().take(room).collect();
    copy.push_str(COPY);
    copy
}

/// Delete a script
#[utoipa::path(
    delete, path = "/api/v1/scripts/{id}", tag = "scripts", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Deleted", body = Done),
        (status = 404, description = "No such script", body = ProblemBody),
        (status = 409, description = "A campaign uses it", body = ProblemBody),
    )
)]
pub(crate) async fn delete(
    caller: May<EditScripts>,
    State(app): State<Shared>,
    Path(id): Path<ScriptId>,
) -> Result<Json<Done>, Problem> {
    let store = &app.api.store;
    match store.delete_script(&id, caller.id(), app.now()).await? {
        Removal::Removed => {
            app.changes.tell(Kind::Script, What::Deleted, id);
            Ok(Done::ok())
        }
        Removal::Absent => Err(no_such(&id)),
        Removal::Kept => Err(Problem::conflict(
            "a campaign uses this script: give the campaign another one first",
        )),
    }
}

fn no_such(id: &ScriptId) -> Problem {
    Problem::not_found(format!("there is no script {id}"))
}
