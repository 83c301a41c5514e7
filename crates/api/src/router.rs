//! Every route, its limits and its document.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse as _, Response},
};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::{
    Modify, OpenApi, ToSchema as _,
    openapi::{
        Content, Ref, RefOr, ResponseBuilder, Responses,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    console,
    middleware::{deadline, observe, panicked},
    problem::{Problem, ProblemBody},
    routes::{
        activity_types, agent_profiles, agents, api_keys, asked, audit, backups, board, callbacks,
        caller_ids, calls, campaigns, cards, consents, contacts, database, desk, dids, dnc, docs,
        flows, handling, health, ledger, lists, locks, login, media_files, opt_outs, password,
        planning, qualifications, queues, recordings, scripts, settings, sites, stream,
        supervision, system, trunks, user_groups, users,
    },
    state::{ApiState, App, Shared},
};

/// Largest body of a login.
const LOGIN_BODY: usize = 4 * 1024;

/// Largest body of a request that has no other limit.
const BODY: usize = 256 * 1024;

/// Largest body about users: one with a picture of 2 MiB, or a thousand without.
const PERSON_BODY: usize = 4 * 1024 * 1024;

/// Largest body of a flow or a script: 500 nodes with prompts of 2,000 characters fit, and some
/// pictures.
const FLOW_BODY: usize = 5 * 1024 * 1024;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Strowger",
        description = "Telephony control for contact centres. Answers are {\"success\": true, \"data\": …}, lists have \
                       `next` for their next page. Problems are those of RFC 9457 with {\"success\": false, \"error\": …}.",
        license(name = "Apache-2.0 OR MIT")
    ),
    modifiers(&Bearer),
    security(("bearer" = []))
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .build();
        openapi
            .components
            .get_or_insert_default()
            .add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// This document
#[utoipa::path(
    get, path = "/api/v1/openapi.json", tag = "health", security(()),
    responses((status = 200, description = "OpenAPI", body = Object))
)]
async fn document(State(_): State<Shared>) -> Json<utoipa::openapi::OpenApi> {
    Json(openapi())
}

async fn no_such_route(State(app): State<Shared>, request: Request) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    if let Some(front) = &app.front
        && let Some(response) = front.serve(request).await
    {
        return response;
    }
    let path: String = uri.path().chars().take(200).collect();
    Problem::not_found(format!(
        "there is no route {method} {path}: see /api/v1/openapi.json"
    ))
    .into_response()
}

async fn no_such_method() -> Problem {
    Problem::method_not_allowed()
}

fn all() -> OpenApiRouter<Shared> {
    let quick = OpenApiRouter::new()
        .routes(routes!(login::me))
        .routes(routes!(login::logout))
        .routes(routes!(login::own))
        .routes(routes!(login::end))
        .routes(routes!(login::of_user))
        .routes(routes!(login::unlock))
        .routes(routes!(login::enrol))
        .routes(routes!(login::confirm))
        .routes(routes!(login::disable))
        .routes(routes!(login::reset))
        .routes(routes!(password::begin_reset))
        .routes(routes!(api_keys::list, api_keys::create))
        .routes(routes!(api_keys::revoke))
        .routes(routes!(api_keys::of_user))
        .routes(routes!(user_groups::list, user_groups::create))
        .routes(routes!(user_groups::change, user_groups::delete))
        .routes(routes!(agent_profiles::list, agent_profiles::create))
        .routes(routes!(agent_profiles::change, agent_profiles::delete))
        .routes(routes!(system::stats))
        .routes(routes!(system::logs))
        .routes(routes!(system::connectivity))
        .routes(routes!(system::reach::ping))
        .routes(routes!(system::reach::database))
        .routes(routes!(system::reach::manager))
        .routes(routes!(database::tables))
        .routes(routes!(database::query))
        .routes(routes!(settings::modules, settings::set_modules))
        .routes(routes!(settings::connections, settings::set_connections))
        .routes(routes!(backups::list, backups::make))
        .routes(routes!(backups::delete))
        .routes(routes!(backups::content))
        .routes(routes!(backups::schedule, backups::set_schedule))
        .routes(routes!(settings::mail::show, settings::mail::save))
        .routes(routes!(settings::mail::test))
        .routes(routes!(settings::limits::show, settings::limits::save))
        .routes(routes!(sites::list, sites::create))
        .routes(routes!(sites::change, sites::delete))
        .routes(routes!(password::change))
        .routes(routes!(trunks::list, trunks::create))
        .routes(routes!(trunks::change, trunks::delete))
        .routes(routes!(trunks::status))
        .routes(routes!(campaigns::list, campaigns::create))
        .routes(routes!(campaigns::show, campaigns::change, desk::delete))
        .routes(routes!(desk::show, desk::save))
        .routes(routes!(cards::list, cards::create))
        .routes(routes!(cards::show, cards::change))
        .routes(routes!(handling::lock, handling::unlock))
        .routes(routes!(handling::qualify))
        .routes(routes!(handling::notes, handling::add_note))
        .routes(routes!(handling::calls))
        .routes(routes!(handling::next))
        .routes(routes!(
            planning::list,
            planning::create,
            planning::delete_all
        ))
        .routes(routes!(planning::change, planning::delete))
        .routes(routes!(planning::delete_several))
        .routes(routes!(campaigns::set_agents))
        .routes(routes!(campaigns::start))
        .routes(routes!(campaigns::pause))
        .routes(routes!(campaigns::stop))
        .routes(routes!(caller_ids::list, caller_ids::create))
        .routes(routes!(
            caller_ids::show,
            caller_ids::change,
            caller_ids::delete
        ))
        .routes(routes!(caller_ids::numbers, caller_ids::add_numbers))
        .routes(routes!(
            caller_ids::change_number,
            caller_ids::remove_number
        ))
        .routes(routes!(campaigns::drain))
        .routes(routes!(campaigns::boost))
        .routes(routes!(campaigns::abandonment))
        .routes(routes!(locks::list))
        .routes(routes!(locks::release))
        .routes(routes!(asked::preview))
        .routes(routes!(asked::dial_preview))
        .routes(routes!(asked::skip_preview))
        .routes(routes!(asked::dial))
        .routes(routes!(agents::list))
        .routes(routes!(agents::own))
        .routes(routes!(agents::log_in))
        .routes(routes!(agents::ready))
        .routes(routes!(agents::pause))
        .routes(routes!(agents::end_wrap_up))
        .routes(routes!(agents::log_out))
        .routes(routes!(agents::make_ready))
        .routes(routes!(agents::make_pause))
        .routes(routes!(agents::make_log_out))
        .routes(routes!(supervision::listen))
        .routes(routes!(supervision::coach))
        .routes(routes!(supervision::barge))
        .routes(routes!(supervision::stop))
        .routes(routes!(calls::hang_up))
        .routes(routes!(calls::transfer))
        .routes(routes!(calls::transfers))
        .routes(routes!(calls::records))
        .routes(routes!(lists::list, lists::create))
        .routes(routes!(lists::change, lists::remove))
        .routes(routes!(lists::filters, lists::set_filters))
        .routes(routes!(lists::quotas, lists::set_quotas))
        .routes(routes!(callbacks::list, callbacks::create))
        .routes(routes!(callbacks::change, callbacks::cancel))
        .routes(routes!(qualifications::list))
        .routes(routes!(qualifications::save, qualifications::remove))
        .routes(routes!(qualifications::groups))
        .routes(routes!(
            qualifications::save_group,
            qualifications::remove_group
        ))
        .routes(routes!(qualifications::qualify))
        .routes(routes!(activity_types::list, activity_types::create))
        .routes(routes!(activity_types::change, activity_types::delete))
        .routes(routes!(scripts::list))
        .routes(routes!(scripts::duplicate))
        .routes(routes!(flows::list))
        .routes(routes!(flows::publish))
        .routes(routes!(flows::duplicate))
        .routes(routes!(dids::list))
        .routes(routes!(dids::save, dids::delete))
        .routes(routes!(queues::list))
        .routes(routes!(queues::save))
        .routes(routes!(consents::list, consents::record))
        .routes(routes!(opt_outs::list, opt_outs::record))
        .routes(routes!(opt_outs::withdraw))
        .routes(routes!(dnc::list, dnc::create))
        .routes(routes!(dnc::rename, dnc::delete))
        .routes(routes!(dnc::add_number, dnc::remove_number))
        .routes(routes!(ledger::list))
        .routes(routes!(ledger::heads))
        .routes(routes!(audit::list))
        .routes(routes!(media_files::list))
        .routes(routes!(
            media_files::show,
            media_files::rename,
            media_files::delete
        ))
        .routes(routes!(media_files::content))
        .routes(routes!(recordings::recording))
        .routes(routes!(recordings::voicemail))
        .routes(routes!(health::health))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
        .routes(routes!(document))
        .routes(routes!(docs::page))
        .routes(routes!(board::home))
        .routes(routes!(board::board))
        .layer(DefaultBodyLimit::max(BODY));
    let login = OpenApiRouter::new()
        .routes(routes!(login::login))
        .routes(routes!(login::second))
        .routes(routes!(login::refresh))
        .routes(routes!(password::reset))
        .layer(DefaultBodyLimit::max(LOGIN_BODY));
    let people = OpenApiRouter::new()
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::show, users::change, users::delete))
        .routes(routes!(users::set_picture))
        .routes(routes!(settings::appearance, settings::set_appearance))
        .layer(DefaultBodyLimit::max(PERSON_BODY));
    let flows = OpenApiRouter::new()
        .routes(routes!(flows::show, flows::save, flows::delete))
        .routes(routes!(scripts::create))
        .routes(routes!(scripts::show, scripts::change, scripts::delete))
        .layer(DefaultBodyLimit::max(FLOW_BODY));
    let many = OpenApiRouter::new()
        .routes(routes!(users::create_many))
        .layer(DefaultBodyLimit::max(PERSON_BODY));
    // These take their time and mind their own limits.
    let slow = OpenApiRouter::new()
        .routes(routes!(contacts::import))
        .routes(routes!(media_files::upload))
        .merge(many)
        .routes(routes!(cards::delete))
        .routes(routes!(dnc::import::import))
        .routes(routes!(ledger::export::export))
        .routes(routes!(ledger::verify))
        .routes(routes!(lists::recycle))
        .routes(routes!(stream::stream));
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(
            quick
                .merge(login)
                .merge(people)
                .merge(flows)
                .layer(from_fn(deadline)),
        )
        .merge(slow)
}

/// All routes. Serve it with `into_make_service_with_connect_info::<SocketAddr>()`: the limit on
/// logins and the metrics look at where a request comes from.
pub fn router(state: ApiState) -> Router {
    let app = Arc::new(App::new(state));
    let (router, _) = all().split_for_parts();
    router
        .merge(console::router())
        .merge(docs::router())
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(Arc::clone(&app), observe))
        .with_state(app)
}

/// The document of all routes.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = all().into_openapi();
    for item in document.paths.paths.values_mut() {
        let operations = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.delete,
            &mut item.patch,
        ];
        for operation in operations.into_iter().flatten() {
            name_problems(&mut operation.responses);
        }
    }
    document
}

/// Problems have the content type of RFC 9457 wherever they are named, and every route may
/// answer with those that none names: 401, 403, 413, 415, 422, 429, 503 and so on.
fn name_problems(responses: &mut Responses) {
    let problem = Ref::from_schema_name(ProblemBody::name());
    let any = ResponseBuilder::new()
        .description("Any other problem")
        .content("application/json", Content::new(Some(problem)))
        .build();
    responses.responses.insert("default".to_owned(), any.into());
    for (status, response) in &mut responses.responses {
        let is_problem = status == "default" || status.starts_with(['4', '5']);
        if let (true, RefOr::T(response)) = (is_problem, response)
            && let Some(body) = response.content.shift_remove("application/json")
        {
            let kind = "application/problem+json".to_owned();
            response.content.insert(kind, body);
        }
    }
}
