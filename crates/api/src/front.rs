//! A web front of files, served beside the API.
//!
//! A path whose last part has a dot is a file of the directory; every other one is a page of
//! the front's own routing and gets `index.html`. Files that were compressed beforehand
//! (`app.js.br`, `app.js.gz`) are served so, others are compressed on their way.

use std::{convert::Infallible, io, path::PathBuf};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};
use tower::{ServiceExt as _, service_fn};
use tower_http::{compression::Compression, services::ServeDir};

/// The page that every path of the front's own routing gets.
const INDEX: &str = "index.html";

/// Where a front is, and what it may load from elsewhere.
#[derive(Debug, Clone)]
pub struct FrontSettings {
    /// The directory that holds `index.html`.
    pub directory: PathBuf,
    /// Sources of scripts, styles, fonts and images besides this server, as in a
    /// `Content-Security-Policy`: `https://cdn.example.com`.
    pub sources: Vec<String>,
}

/// Why a front cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum FrontError {
    /// There is no page to show.
    #[error("cannot read {path}: {error}; name the directory that the front was built into")]
    NoIndex {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It would change the policy instead of adding to it.
    #[error("{0:?} is not a source: give an origin such as https://cdn.example.com")]
    BadSource(String),
}

impl FrontSettings {
    /// Whether it can be served.
    ///
    /// # Errors
    /// [`FrontError`], with what to do.
    pub fn check(&self) -> Result<(), FrontError> {
        let path = self.directory.join(INDEX);
        std::fs::File::open(&path).map_err(|error| FrontError::NoIndex { path, error })?;
        let odd = |c: char| !c.is_ascii_graphic() || matches!(c, ';' | ',' | '"');
        match self
            .sources
            .iter()
            .find(|source| source.is_empty() || source.contains(odd))
        {
            Some(source) => Err(FrontError::BadSource(source.clone())),
            None => Ok(()),
        }
    }
}

/// The front, ready to be served.
#[derive(Clone)]
pub(crate) struct Front {
    directory: PathBuf,
    sources: String,
    files: Compression<ServeDir>,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front")
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

impl Front {
    pub(crate) fn new(settings: FrontSettings) -> Self {
        let mut sources = String::new();
        for source in &settings.sources {
            sources.push(' ');
            sources.push_str(source);
        }
        let files = ServeDir::new(&settings.directory)
            .append_index_html_on_directories(false)
            .precompressed_br()
            .precompressed_gzip();
        Self {
            directory: settings.directory,
            sources,
            files: Compression::new(files),
        }
    }

    /// Answers what no route of the API does; `None` for what is not the front's.
    pub(crate) async fn serve(&self, request: Request) -> Option<Response> {
        let path = request.uri().path();
        let of_api = path == "/api" || path.starts_with("/api/");
        if of_api || !matches!(*request.method(), Method::GET | Method::HEAD) {
            return None;
        }
        let last = path.rsplit('/').next().unwrap_or_default();
        if last.contains('.') && last != INDEX {
            return Some(self.file(request).await);
        }
        Some(self.page(request).await)
    }

    /// A file of the directory. `ServeDir` keeps within it, whatever the path says.
    async fn file(&self, request: Request) -> Response {
        let path = request.uri().path().to_owned();
        if is_hidden(&path) {
            return no_such_file();
        }
        let Ok(response) = self.files.clone().oneshot(request).await;
        let mut response = response.map(Body::new);
        if response.status() == StatusCode::NOT_FOUND {
            return no_such_file();
        }
        let cache = if path.starts_with("/assets/") {
            // Build tools put a hash of the content into these names.
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
        response
    }

    /// The page, read anew each time: a front that is replaced is there at once, with a policy
    /// that fits it.
    async fn page(&self, request: Request) -> Response {
        let path = self.directory.join(INDEX);
        let page = match tokio::fs::read_to_string(&path).await {
            Ok(page) => page,
            Err(error) => {
                tracing::error!(%error, path = %path.display(), "The page of the front cannot be read");
                return (StatusCode::SERVICE_UNAVAILABLE, "The page cannot be read.")
                    .into_response();
            }
        };
        let policy = HeaderValue::from_str(&self.policy(&page));
        let answer = service_fn(|_: Request| {
            let headers = [
                (header::CONTENT_TYPE, "text/html; charset=utf-8"),
                (header::CACHE_CONTROL, "no-cache"),
            ];
            let answer = (headers, page.clone()).into_response();
            std::future::ready(Ok::<_, Infallible>(answer))
        });
        let Ok(compressed) = Compression::new(answer).oneshot(request).await;
        let mut response = compressed.map(Body::new);
        if let Ok(policy) = policy {
            response
                .headers_mut()
                .insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        response
    }

    /// Only what is served here, from the named sources, and the scripts within the page as
    /// they are in the file; whatever is put into the page later does not run.
    fn policy(&self, page: &str) -> String {
        let mut inline = String::new();
        for script in inline_scripts(page) {
            inline.push_str(" 'sha256-");
            inline.push_str(&STANDARD.encode(Sha256::digest(script.as_bytes())));
            inline.push('\'');
        }
        let sources = &self.sources;
        format!(
            "default-src 'none'; script-src 'self'{inline}{sources}; style-src 'self' 'unsafe-inline'{sources}; \
             font-src 'self' data:{sources}; img-src 'self' data: blob:{sources}; media-src 'self' data: blob:; \
             connect-src 'self'; frame-src 'self' https:; manifest-src 'self'; worker-src 'self' blob:; \
             base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
        )
    }
}

/// Names that begin with a dot are nobody's business: `.git`, `.env`. Nor is a path that hides
/// a dot.
fn is_hidden(path: &str) -> bool {
    path.contains("/.") || path.contains("%2e") || path.contains("%2E")
}

fn no_such_file() -> Response {
    (StatusCode::NOT_FOUND, "There is no such file.").into_response()
}

/// The scripts that are written into a page. A comment that holds one adds a hash that nothing
/// has, which is harmless.
fn inline_scripts(page: &str) -> Vec<&str> {
    let mut scripts = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find("<script") {
        rest = &rest[at..];
        let Some(open) = rest.find('>') else { break };
        let (tag, body) = (&rest[..open], &rest[open + 1..]);
        let Some(end) = body.find("</script") else {
            break;
        };
        if !tag.contains(" src=") {
            scripts.push(&body[..end]);
        }
        rest = &body[end..];
    }
    scripts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_within_a_page_are_found_and_those_from_elsewhere_are_not() {
        let page = "<head><script>a();</script><script type=\"importmap\">{}</script>\
                    <script src=\"/b.js\"></script><script>unfinished";
        assert_eq!(inline_scripts(page), ["a();", "{}"]);
    }

    #[test]
    fn a_source_cannot_change_the_policy() {
        let with = |source: &str| FrontSettings {
            directory: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("board"),
            sources: vec![source.to_owned()],
        };
        // The directory has no index.html: what is named is checked after it.
        assert!(matches!(
            with("https://a").check(),
            Err(FrontError::NoIndex { .. })
        ));
        let directory = std::env::temp_dir().join(format!("strowger-front-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join(INDEX), "").unwrap();
        for source in ["", "a b", "https://a;script-src *", "https://a,https://b"] {
            let settings = FrontSettings {
                directory: directory.clone(),
                ..with(source)
            };
            assert!(settings.check().is_err(), "{source}");
        }
        let settings = FrontSettings {
            directory: directory.clone(),
            ..with("https://cdn.example.com")
        };
        assert!(settings.check().is_ok());
        std::fs::remove_dir_all(directory).unwrap();
    }
}
