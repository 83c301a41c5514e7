//! Records in the shapes of the console, one by one, for those who are told of changes.

use serde_json::Value;
use strowger_core::ids::UserId;

use super::users;
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
    let wire = users::wire(app, &UserId::new(id).ok()?).await.ok()?;
    serde_json::to_value(wire).ok()
}
