//! People who log in.

use axum::{Json, extract::State, http::StatusCode};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use strowger_core::{ids::UserId, permission::Role};
use strowger_store::users::User;
use utoipa::ToSchema;

use crate::{
    guard::{ManageAgents, May, SetUp},
    input::{Body, Check, Query},
    problem::{Problem, ProblemBody},
    reply::{Data, Page, PageQuery},
    state::Shared,
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
        check.line("first_name", &self.first_name, 0..=100);
        check.line("last_name", &self.last_name, 0..=100);
        if let Some(email) = &self.email {
            check.line("email", email, 3..=254);
            if !email.contains('@') || email.contains(char::is_whitespace) {
                check.wrong("email", "is not an e-mail address");
            }
        }
        check.done()
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
    app.api.store.create_user(&user).await?;
    Ok((StatusCode::CREATED, Data::of(UserView::from(user))))
}
