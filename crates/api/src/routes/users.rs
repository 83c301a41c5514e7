//! People who log in.

mod save;

use axum::{Json, extract::State, http::StatusCode};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use strowger_core::{
    ids::{AgentProfileId, CampaignId, SiteId, UserGroupId, UserId},
    permission::Role,
    time::Timestamp,
};
use strowger_store::{agent_profiles::DEFAULT_PROFILE, users::Person};
use utoipa::ToSchema;

use crate::{
    guard::{ManageAgents, ManageUsers, May, WorkAsAgent},
    input::{Body, Path, Query},
    problem::{Problem, ProblemBody},
    reply::{Data, Done, Page, PageQuery},
    state::{App, Shared},
};

pub(crate) use save::{MAX_AT_ONCE, add, change_one, delete_one, leave_station, save_picture};

/// A user, without anything secret.
#[derive(Debug, Serialize, ToSchema)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own on the wire"
)]
pub(crate) struct UserView {
    /// Their id.
    #[schema(value_type = String, example = "usr_1")]
    id: UserId,
    /// What they type to log in.
    login_id: String,
    /// First name.
    first_name: String,
    /// Last name.
    last_name: String,
    /// First and last name, or the login id when both are empty.
    name: String,
    /// E-mail address.
    email: Option<String>,
    /// Role.
    #[schema(value_type = String, example = "agent")]
    role: Role,
    /// May log in.
    is_active: bool,
    /// Where they work.
    #[schema(value_type = Option<String>)]
    site_id: Option<SiteId>,
    /// Which call controls they have.
    #[schema(value_type = Option<String>)]
    agent_profile_id: Option<AgentProfileId>,
    /// Their mobile number.
    mobile_number: Option<String>,
    /// Calls are offered to the mobile number.
    use_mobile_as_station: bool,
    /// Shifts are planned for them.
    planning_enabled: bool,
    /// The groups that they are in.
    #[schema(value_type = Vec<String>)]
    group_ids: Vec<UserGroupId>,
    /// The campaigns that they work for.
    #[schema(value_type = Vec<String>)]
    campaign_ids: Vec<CampaignId>,
    /// A code is asked for when they log in.
    has_mfa: bool,
    /// There is a picture.
    has_profile_picture: bool,
    /// The picture as `data:` URL; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile_picture_url: Option<String>,
    /// When they were added.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When they were changed last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<Person> for UserView {
    fn from(person: Person) -> Self {
        let (user, profile) = (person.user, person.profile);
        Self {
            name: user.display_name(),
            id: user.id,
            login_id: user.login_id,
            first_name: user.first_name,
            last_name: user.last_name,
            email: user.email,
            role: user.role,
            is_active: user.is_active,
            site_id: profile.site,
            agent_profile_id: profile.agent_profile,
            mobile_number: profile.mobile_number,
            use_mobile_as_station: profile.use_mobile_as_station,
            planning_enabled: profile.planning_enabled,
            group_ids: profile.groups,
            campaign_ids: profile.campaigns,
            has_mfa: person.has_mfa,
            has_profile_picture: person.has_picture,
            profile_picture_url: None,
            created_at: person.created_at,
            updated_at: person.updated_at,
        }
    }
}

/// A user with their picture.
pub(crate) async fn view(app: &App, id: &UserId) -> Result<UserView, Problem> {
    let (person, picture) = full(app, id).await?;
    Ok(UserView {
        profile_picture_url: picture,
        ..UserView::from(person)
    })
}

/// All that is known of a user, and their picture.
pub(crate) async fn full(app: &App, id: &UserId) -> Result<(Person, Option<String>), Problem> {
    let person = app.api.store.person(id).await?;
    let person = person.ok_or_else(|| no_such(id))?;
    let picture = if person.has_picture {
        let pictures = app.api.store.pictures(std::slice::from_ref(id)).await?;
        pictures.into_values().next()
    } else {
        None
    };
    Ok((person, picture))
}

/// A user to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    /// Chosen by Strowger when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(crate) id: Option<UserId>,
    /// What they type to log in: 1 to 64 letters, digits, `.`, `_`, `-` or `@`.
    #[schema(example = "ada")]
    pub(crate) login_id: String,
    /// At least 8 characters, unless configured otherwise; not one that everybody tries first.
    #[schema(value_type = String, format = Password, min_length = 8)]
    pub(crate) password: SecretString,
    /// First name.
    #[serde(default)]
    pub(crate) first_name: String,
    /// Last name.
    #[serde(default)]
    pub(crate) last_name: String,
    /// E-mail address.
    #[serde(default)]
    pub(crate) email: Option<String>,
    /// agent, supervisor, administrator or super-administrator; not above one's own.
    #[schema(value_type = String, example = "agent")]
    pub(crate) role: Role,
    /// May log in.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub(crate) is_active: bool,
    /// Where they work.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(crate) site_id: Option<SiteId>,
    /// Which call controls they have; the default profile when absent.
    #[serde(default = "default_profile")]
    #[schema(value_type = Option<String>)]
    pub(crate) agent_profile_id: Option<AgentProfileId>,
    /// Their mobile number.
    #[serde(default)]
    pub(crate) mobile_number: Option<String>,
    /// Calls are offered to the mobile number.
    #[serde(default)]
    pub(crate) use_mobile_as_station: bool,
    /// Shifts are planned for them.
    #[serde(default)]
    pub(crate) planning_enabled: bool,
    /// The groups that they are in.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub(crate) group_ids: Vec<UserGroupId>,
    /// The campaigns that they work for.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub(crate) campaign_ids: Vec<CampaignId>,
    /// A picture as `data:image/…;base64,…`: PNG, JPEG, GIF or WebP of at most 2 MB.
    #[serde(default)]
    pub(crate) profile_picture_url: Option<String>,
}

const fn yes() -> bool {
    true
}

/// The profile of whoever is given no other.
pub(crate) fn default_profile() -> Option<AgentProfileId> {
    AgentProfileId::new(DEFAULT_PROFILE).ok()
}

/// What is to change about a user; what is absent stays as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Changes {
    /// What they type to log in.
    #[serde(default)]
    pub(crate) login_id: Option<String>,
    /// First name.
    #[serde(default)]
    pub(crate) first_name: Option<String>,
    /// Last name.
    #[serde(default)]
    pub(crate) last_name: Option<String>,
    /// E-mail address; null removes it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(crate) email: Becomes<String>,
    /// Role; not above one's own.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "agent")]
    pub(crate) role: Option<Role>,
    /// May log in.
    #[serde(default)]
    pub(crate) is_active: Option<bool>,
    /// A new password; one's own is changed with PUT /api/v1/users/me/password.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password, min_length = 8)]
    pub(crate) password: Option<SecretString>,
    /// Where they work; null for nowhere in particular.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(crate) site_id: Becomes<SiteId>,
    /// Which call controls they have; null for none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(crate) agent_profile_id: Becomes<AgentProfileId>,
    /// Their mobile number; null removes it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(crate) mobile_number: Becomes<String>,
    /// Calls are offered to the mobile number.
    #[serde(default)]
    pub(crate) use_mobile_as_station: Option<bool>,
    /// Shifts are planned for them.
    #[serde(default)]
    pub(crate) planning_enabled: Option<bool>,
    /// All the groups that they are in.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    pub(crate) group_ids: Option<Vec<UserGroupId>>,
    /// All the campaigns that they work for.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    pub(crate) campaign_ids: Option<Vec<CampaignId>>,
    /// A picture as `data:image/…;base64,…`; null removes it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(crate) profile_picture_url: Becomes<String>,
}

/// What becomes of a value that may be removed: absent and null are not the same.
#[derive(Debug, Deserialize)]
#[serde(from = "Option<T>")]
pub(crate) enum Becomes<T> {
    /// It was not named.
    Stays,
    /// This, or nothing.
    New(Option<T>),
}

#[expect(
    clippy::derivable_impls,
    reason = "the derive would ask for T: Default"
)]
impl<T> Default for Becomes<T> {
    fn default() -> Self {
        Self::Stays
    }
}

impl<T> From<Option<T>> for Becomes<T> {
    fn from(value: Option<T>) -> Self {
        Self::New(value)
    }
}

impl<T> Becomes<T> {
    /// What to store, if anything.
    #[expect(
        clippy::option_option,
        reason = "the outer says whether it changes, the inner what it becomes"
    )]
    pub(crate) fn named(self) -> Option<Option<T>> {
        match self {
            Self::Stays => None,
            Self::New(value) => Some(value),
        }
    }
}

/// List users
#[utoipa::path(
    get, path = "/api/v1/users", tag = "users", params(PageQuery),
    responses((status = 200, description = "Users in the order of their ids, without pictures", body = Page<UserView>))
)]
pub(crate) async fn list(
    _caller: May<ManageAgents>,
    State(app): State<Shared>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<UserView>>, Problem> {
    let limit = page.limit()?;
    let users = app
        .api
        .store
        .persons(page.after::<UserId>()?.as_ref(), limit + 1)
        .await?;
    Ok(Page::cut(
        users,
        limit,
        |person| person.user.id.to_string(),
        UserView::from,
    ))
}

/// One user
#[utoipa::path(
    get, path = "/api/v1/users/{id}", tag = "users", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The user, with their picture", body = Data<UserView>),
        (status = 404, description = "No such user", body = ProblemBody),
    )
)]
pub(crate) async fn show(
    _caller: May<ManageAgents>,
    State(app): State<Shared>,
    Path(id): Path<UserId>,
) -> Result<Json<Data<UserView>>, Problem> {
    Ok(Data::of(view(&app, &id).await?))
}

/// Add a user
#[utoipa::path(
    post, path = "/api/v1/users", tag = "users", request_body = NewUser,
    responses(
        (status = 201, description = "Added", body = Data<UserView>),
        (status = 403, description = "The role is above one's own", body = ProblemBody),
        (status = 409, description = "The id, login id or e-mail address is in use", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn create(
    caller: May<ManageUsers>,
    State(app): State<Shared>,
    Body(new): Body<NewUser>,
) -> Result<(StatusCode, Json<Data<UserView>>), Problem> {
    let added = add(&app, &caller.user, vec![new]).await?;
    let id = added.first().ok_or_else(Problem::internal)?;
    Ok((StatusCode::CREATED, Data::of(view(&app, id).await?)))
}

/// Users to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ManyUsers {
    /// 1 to 1,000 users.
    users: Vec<NewUser>,
}

/// The users that were added.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AddedView {
    /// Their ids, in the order of the request.
    #[schema(value_type = Vec<String>)]
    ids: Vec<UserId>,
}

/// Add many users
///
/// All or none: what is wrong with any of them is told with its place, such as `users[3].login_id`,
/// and nobody is added then.
#[utoipa::path(
    post, path = "/api/v1/users/bulk", tag = "users", request_body = ManyUsers,
    responses(
        (status = 201, description = "All added", body = Data<AddedView>),
        (status = 403, description = "A role is above one's own", body = ProblemBody),
        (status = 409, description = "Somebody was added meanwhile", body = ProblemBody),
        (status = 422, description = "Not valid, or an id, login id or e-mail address is in use", body = ProblemBody),
    )
)]
pub(crate) async fn create_many(
    caller: May<ManageUsers>,
    State(app): State<Shared>,
    Body(many): Body<ManyUsers>,
) -> Result<(StatusCode, Json<Data<AddedView>>), Problem> {
    if !(1..=MAX_AT_ONCE).contains(&many.users.len()) {
        return Err(Problem::field(
            "users",
            format!("give 1 to {MAX_AT_ONCE} users at once"),
        ));
    }
    let ids = add(&app, &caller.user, many.users).await?;
    Ok((StatusCode::CREATED, Data::of(AddedView { ids })))
}

/// Change a user
///
/// Changes what is named. Who is deactivated or gets a new password is logged out at once: tokens
/// from before are refused, live connections closed; when deactivated, the session at a station
/// ends too, after the call if there is one. The last active super-administrator stays that, and
/// nobody changes their own role or deactivates themselves.
#[utoipa::path(
    patch, path = "/api/v1/users/{id}", tag = "users", params(("id" = String, Path)), request_body = Changes,
    responses(
        (status = 200, description = "Changed", body = Data<UserView>),
        (status = 403, description = "The role, of now or then, is above one's own, or it is one's own", body = ProblemBody),
        (status = 404, description = "No such user", body = ProblemBody),
        (status = 409, description = "The login id or e-mail address is in use, or nobody would be left", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn change(
    caller: May<ManageUsers>,
    State(app): State<Shared>,
    Path(id): Path<UserId>,
    Body(changes): Body<Changes>,
) -> Result<Json<Data<UserView>>, Problem> {
    change_one(&app, &caller.user, &id, changes).await?;
    Ok(Data::of(view(&app, &id).await?))
}

/// Delete a user
///
/// One who may not log in any more: deactivate them first. What they did stays recorded.
#[utoipa::path(
    delete, path = "/api/v1/users/{id}", tag = "users", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Deleted", body = Done),
        (status = 403, description = "The role is above one's own, or it is oneself", body = ProblemBody),
        (status = 404, description = "No such user", body = ProblemBody),
        (status = 409, description = "Still active, or at a station", body = ProblemBody),
    )
)]
pub(crate) async fn delete(
    caller: May<ManageUsers>,
    State(app): State<Shared>,
    Path(id): Path<UserId>,
) -> Result<Json<Done>, Problem> {
    delete_one(&app, &caller.user, &id).await?;
    Ok(Done::ok())
}

/// A picture, or none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPicture {
    /// `data:image/…;base64,…`: PNG, JPEG, GIF or WebP of at most 2 MB; null removes it.
    picture_url: Option<String>,
}

/// Change one's own picture
#[utoipa::path(
    put, path = "/api/v1/users/me/picture", tag = "users", request_body = NewPicture,
    responses(
        (status = 200, description = "Changed", body = Data<UserView>),
        (status = 413, description = "Larger than 2 MB", body = ProblemBody),
        (status = 422, description = "Not a picture", body = ProblemBody),
    )
)]
pub(crate) async fn set_picture(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Body(new): Body<NewPicture>,
) -> Result<Json<Data<UserView>>, Problem> {
    save_picture(&app, &caller.user, new.picture_url.as_deref()).await?;
    Ok(Data::of(view(&app, caller.id()).await?))
}

pub(crate) fn no_such(id: &UserId) -> Problem {
    Problem::not_found(format!("there is no user {id}"))
}
