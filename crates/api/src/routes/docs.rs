//! Pages that show the OpenAPI document and try its routes, served from here alone.

use std::sync::{Arc, LazyLock};

use axum::{
    Router,
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use utoipa_swagger_ui::{Config, SwaggerFile};

use crate::{problem::Problem, state::Shared};

/// What the pages may do: run what is served here and ask this server. Their styles are in their
/// elements, and their pictures in their styles.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'self'";

static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    // Without its validator, which is elsewhere.
    Arc::new(Config::from("/api/v1/openapi.json").validator_url("none"))
});

/// The pages at their two places; the console shows the second one in a frame.
pub(crate) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/v1/docs/", get(index))
        .route("/api/v1/docs/{file}", get(file))
        .route("/api/docs", get(page))
        .route("/api/docs/", get(index))
        .route("/api/docs/{file}", get(file))
}

/// A page that shows this document
///
/// For browsers: goes on to `/api/v1/docs/`. Whoever gives it a token there can try the routes.
#[utoipa::path(
    get, path = "/api/v1/docs", tag = "health", security(()),
    responses((status = 301, description = "Where the page is"))
)]
pub(crate) async fn page() -> Response {
    // Its files are found from there, at either place.
    framed((StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, "docs/")]).into_response())
}

async fn index(headers: HeaderMap) -> Response {
    serve("index.html", &headers)
}

async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    serve(&name, &headers)
}

fn serve(name: &str, asked: &HeaderMap) -> Response {
    let found = utoipa_swagger_ui::serve(name, Arc::clone(&CONFIG));
    match found.map_err(|error| error.to_string()) {
        Ok(Some(file)) => framed(answer(file, asked)),
        Ok(None) => Problem::not_found("there is no such page: see /api/v1/docs/").into_response(),
        Err(error) => {
            tracing::error!(error, "The pages of the API document cannot be served");
            Problem::internal().into_response()
        }
    }
}

fn answer(file: SwaggerFile<'static>, asked: &HeaderMap) -> Response {
    // The next version has other files of the same names.
    let mut headers = HeaderMap::from_iter([(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, max-age=600"),
    )]);
    if let Ok(kind) = HeaderValue::from_str(&file.content_type) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    if file.gzpipped {
        let takes = asked.get(header::ACCEPT_ENCODING);
        let takes = takes.and_then(|takes| takes.to_str().ok());
        if !takes.is_some_and(|takes| takes.contains("gzip")) {
            return (StatusCode::NOT_ACCEPTABLE, "These pages are gzip only.").into_response();
        }
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    (headers, file.bytes.into_owned()).into_response()
}

/// Lets pages of this server show it in a frame.
fn framed(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    let same = HeaderValue::from_static("SAMEORIGIN");
    headers.insert(header::X_FRAME_OPTIONS, same);
    response
}
