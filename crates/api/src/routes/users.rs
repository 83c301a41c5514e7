//! People who log in.

use axum::{Json, extract::State, http::StatusCode};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use strowger_core::{ids::UserId, permission::Role, switchboard::Command};
use strowger_store::users::{User, UserChange, UserChanged};
use utoipa::ToSchema;

use crate::{
    exchange::ExchangeError,
    guard::{ManageAgents, May, SetUp},
    input::{Body, Check, Path, Query},
    problem::{Problem, ProblemBody},
    reply::{Data, Page, PageQuery},
    state::{App, Shared},
};

/// A user, without anything secret.
#[derive(Debug, Serialize, ToSchema)]
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
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            name: user.display_name(),
            id: user.id,
            login_id: user.login_id,
            first_name: user.first_name,
            last_name: user.last_name,
            email: user.email,
            role: user.role,
            is_active: user.is_active,
        }
    }
}

/// A user to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    /// Chosen by Strowger when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    id: Option<UserId>,
    /// What they type to log in: 1 to 64 letters, digits, `.`, `_`, `-` or `@`.
    #[schema(example = "ada")]
    login_id: String,
    /// At least 10 characters.
    #[schema(value_type = String, format = Password, min_length = 10)]
    password: SecretString,
    /// First name.
    #[serde(default)]
    first_name: String,
    /// Last name.
    #[serde(default)]
    last_name: String,
    /// E-mail address.
    #[serde(default)]
    email: Option<String>,
    /// agent, supervisor, administrator or super-administrator; not above one's own.
    #[schema(value_type = String, example = "agent")]
    role: Role,
}

impl NewUser {
    fn check(&self) -> Result<(), Problem> {
        let mut check = Check::default();
        check.name("login_id", &self.login_id, 64, "._-@");
        person(
            &mut check,
            Some(&self.first_name),
            Some(&self.last_name),
            self.email.as_deref(),
        );
        check.done()
    }
}

fn person(check: &mut Check, first: Option<&str>, last: Option<&str>, email: Option<&str>) {
    for (field, name) in [("first_name", first), ("last_name", last)] {
        check.line(field, name.unwrap_or_default(), 0..=100);
    }
    if let Some(email) = email {
        check.line("email", email, 3..=254);
        if !email.contains('@') || email.contains(char::is_whitespace) {
            check.wrong("email", "is not an e-mail address");
        }
    }
}

/// What is to change about a user; what is absent stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Changes {
    /// First name.
    #[serde(default)]
    first_name: Option<String>,
    /// Last name.
    #[serde(default)]
    last_name: Option<String>,
    /// E-mail address; null removes it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    email: Email,
    /// Role; not above one's own.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "agent")]
    role: Option<Role>,
    /// May log in.
    #[serde(default)]
    is_active: Option<bool>,
    /// A new password of at least 10 characters; one's own is changed with PUT /api/v1/users/me/password.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password, min_length = 10)]
    password: Option<SecretString>,
}

/// What becomes of an e-mail address: absent and null are not the same.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "Option<String>")]
enum Email {
    #[default]
    Stays,
    Becomes(Option<String>),
}

impl From<Option<String>> for Email {
    fn from(email: Option<String>) -> Self {
        Self::Becomes(email)
    }
}

/// List users
#[utoipa::path(
    get, path = "/api/v1/users", tag = "users", params(PageQuery),
    responses((status = 200, description = "Users in the order of their ids", body = Page<UserView>))
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
        .users(page.after::<UserId>()?.as_ref(), limit + 1)
        .await?;
    Ok(Page::cut(
        users,
        limit,
        |user| user.id.to_string(),
        UserView::from,
    ))
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
    caller: May<SetUp>,
    State(app): State<Shared>,
    Body(new): Body<NewUser>,
) -> Result<(StatusCode, Json<Data<UserView>>), Problem> {
    if new.role > caller.user.role {
        return Err(Problem::forbidden(format!(
            "you are {} and cannot add a user who is {}: ask somebody with that role",
            caller.user.role, new.role
        )));
    }
    new.check()?;
    let user = User {
        id: new.id.unwrap_or_else(|| UserId::generate(app.new_id())),
        login_id: new.login_id,
        first_name: new.first_name.trim().to_owned(),
        last_name: new.last_name.trim().to_owned(),
        email: new.email,
        role: new.role,
        is_active: true,
        password_hash: app.api.auth.hash(new.password).await?,
    };
    caller.store(&app).create_user(&user).await?;
    Ok((StatusCode::CREATED, Data::of(UserView::from(user))))
}

/// Change a user
///
/// Changes what is named. Who is deactivated or gets a new password is logged out at once: tokens
/// from before are refused, live connections closed; when deactivated, the session at a station
/// ends too, after the call if there is one. The last active super-administrator stays that.
#[utoipa::path(
    patch, path = "/api/v1/users/{id}", tag = "users", params(("id" = String, Path)), request_body = Changes,
    responses(
        (status = 200, description = "Changed", body = Data<UserView>),
        (status = 403, description = "The role, of now or then, is above one's own", body = ProblemBody),
        (status = 404, description = "No such user", body = ProblemBody),
        (status = 409, description = "The e-mail address is in use, or nobody would be left", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn change(
    caller: May<SetUp>,
    State(app): State<Shared>,
    Path(id): Path<UserId>,
    Body(changes): Body<Changes>,
) -> Result<Json<Data<UserView>>, Problem> {
    let own_role = caller.user.role;
    let above = |role: Role| {
        Problem::forbidden(format!(
            "you are {own_role} and cannot change or make a user who is {role}: ask somebody with that role"
        ))
    };
    if let Some(role) = changes.role.filter(|role| *role > own_role) {
        return Err(above(role));
    }
    let mut check = Check::default();
    let email = match changes.email {
        Email::Stays => None,
        Email::Becomes(email) => Some(email),
    };
    person(
        &mut check,
        changes.first_name.as_deref(),
        changes.last_name.as_deref(),
        email.as_ref().and_then(Option::as_deref),
    );
    if changes.password.is_some() && id == *caller.id() {
        check.wrong(
            "password",
            "change your own with PUT /api/v1/users/me/password",
        );
    }
    check.done()?;
    // Before the work of hashing a password, and again when it is stored.
    let before = app.api.store.user(&id).await?;
    let before = before.ok_or_else(|| no_such(&id))?;
    if before.role > own_role {
        return Err(above(before.role));
    }
    let password_hash = match changes.password {
        Some(password) => Some(app.api.auth.hash(password).await?),
        None => None,
    };
    let trim = |text: String| text.trim().to_owned();
    let change = UserChange {
        first_name: changes.first_name.map(trim),
        last_name: changes.last_name.map(trim),
        email,
        role: changes.role,
        is_active: changes.is_active,
        password_hash,
    };
    match caller
        .store(&app)
        .change_user(&id, &change, own_role)
        .await?
    {
        UserChanged::Done(user) => {
            app.user_changed(&id);
            if !user.is_active {
                end_session(&app, &id).await;
            }
            Ok(Data::of(UserView::from(user)))
        }
        UserChanged::Unknown => Err(no_such(&id)),
        UserChanged::Above(role) => Err(above(role)),
        UserChanged::LastSuperAdministrator => Err(Problem::conflict(
            "this is the last active super-administrator: make another one first",
        )),
    }
}

fn no_such(id: &UserId) -> Problem {
    Problem::not_found(format!("there is no user {id}"))
}

/// Who cannot log in any more could not log out of the station either.
async fn end_session(app: &App, id: &UserId) {
    match app.api.exchange.send(Command::LogOut(id.clone())).await {
        Ok(()) | Err(ExchangeError::Refused(_)) => {}
        Err(error) => {
            tracing::warn!(user.id = %id, %error, "A deactivated agent could not be logged out of the station");
        }
    }
}
