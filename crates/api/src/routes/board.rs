//! The live board: one page that needs nothing else.

use std::sync::LazyLock;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

use crate::state::Shared;

const HTML: &str = include_str!("../board/board.html");
const CSS: &str = include_str!("../board/board.css");
const JS: &str = include_str!("../board/board.js");

/// The page, and a policy that lets exactly its own style and script run.
static PAGE: LazyLock<(String, String)> = LazyLock::new(|| {
    let page = HTML.replace("/*CSS*/", CSS).replace("/*JS*/", JS);
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(CSS),
        hash(JS)
    );
    (page, policy)
});

/// The live board
#[utoipa::path(
    get, path = "/board", tag = "live", security(()),
    responses((status = 200, description = "A page for browsers", body = String, content_type = "text/html"))
)]
pub(crate) async fn board() -> Response {
    let (page, policy) = &*PAGE;
    let mut response = (
        [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CACHE_CONTROL, "no-cache"),
        ],
        page.as_str(),
    )
        .into_response();
    if let Ok(policy) = HeaderValue::from_str(policy) {
        response
            .headers_mut()
            .insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// The front
///
/// The web front that is configured; without one, the live board.
#[utoipa::path(
    get, path = "/", tag = "live", security(()),
    responses((status = 200, description = "A page for browsers", body = String, content_type = "text/html"))
)]
pub(crate) async fn home(State(app): State<Shared>, request: Request) -> Response {
    let front = match &app.front {
        Some(front) => front.serve(request).await,
        None => None,
    };
    match front {
        Some(page) => page,
        None => board().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_loads_nothing_and_puts_no_data_into_markup() {
        let (page, _) = &*PAGE;
        for banned in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "http://",
            "https://",
            " style=",
            " onclick=",
        ] {
            assert!(!page.contains(banned), "{banned}");
        }
        assert!(
            page.contains(CSS) && page.contains(JS),
            "the hashes are those of what is in the page"
        );
    }
}
