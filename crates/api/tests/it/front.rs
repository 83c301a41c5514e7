//! A web front beside the API.

use std::{fs, path::PathBuf};

use axum::{
    body::{Body, to_bytes},
    http::{Method, Request},
};
use strowger_api::FrontSettings;
use strowger_core::permission::Role;
use tower::ServiceExt as _;

use crate::harness::TestApp;

const PAGE: &str =
    "<html><script>start()</script><script src=\"/assets/app-1.js\"></script></html>";

/// The files of a front, and a secret beside them.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Self {
        let root =
            std::env::temp_dir().join(format!("strowger-front-{name}-{}", std::process::id()));
        fs::create_dir_all(root.join("dist/assets")).unwrap();
        let files = [
            ("secret.txt", "the secret"),
            ("dist/index.html", PAGE),
            ("dist/.env.txt", "the secret"),
            ("dist/assets/app-1.js", &"start();".repeat(1_000)),
            ("dist/assets/app-1.js.br", "as brotli"),
            ("dist/flag.svg", "<svg/>"),
        ];
        for (name, text) in files {
            fs::write(root.join(name), text).unwrap();
        }
        Self(root)
    }

    async fn served(&self) -> TestApp {
        let front = FrontSettings {
            directory: self.0.join("dist"),
            sources: vec!["https://cdn.example.com".to_owned()],
        };
        TestApp::with(|settings| settings.front = Some(front), true).await
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn every_path_that_is_no_file_and_not_of_the_api_is_the_page() {
    let files = Files::new("page");
    let app = files.served().await;
    for path in ["/", "/index.html", "/supervision", "/a/b/c?d=e"] {
        let page = app.call(None, Method::GET, path, None).await;
        assert_eq!((page.status.as_u16(), &*page.text), (200, PAGE), "{path}");
        let headers = &page.headers;
        assert_eq!(headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(headers["cache-control"], "no-cache");
        let policy = headers["content-security-policy"].to_str().unwrap();
        // The digest of `start()`, by `printf 'start()' | openssl dgst -sha256 -binary | base64`.
        let script = "script-src 'self' 'sha256-DIm7WJS6ZKDYe5qFLPy+h4JFI9Bol5QmYC57mt3Fb00=' https://cdn.example.com;";
        assert!(policy.contains(script), "{policy}");
        assert!(policy.contains("connect-src 'self';"), "{policy}");
    }
    let board = app.call(None, Method::GET, "/board", None).await;
    assert!(board.text.contains("<title>"), "{}", board.text);
    let missing = app.get(Role::Agent, "/api/nothing").await;
    assert_eq!(missing.status, 404);
    assert_eq!(missing.body["success"], false, "the API answers for itself");
    let posted = app.call(None, Method::POST, "/supervision", None).await;
    assert_eq!(posted.status, 404);
}

#[tokio::test]
async fn files_are_served_compressed_and_kept_by_browsers() {
    let files = Files::new("files");
    let app = files.served().await;
    let get = async |path: &str, encodings: &str| {
        let request = Request::get(path).header("accept-encoding", encodings);
        let request = request.body(Body::empty()).unwrap();
        let response = app.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts, to_bytes(body, 100_000).await.unwrap())
    };
    let (plain, body) = get("/assets/app-1.js", "identity").await;
    assert_eq!((plain.status.as_u16(), body.len()), (200, 8_000));
    assert!(
        plain.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/javascript")
    );
    assert_eq!(
        plain.headers["cache-control"],
        "public, max-age=31536000, immutable"
    );
    let (brotli, body) = get("/assets/app-1.js", "gzip, br").await;
    assert_eq!(brotli.headers["content-encoding"], "br");
    assert_eq!(&body[..], b"as brotli", "what was compressed beforehand");
    let (gzip, body) = get("/assets/app-1.js", "gzip").await;
    assert_eq!(gzip.headers["content-encoding"], "gzip");
    assert!(body.len() < 1_000, "{}", body.len());
    let (flag, _) = get("/flag.svg", "identity").await;
    assert_eq!(flag.headers["content-type"], "image/svg+xml");
    assert_eq!(flag.headers["cache-control"], "no-cache");
    assert_eq!(get("/assets/app-2.js", "identity").await.0.status, 404);
}

#[tokio::test]
async fn no_path_leads_out_of_the_directory_or_to_hidden_files() {
    let files = Files::new("paths");
    let app = files.served().await;
    for path in [
        "/../secret.txt",
        "/assets/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/assets/..%2F..%2Fsecret.txt",
        "/%2e%2e%2fsecret.txt",
        "/..%5csecret.txt",
        "//secret.txt",
        "/.env.txt",
        "/%2Eenv.txt",
        "/flag.svg%00.txt",
        "/secret.txt",
    ] {
        let answer = app.call(None, Method::GET, path, None).await;
        assert!(!answer.text.contains("the secret"), "{path}");
        assert!(answer.status.is_client_error(), "{path}: {}", answer.status);
    }
}
