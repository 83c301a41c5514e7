//! Users as the console sends and shows them.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use strowger_core::{
    ids::{AgentProfileId, CampaignId, SiteId, UserGroupId, UserId},
    permission::Role,
    time::Timestamp,
};
use strowger_store::users::Person;

use super::{Console, ConsoleError, role_name, role_named};
use crate::{
    auth::new_token,
    guard::{ManageUsers, Peer, WorkAsAgent},
    input::{Body, Path},
    problem::Problem,
    routes::{
        login::{Client, cookie, open},
        password::replace,
        users::{
            Becomes, Changes, MAX_AT_ONCE, NewUser, add, change_one, default_profile, delete_one,
            full, save_picture,
        },
    },
    state::{App, Shared},
};

/// A user, without anything secret.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserWire {
    id: UserId,
    login_id: String,
    first_name: String,
    last_name: String,
    email: Option<String>,
    role: &'static str,
    is_active: bool,
    site_id: Option<SiteId>,
    agent_profile_id: Option<AgentProfileId>,
    created_at: String,
    updated_at: String,
    mobile_number: Option<String>,
    use_mobile_as_station: bool,
    profile_picture_url: Option<String>,
    planning_enabled: bool,
    campaign_ids: Vec<CampaignId>,
    group_ids: Vec<UserGroupId>,
}

/// A moment with milliseconds, as JavaScript writes it.
fn iso(at: Timestamp) -> String {
    format!("{at:.3}")
}

impl UserWire {
    /// A user with their picture.
    pub(crate) fn new(person: Person, picture: Option<String>) -> Self {
        let (user, profile) = (person.user, person.profile);
        Self {
            id: user.id,
            login_id: user.login_id,
            first_name: user.first_name,
            last_name: user.last_name,
            email: user.email,
            role: role_name(user.role),
            is_active: user.is_active,
            site_id: profile.site,
            agent_profile_id: profile.agent_profile,
            created_at: iso(person.created_at),
            updated_at: iso(person.updated_at),
            mobile_number: profile.mobile_number,
            use_mobile_as_station: profile.use_mobile_as_station,
            profile_picture_url: picture,
            planning_enabled: profile.planning_enabled,
            campaign_ids: profile.campaigns,
            group_ids: profile.groups,
        }
    }
}

/// A user as the console shows them.
pub(crate) async fn wire(app: &App, id: &UserId) -> Result<UserWire, Problem> {
    let (person, picture) = full(app, id).await?;
    Ok(UserWire::new(person, picture))
}

/// A text that the console leaves empty when there is none.
fn filled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.trim().is_empty()))
}

/// What the console sends of a user: the whole user as it has them, with much that is not changed
/// by it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Draft {
    #[serde(default, deserialize_with = "filled")]
    id: Option<String>,
    login_id: String,
    #[serde(default)]
    password: Option<SecretString>,
    #[serde(default, deserialize_with = "filled")]
    first_name: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    last_name: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    email: Option<String>,
    role: String,
    #[serde(default)]
    is_active: Option<bool>,
    #[serde(default, deserialize_with = "filled")]
    site_id: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    agent_profile_id: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    mobile_number: Option<String>,
    #[serde(default)]
    use_mobile_as_station: Option<bool>,
    #[serde(default, deserialize_with = "filled")]
    profile_picture_url: Option<String>,
    #[serde(default)]
    planning_enabled: Option<bool>,
    #[serde(default)]
    group_ids: Option<Vec<UserGroupId>>,
    #[serde(default)]
    campaign_ids: Option<Vec<CampaignId>>,
}

fn id<T: TryFrom<String>>(field: &str, text: Option<String>) -> Result<Option<T>, Problem>
where
    T::Error: ToString,
{
    text.map(T::try_from)
        .transpose()
        .map_err(|error| Problem::field(field, error.to_string()))
}

impl Draft {
    fn role(&self) -> Result<Role, Problem> {
        role_named(&self.role).ok_or_else(|| {
            Problem::field(
                "role",
                "est Agent, Superviseur, Administrateur ou SuperAdmin",
            )
        })
    }

    fn password(&mut self) -> Option<SecretString> {
        let password = self.password.take();
        password.filter(|password| !password.expose_secret().is_empty())
    }

    fn new_user(mut self) -> Result<NewUser, Problem> {
        let role = self.role()?;
        let password = match self.password() {
            Some(password) => password,
            // Nobody knows it: the user gets one from an administrator before the first login.
            None => new_token()?.into(),
        };
        Ok(NewUser {
            id: id("id", self.id)?,
            login_id: self.login_id,
            password,
            first_name: self.first_name.unwrap_or_default(),
            last_name: self.last_name.unwrap_or_default(),
            email: self.email,
            role,
            is_active: self.is_active.unwrap_or(true),
            site_id: id("siteId", self.site_id)?,
            agent_profile_id: id("agentProfileId", self.agent_profile_id)?.or_else(default_profile),
            mobile_number: self.mobile_number,
            use_mobile_as_station: self.use_mobile_as_station.unwrap_or_default(),
            planning_enabled: self.planning_enabled.unwrap_or_default(),
            group_ids: self.group_ids.unwrap_or_default(),
            campaign_ids: self.campaign_ids.unwrap_or_default(),
            profile_picture_url: self.profile_picture_url,
        })
    }

    fn changes(mut self) -> Result<Changes, Problem> {
        let role = self.role()?;
        Ok(Changes {
            password: self.password(),
            login_id: Some(self.login_id),
            first_name: Some(self.first_name.unwrap_or_default()),
            last_name: Some(self.last_name.unwrap_or_default()),
            email: Becomes::New(self.email),
            role: Some(role),
            is_active: self.is_active,
            site_id: Becomes::New(id("siteId", self.site_id)?),
            agent_profile_id: Becomes::New(id("agentProfileId", self.agent_profile_id)?),
            mobile_number: Becomes::New(self.mobile_number),
            use_mobile_as_station: self.use_mobile_as_station,
            planning_enabled: self.planning_enabled,
            group_ids: self.group_ids,
            campaign_ids: self.campaign_ids,
            // Pictures have a route of their own; one that is sent along is the one before.
            profile_picture_url: Becomes::Stays,
        })
    }
}

/// The sentences that the console's people know for names that are in use.
fn taken(problem: Problem) -> ConsoleError {
    if problem.status() != StatusCode::CONFLICT {
        return problem.into();
    }
    let said = match problem.detail() {
        text if text.contains("e-mail") => "L'adresse email est déjà utilisée.",
        text if text.contains("login id") || text.contains("this id") => {
            "L'identifiant/extension existe déjà."
        }
        _ => return problem.into(),
    };
    ConsoleError::Said(StatusCode::INTERNAL_SERVER_ERROR, said.to_owned())
}

/// `POST /api/users`.
pub(super) async fn create(
    Console(caller): Console<ManageUsers>,
    State(app): State<Shared>,
    body: Result<Body<Draft>, Problem>,
) -> Result<Response, ConsoleError> {
    let Body(draft) = body?;
    let added = add(&app, &caller.user, vec![draft.new_user()?]).await;
    let ids = added.map_err(taken)?;
    let id = ids.first().ok_or_else(Problem::internal)?;
    Ok((StatusCode::CREATED, Json(wire(&app, id).await?)).into_response())
}

/// Users to be added.
#[derive(Debug, Deserialize)]
pub(super) struct Many {
    users: Vec<Draft>,
}

/// `POST /api/users/bulk`: groups and campaigns are given later.
pub(super) async fn create_many(
    Console(caller): Console<ManageUsers>,
    State(app): State<Shared>,
    body: Result<Body<Many>, Problem>,
) -> Result<Response, ConsoleError> {
    let Body(many) = body?;
    if !(1..=MAX_AT_ONCE).contains(&many.users.len()) {
        let problem = Problem::field("users", "1 à 1000 utilisateurs à la fois");
        return Err(problem.into());
    }
    let new = many.users.into_iter().map(|mut draft| {
        draft.group_ids = None;
        draft.campaign_ids = None;
        draft.new_user()
    });
    let new = new.collect::<Result<Vec<_>, Problem>>()?;
    add(&app, &caller.user, new).await.map_err(taken)?;
    Ok((StatusCode::CREATED, Json(json!({"success": true}))).into_response())
}

/// `PUT /api/users/:id`.
pub(super) async fn change(
    Console(caller): Console<ManageUsers>,
    State(app): State<Shared>,
    path: Result<Path<UserId>, Problem>,
    body: Result<Body<Draft>, Problem>,
) -> Result<Response, ConsoleError> {
    let (Path(id), Body(draft)) = (path?, body?);
    change_one(&app, &caller.user, &id, draft.changes()?)
        .await
        .map_err(taken)?;
    Ok(Json(wire(&app, &id).await?).into_response())
}

/// `DELETE /api/users/:id`.
pub(super) async fn remove(
    Console(caller): Console<ManageUsers>,
    State(app): State<Shared>,
    path: Result<Path<UserId>, Problem>,
) -> Result<Response, ConsoleError> {
    let Path(id) = path?;
    match delete_one(&app, &caller.user, &id).await {
        Err(problem) if problem.status() == StatusCode::CONFLICT => Err(ConsoleError::Said(
            StatusCode::BAD_REQUEST,
            "Impossible de supprimer un utilisateur actif. Désactivez-le d'abord.".to_owned(),
        )),
        other => {
            other?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
    }
}

/// A new password, and the one before.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Passwords {
    current_password: SecretString,
    new_password: SecretString,
}

/// `PUT /api/users/me/password`. Every login ends, as with any change of a password. The answer
/// holds the cookie of a new one: the console, which is refused with its old token, refreshes and
/// goes on.
pub(super) async fn set_password(
    Console(caller): Console<WorkAsAgent>,
    State(app): State<Shared>,
    peer: Peer,
    client: Client,
    body: Result<Body<Passwords>, Problem>,
) -> Result<Response, ConsoleError> {
    let Body(body) = body?;
    caller.login()?;
    let user = replace(
        &app,
        caller.user,
        peer,
        body.current_password,
        body.new_password,
    )
    .await?;
    let opened = open(&app, &user, peer, &client).await?;
    let body = json!({"message": "Mot de passe mis à jour.", "accessToken": opened.token.text});
    Ok((cookie(&app, peer, &opened.refresh), Json(body)).into_response())
}

/// A picture.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Picture {
    picture_url: Option<String>,
}

/// `PUT /api/users/me/picture`.
pub(super) async fn set_picture(
    Console(caller): Console<WorkAsAgent>,
    State(app): State<Shared>,
    body: Result<Body<Picture>, Problem>,
) -> Result<Response, ConsoleError> {
    let Body(body) = body?;
    save_picture(&app, &caller.user, body.picture_url.as_deref()).await?;
    Ok(Json(wire(&app, caller.id()).await?).into_response())
}
