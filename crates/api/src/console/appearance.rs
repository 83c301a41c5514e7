//! How the console looks, which everybody may know before logging in.

use axum::{Router, extract::State, routing::get};
use serde_json::{Value, json};

use super::Answer;
use crate::{
    settings::{app_settings, keys},
    state::Shared,
};

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/api/public-config", get(public_config))
}

async fn public_config(State(app): State<Shared>) -> Answer<axum::Json<Value>> {
    let kept = app.api.store.settings(&[keys::APP]).await?;
    Ok(axum::Json(
        json!({ "appSettings": app_settings(kept.get(keys::APP)) }),
    ))
}
