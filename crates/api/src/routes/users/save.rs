//! What it takes to add, change or delete users, whoever asks over whichever interface.

use std::collections::HashSet;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use strowger_core::{
    ids::{CampaignId, UserGroupId, UserId},
    permission::Role,
    switchboard::Command,
};
use strowger_store::{
    Error,
    audit::By,
    users::{NewPerson, Profile, User, UserChange, UserChanged, UserDeleted},
};

use super::{Becomes, Changes, NewUser, no_such};
use crate::{
    changes::{Kind, What},
    exchange::ExchangeError,
    input::Check,
    picture::{self, BadPicture},
    problem::Problem,
    state::App,
};

/// Most users that are added at once.
pub(crate) const MAX_AT_ONCE: usize = 1_000;

/// Most groups or campaigns of one user.
const MAX_MEMBERSHIPS: usize = 1_000;

/// Passwords of one request that are hashed at the same time.
const HASHES: usize = 2;

/// What is wrong with what is said of a person; the fields begin with `at`.
struct Person<'a> {
    at: &'a str,
    login_id: Option<&'a str>,
    first_name: Option<&'a str>,
    last_name: Option<&'a str>,
    email: Option<&'a str>,
    mobile_number: Option<&'a str>,
    groups: usize,
    campaigns: usize,
}

impl Person<'_> {
    fn check(&self, check: &mut Check) {
        let field = |name: &str| format!("{}{name}", self.at);
        if let Some(login_id) = self.login_id {
            check.name(&field("login_id"), login_id, 64, "._-@");
        }
        for (name, value) in [
            ("first_name", self.first_name),
            ("last_name", self.last_name),
        ] {
            check.line(&field(name), value.unwrap_or_default(), 0..=100);
        }
        if let Some(email) = self.email {
            check.line(&field("email"), email, 3..=254);
            if !email.contains('@') || email.contains(char::is_whitespace) {
                check.wrong(&field("email"), "is not an e-mail address");
            }
        }
        if let Some(number) = self.mobile_number {
            let legal = |c: char| c.is_ascii_digit() || " .()-".contains(c);
            let digits = number.chars().filter(char::is_ascii_digit).count();
            let rest = number.strip_prefix('+').unwrap_or(number);
            if !(3..=20).contains(&digits) || number.len() > 40 || !rest.chars().all(legal) {
                check.wrong(
                    &field("mobile_number"),
                    "must be a telephone number such as +33612345678",
                );
            }
        }
        for (name, count) in [("group_ids", self.groups), ("campaign_ids", self.campaigns)] {
            check.range(&field(name), &count, &(0..=MAX_MEMBERSHIPS));
        }
    }
}

fn trimmed(text: &str) -> String {
    text.trim().to_owned()
}

/// A picture as it is stored.
fn read_picture(check: &mut Check, at: &str, url: &str) -> Option<String> {
    check.ok(&format!("{at}profile_picture_url"), picture::check(url))
}

/// Adds users, all or none, and tells the campaigns that they work for. The fields of several
/// are named by their place, such as `users[3].login_id`.
pub(crate) async fn add(
    app: &App,
    caller: &User,
    new: Vec<NewUser>,
) -> Result<Vec<UserId>, Problem> {
    let single = new.len() == 1;
    let places: Vec<String> = (0..new.len())
        .map(|place| {
            if single {
                String::new()
            } else {
                format!("users[{place}].")
            }
        })
        .collect();
    if let Some(above) = new.iter().find(|user| user.role > caller.role) {
        return Err(Problem::forbidden(format!(
            "you are {} and cannot add a user who is {} ({}): ask somebody with that role",
            caller.role, above.role, above.login_id
        )));
    }
    let mut check = Check::default();
    let mut pictures = Vec::with_capacity(new.len());
    for (user, at) in new.iter().zip(&places) {
        Person {
            at,
            login_id: Some(&user.login_id),
            first_name: Some(&user.first_name),
            last_name: Some(&user.last_name),
            email: user.email.as_deref(),
            mobile_number: user.mobile_number.as_deref(),
            groups: user.group_ids.len(),
            campaigns: user.campaign_ids.len(),
        }
        .check(&mut check);
        if let Err(error) = app.api.auth.check_password(&user.login_id, &user.password) {
            check.wrong(&format!("{at}password"), error.to_string());
        }
        let url = user.profile_picture_url.as_deref();
        pictures.push(url.and_then(|url| read_picture(&mut check, at, url)));
    }
    if !single {
        find_taken(app, &mut check, &new, &places).await?;
    }
    check.done()?;

    let drafts = new
        .into_iter()
        .zip(pictures)
        .map(|(user, picture)| async move {
            let password_hash = app
                .api
                .auth
                .hash(&user.login_id, user.password.clone())
                .await?;
            Ok::<_, Problem>(person(app, user, picture, password_hash))
        });
    let people: Vec<NewPerson> = stream::iter(drafts).buffered(HASHES).try_collect().await?;
    let ids: Vec<UserId> = people.iter().map(|new| new.user.id.clone()).collect();
    let by = By {
        actor: Some(&caller.id),
        now: app.now(),
    };
    match app.api.store.add_users(&people, by).await {
        Ok(campaigns) => {
            if let [person] = people.as_slice() {
                let id = person.user.id.as_str();
                app.changes.tell(Kind::User, What::Created, id);
                tell_groups(app, &[], &person.profile.groups);
            } else {
                app.changes.tell(Kind::Users, What::Created, "");
            }
            tell_campaigns(app, campaigns).await?;
            Ok(ids)
        }
        Err((_, error)) if single => Err(error.into()),
        Err((place, error @ (Error::Taken { .. } | Error::Missing { .. }))) => Err(Problem::field(
            &format!("users[{place}]"),
            format!("{error}; nobody was added"),
        )),
        Err((_, error)) => Err(error.into()),
    }
}

fn person(app: &App, user: NewUser, picture: Option<String>, password_hash: String) -> NewPerson {
    NewPerson {
        user: User {
            id: user.id.unwrap_or_else(|| UserId::generate(app.new_id())),
            first_name: trimmed(&user.first_name),
            last_name: trimmed(&user.last_name),
            login_id: user.login_id,
            email: user.email,
            role: user.role,
            is_active: user.is_active,
            password_hash,
        },
        profile: Profile {
            site: user.site_id,
            agent_profile: user.agent_profile_id,
            mobile_number: user.mobile_number,
            use_mobile_as_station: user.use_mobile_as_station,
            planning_enabled: user.planning_enabled,
            groups: user.group_ids,
            campaigns: user.campaign_ids,
        },
        picture,
    }
}

/// Notes every name that somebody has already, or that is there twice.
async fn find_taken(
    app: &App,
    check: &mut Check,
    new: &[NewUser],
    places: &[String],
) -> Result<(), Problem> {
    let names = |user: &NewUser| {
        [
            ("id", user.id.as_ref().map(ToString::to_string)),
            ("login_id", Some(user.login_id.clone())),
            ("email", user.email.clone()),
        ]
        .into_iter()
        .filter_map(|(field, name)| name.map(|name| (field, name)))
        // PostgreSQL has no NUL in texts; such a name was found wrong before.
        .filter(|(_, name)| !name.contains('\0'))
    };
    let all: Vec<String> = new.iter().flat_map(names).map(|(_, name)| name).collect();
    let taken = app.api.store.taken_names(&all).await?;
    let mut seen = HashSet::new();
    for (user, at) in new.iter().zip(places) {
        for (field, name) in names(user) {
            if taken.contains(&name) {
                check.wrong(&format!("{at}{field}"), "is in use: choose another");
            } else if !seen.insert((field, name)) {
                check.wrong(
                    &format!("{at}{field}"),
                    "is given to another user of this request",
                );
            }
        }
    }
    Ok(())
}

/// Changes a user.
pub(crate) async fn change_one(
    app: &App,
    caller: &User,
    id: &UserId,
    changes: Changes,
) -> Result<(), Problem> {
    let above = |role: Role| {
        Problem::forbidden(format!(
            "you are {} and cannot change or make a user who is {role}: ask somebody with that role",
            caller.role
        ))
    };
    if let Some(role) = changes.role.filter(|role| *role > caller.role) {
        return Err(above(role));
    }
    let is_self = *id == caller.id;
    if is_self
        && (changes.role.is_some_and(|role| role != caller.role)
            || changes.is_active == Some(false))
    {
        return Err(Problem::forbidden(
            "nobody changes their own role or deactivates themselves: ask somebody else",
        ));
    }
    // Before the work of hashing a password, and again when it is stored.
    let before = app.api.store.user(id).await?.ok_or_else(|| no_such(id))?;
    if before.role > caller.role {
        return Err(above(before.role));
    }
    let change = read_changes(app, &before, changes, is_self).await?;
    let groups = match &change.groups {
        Some(_) => groups_of(app, id).await?,
        None => Vec::new(),
    };
    let by = By {
        actor: Some(&caller.id),
        now: app.now(),
    };
    match app
        .api
        .store
        .change_user(id, &change, caller.role, by)
        .await?
    {
        UserChanged::Done(done) => {
            app.logins_ended(id, &done.ended, done.cause);
            app.user_changed(id);
            app.changes.tell(Kind::User, What::Updated, id.as_str());
            tell_groups(app, &groups, change.groups.as_deref().unwrap_or_default());
            if !done.user.is_active {
                leave_station(app, id).await;
            }
            tell_campaigns(app, done.campaigns).await
        }
        UserChanged::Unknown => Err(no_such(id)),
        UserChanged::Above(role) => Err(above(role)),
        UserChanged::LastSuperAdministrator => Err(Problem::conflict(
            "this is the last active super-administrator: make another one first",
        )),
    }
}

async fn read_changes(
    app: &App,
    before: &User,
    changes: Changes,
    is_self: bool,
) -> Result<UserChange, Problem> {
    fn text(value: &Becomes<String>) -> Option<&str> {
        match value {
            Becomes::New(Some(text)) => Some(text),
            Becomes::New(None) | Becomes::Stays => None,
        }
    }
    let mut check = Check::default();
    Person {
        at: "",
        login_id: changes.login_id.as_deref(),
        first_name: changes.first_name.as_deref(),
        last_name: changes.last_name.as_deref(),
        email: text(&changes.email),
        mobile_number: text(&changes.mobile_number),
        groups: changes.group_ids.as_ref().map_or(0, Vec::len),
        campaigns: changes.campaign_ids.as_ref().map_or(0, Vec::len),
    }
    .check(&mut check);
    let login_id = changes.login_id.as_deref().unwrap_or(&before.login_id);
    if let Some(password) = &changes.password {
        if is_self {
            check.wrong(
                "password",
                "change your own with PUT /api/v1/users/me/password",
            );
        } else if let Err(error) = app.api.auth.check_password(login_id, password) {
            check.wrong("password", error.to_string());
        }
    }
    let picture = match changes.profile_picture_url {
        Becomes::New(Some(url)) => read_picture(&mut check, "", &url).map(Some),
        Becomes::New(None) => Some(None),
        Becomes::Stays => None,
    };
    check.done()?;
    let password_hash = match changes.password {
        Some(password) => Some(app.api.auth.hash(login_id, password).await?),
        None => None,
    };
    Ok(UserChange {
        first_name: changes.first_name.as_deref().map(trimmed),
        last_name: changes.last_name.as_deref().map(trimmed),
        login_id: changes.login_id,
        email: changes.email.named(),
        role: changes.role,
        is_active: changes.is_active,
        password_hash,
        site: changes.site_id.named(),
        agent_profile: changes.agent_profile_id.named(),
        mobile_number: changes.mobile_number.named(),
        use_mobile_as_station: changes.use_mobile_as_station,
        planning_enabled: changes.planning_enabled,
        groups: changes.group_ids,
        campaigns: changes.campaign_ids,
        picture,
    })
}

/// Deletes a user who is not active.
pub(crate) async fn delete_one(app: &App, caller: &User, id: &UserId) -> Result<(), Problem> {
    if *id == caller.id {
        return Err(Problem::forbidden(
            "nobody deletes themselves: ask somebody else",
        ));
    }
    let by = By {
        actor: Some(&caller.id),
        now: app.now(),
    };
    let groups = groups_of(app, id).await?;
    match app.api.store.delete_user(id, caller.role, by).await? {
        UserDeleted::Done(campaigns) => {
            app.user_changed(id);
            app.changes.tell(Kind::User, What::Deleted, id.as_str());
            tell_groups(app, &groups, &[]);
            tell_campaigns(app, campaigns).await
        }
        UserDeleted::Unknown => Err(no_such(id)),
        UserDeleted::Above(role) => Err(Problem::forbidden(format!(
            "you are {} and cannot delete a user who is {role}: ask somebody with that role",
            caller.role
        ))),
        UserDeleted::Active => Err(Problem::conflict(
            "an active user is not deleted: deactivate them first",
        )),
        UserDeleted::LoggedIn => Err(Problem::conflict(
            "this user is still at a station: log them out first",
        )),
    }
}

/// Changes one's own picture.
pub(crate) async fn save_picture(app: &App, user: &User, url: Option<&str>) -> Result<(), Problem> {
    let picture = match url.map(picture::check).transpose() {
        Ok(picture) => picture,
        Err(error @ BadPicture::TooLarge) => return Err(Problem::too_large(error.to_string())),
        Err(error @ (BadPicture::NotAUrl | BadPicture::UnknownFormat)) => {
            return Err(Problem::field("picture_url", error.to_string()));
        }
    };
    let change = UserChange {
        picture: Some(picture),
        ..UserChange::default()
    };
    let by = By {
        actor: Some(&user.id),
        now: app.now(),
    };
    app.api
        .store
        .change_user(&user.id, &change, user.role, by)
        .await?;
    app.changes
        .tell(Kind::User, What::Updated, user.id.as_str());
    Ok(())
}

/// The groups that a user is in; none of somebody unknown.
async fn groups_of(app: &App, id: &UserId) -> Result<Vec<UserGroupId>, Problem> {
    let person = app.api.store.person(id).await?;
    Ok(person
        .map(|person| person.profile.groups)
        .unwrap_or_default())
}

/// Says which groups have other members than before, as somebody left or joined them.
fn tell_groups(app: &App, before: &[UserGroupId], after: &[UserGroupId]) {
    let left = before.iter().filter(|id| !after.contains(id));
    let joined = after.iter().filter(|id| !before.contains(id));
    for id in left.chain(joined) {
        app.changes.tell(Kind::Group, What::Updated, id.as_str());
    }
}

/// Agents who are logged in get the calls of these campaigns from now on, or none any more.
async fn tell_campaigns(app: &App, campaigns: Vec<CampaignId>) -> Result<(), Problem> {
    for campaign in &campaigns {
        app.changes
            .tell(Kind::Campaign, What::Updated, campaign.as_str());
    }
    for campaign in campaigns {
        let agents = app.api.store.campaign_agents(&campaign).await?;
        app.api
            .exchange
            .send(Command::AssignAgents { campaign, agents })
            .await?;
    }
    Ok(())
}

/// Who cannot log in any more could not log out of the station either.
pub(crate) async fn leave_station(app: &App, id: &UserId) {
    match app.api.exchange.send(Command::LogOut(id.clone())).await {
        Ok(()) | Err(ExchangeError::Refused(_)) => {}
        Err(error) => {
            tracing::warn!(user.id = %id, %error, "An agent could not be logged out of the station");
        }
    }
}
