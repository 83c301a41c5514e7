//! Records in the shapes of the console, one by one, for those who are told of changes.

use serde_json::{Value, json};
use strowger_core::ids::UserId;

use crate::{changes::Kind, state::App};

/// A record as `application-data` shows it; `None` when it is gone or cannot be read.
pub(crate) async fn view(app: &App, kind: Kind, id: &str) -> Option<Value> {
    match kind {
        Kind::User => user(app, id).await,
        Kind::Group
        | Kind::Campaign
        | Kind::Script
        | Kind::Flow
        | Kind::MediaFile
        | Kind::Site
        | Kind::AgentProfile
        | Kind::ActivityType
        | Kind::Qualification
        | Kind::QualificationGroup
        | Kind::Trunk
        | Kind::Did
        | Kind::Planning
        | Kind::Users => None,
    }
}

async fn user(app: &App, id: &str) -> Option<Value> {
    let user = app.api.store.user(&UserId::new(id).ok()?).await.ok()??;
    Some(json!({
        "id": user.id,
        "loginId": user.login_id,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "email": user.email,
        "isActive": user.is_active,
    }))
}
