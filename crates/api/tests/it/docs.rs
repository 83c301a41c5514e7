//! The pages that show the API document.

use axum::{
    body::{Body, to_bytes},
    http::{Method, Request},
};
use tower::ServiceExt as _;

use crate::harness::TestApp;

const PLACES: [&str; 2] = ["/api/v1/docs", "/api/docs"];

#[tokio::test]
async fn the_pages_are_at_both_places_and_show_the_document_of_this_server() {
    let app = TestApp::new().await;
    let get = async |path: String, encodings: &str| {
        let request = Request::get(path).header("accept-encoding", encodings);
        let request = request.body(Body::empty()).unwrap();
        let response = app.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts, to_bytes(body, 10_000_000).await.unwrap())
    };
    for place in PLACES {
        let moved = app.call(None, Method::GET, place, None).await;
        assert_eq!(moved.status, 301, "{place}");
        assert_eq!(moved.headers["location"], "docs/", "{place}");
        for (file, kind) in [
            ("", "text/html"),
            ("index.css", "text/css"),
            ("swagger-ui.css", "text/css"),
            ("swagger-ui-bundle.js", "text/javascript"),
            ("swagger-ui-standalone-preset.js", "text/javascript"),
            ("favicon-32x32.png", "image/png"),
        ] {
            let (answer, body) = get(format!("{place}/{file}"), "gzip, br").await;
            assert_eq!(answer.status, 200, "{place}/{file}");
            assert_eq!(answer.headers["content-type"], kind, "{place}/{file}");
            assert_eq!(answer.headers["content-encoding"], "gzip", "{file}");
            assert!(body.starts_with(&[0x1f, 0x8b]), "{file} is no gzip");
        }
        let (answer, body) = get(format!("{place}/swagger-initializer.js"), "identity").await;
        assert_eq!(answer.status, 200);
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains("\"/api/v1/openapi.json\""), "{text}");
        assert!(text.contains("\"validatorUrl\": \"none\""), "{text}");
        let (answer, _) = get(format!("{place}/"), "identity").await;
        assert_eq!(answer.status, 406);
        let (answer, _) = get(format!("{place}/nothing.js"), "gzip").await;
        assert_eq!(answer.status, 404);
        let (answer, _) = get(format!("{place}/..%2Fopenapi.json"), "gzip").await;
        assert_eq!(answer.status, 404);
    }
}

#[tokio::test]
async fn only_this_server_shows_them_in_a_frame_and_they_load_nothing_from_elsewhere() {
    let app = TestApp::new().await;
    for place in PLACES {
        for path in [place.to_owned(), format!("{place}/swagger-initializer.js")] {
            let page = app.call(None, Method::GET, &path, None).await;
            assert_eq!(page.headers["x-frame-options"], "SAMEORIGIN", "{path}");
            let policy = page.headers["content-security-policy"].to_str().unwrap();
            for part in [
                "default-src 'none'",
                "script-src 'self';",
                "connect-src 'self';",
                "frame-ancestors 'self'",
            ] {
                assert!(policy.contains(part), "{path}: {policy}");
            }
            assert!(!policy.contains("http"), "{path}: {policy}");
        }
    }
    let other = app.call(None, Method::GET, "/health", None).await;
    assert_eq!(other.headers["x-frame-options"], "DENY");
}
