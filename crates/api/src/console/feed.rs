//! What the live feed shows of something that was just changed.

use serde_json::Value;
use strowger_core::ids::CampaignId;
use strowger_store::views::Screen;

use super::{
    Answer,
    campaign_view::{campaign_head, campaign_view},
};
use crate::{changes::Kind, state::App};

/// Most contacts of a campaign that are sent with it whenever it changes. The console replaces
/// the campaign that it has, so that a part of the contacts would be taken for all of them.
const MAX_CONTACTS: u32 = 500;

/// What is shown of a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum View {
    /// This JSON.
    Is(String),
    /// It does not exist any more.
    Gone,
    /// It is too large to be sent with each change, or has no message of its own: who shows it
    /// reads everything anew.
    ReadAnew,
}

/// What everybody is shown of a thing that was changed. The console names it by its kind.
pub(crate) async fn view(app: &App, kind: Kind, id: &str) -> Answer<View> {
    let screen = match kind {
        Kind::User => Screen::User,
        Kind::Script => Screen::Script,
        Kind::Flow => Screen::Flow,
        Kind::MediaFile => Screen::MediaFile,
        Kind::Site => Screen::Site,
        Kind::ActivityType => Screen::ActivityType,
        Kind::Qualification => Screen::Qualification,
        Kind::QualificationGroup => Screen::QualificationGroup,
        Kind::Trunk => Screen::Trunk,
        Kind::Did => Screen::Did,
        Kind::Campaign => return campaign(app, id).await,
        Kind::Group => Screen::UserGroup,
        Kind::AgentProfile => Screen::AgentProfile,
        Kind::Planning | Kind::Users => return Ok(View::ReadAnew),
    };
    let line = app.api.store.screen(screen, id).await?;
    Ok(line.map_or(View::Gone, View::Is))
}

/// A campaign without its contacts; none when it is gone or cannot be read.
pub(crate) async fn campaign_settings(app: &App, id: &str) -> Option<Value> {
    let head = campaign_head(app, &CampaignId::new(id).ok()?).await;
    serde_json::to_value(head.ok()??).ok()
}

async fn campaign(app: &App, id: &str) -> Answer<View> {
    let Ok(id) = CampaignId::new(id) else {
        return Ok(View::Gone);
    };
    if app.api.store.campaign(&id).await?.is_none() {
        return Ok(View::Gone);
    }
    let view = campaign_view(app, &id, MAX_CONTACTS).await?;
    Ok(view.map_or(View::ReadAnew, View::Is))
}
