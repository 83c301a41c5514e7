//! Which handler serves which script.

use std::{collections::HashMap, fmt, pin::Pin, sync::Arc};

use tracing::warn;

use crate::Session;

/// The future of a handler.
pub type Handling = Pin<Box<dyn Future<Output = ()> + Send>>;

type Handler = Arc<dyn Fn(Session) -> Handling + Send + Sync>;

/// Hands each session to the handler of its script: `agi://host/dialer?flow=7`
/// goes to `dialer`, which finds `flow` in [`crate::Environment::query`].
///
/// A script that nobody serves goes to the fallback, and without one it is
/// refused ([`Session::refuse`]): the dialplan goes on with
/// `AGISTATUS=FAILURE`, and [`crate::ServerStats::refused`] counts it.
///
/// ```
/// use strowger_agi::{Router, Session};
///
/// async fn dialer(mut session: Session) {
///     let flow = session.environment().query_value("flow").map(str::to_owned);
///     let _ = session.set_variable("FLOW", flow.as_deref().unwrap_or("none")).await;
/// }
///
/// let router = Router::new()
///     .route("dialer", dialer)
///     .route("goodbye", async |mut session: Session| {
///         let _ = session.stream_file("goodbye", "").await;
///     });
/// # let _ = router.into_handler();
/// ```
#[derive(Clone, Default)]
pub struct Router {
    routes: HashMap<String, Handler>,
    fallback: Option<Handler>,
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router")
            .field("scripts", &self.routes.keys())
            .field("fallback", &self.fallback.is_some())
            .finish()
    }
}

impl Router {
    /// A router that refuses every session.
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves a script: the path of the URL without its first slash and its
    /// query, percent-decoded and compared exactly. The empty text is
    /// `agi://host`. A second handler for a script replaces the first.
    #[must_use]
    pub fn route<H, F>(mut self, script: &str, handler: H) -> Self
    where
        H: Fn(Session) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        self.routes.insert(script.to_owned(), boxed(handler));
        self
    }

    /// Serves every script that has no handler of its own.
    #[must_use]
    pub fn fallback<H, F>(mut self, handler: H) -> Self
    where
        H: Fn(Session) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        self.fallback = Some(boxed(handler));
        self
    }

    /// The handler for [`crate::Server::run`].
    pub fn into_handler(self) -> impl Fn(Session) -> Handling + Clone + Send + Sync + 'static {
        let router = Arc::new(self);
        move |session| router.handle(session)
    }

    /// Hands over one session, such as one over AMI.
    pub fn handle(&self, session: Session) -> Handling {
        let script = session.environment().network_script();
        match self.routes.get(script).or(self.fallback.as_ref()) {
            Some(handler) => handler(session),
            None => Box::pin(async move {
                warn!("A dialplan asks for a FastAGI script that is not served here");
                session.refuse().await;
            }),
        }
    }
}

fn boxed<H, F>(handler: H) -> Handler
where
    H: Fn(Session) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    Arc::new(move |session| Box::pin(handler(session)))
}
