//! The file of our trunks on an Asterisk server: written, read by Asterisk, checked there, and
//! put back when Asterisk does not take it.
//!
//! The file is written here, as this process; Asterisk is asked over the manager interface to
//! read it, by calling an extension of our dialplan (`strowger-trunks`), and what it has then is
//! read through dialplan functions. None of this needs more rights of the manager account than
//! placing calls does: the classes that change configuration would let whoever has the account
//! run programs as Asterisk.

mod disk;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use strowger_ami::{
    ActionError, Client, Message,
    actions::{self, OriginateRequest},
};
use strowger_core::trunk_file::{
    self, OwnTrunk, Refused, Registration, Seen, TrunkFile, Wanted, endpoints, of_endpoint,
};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};
use tracing::{error, info, warn};

/// The context of our dialplan that has Asterisk read the file.
const CONTEXT: &str = "strowger-trunks";

/// The global that says which reading was done last, and what came of it.
const READ: &str = "STROWGER_RELOADED";

/// How long Asterisk may take to read its configuration, and then to show it.
const PATIENCE: Duration = Duration::from_secs(8);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(150);

/// The contexts of our dialplan begin so; it has them.
const OWN_CONTEXT: &str = "strowger-";

/// What is asked of an exchange.
pub trait Ask: Send + Sync {
    /// The value of a global or of a function such as `PJSIP_ENDPOINT(carrier,context)`; empty
    /// when there is none.
    fn value(&self, name: &str) -> impl Future<Output = Result<String, ActionError>> + Send;

    /// Has the configuration of PJSIP read. [`Ask::value`] of the global `STROWGER_RELOADED`
    /// begins with this mark when it was.
    fn read_again(&self, mark: &str) -> impl Future<Output = Result<(), ActionError>> + Send;

    /// Our registrations, by the names of their endpoints, and their states.
    fn registrations(
        &self,
    ) -> impl Future<Output = Result<Vec<(String, Registration, String)>, ActionError>> + Send;

    /// Whether the dialplan has a context.
    fn has_context(&self, name: &str) -> impl Future<Output = Result<bool, ActionError>> + Send;
}

impl Ask for Client {
    async fn value(&self, name: &str) -> Result<String, ActionError> {
        let answer = self.send(actions::get_global(name)).await?;
        let value = answer.get("Value").unwrap_or_default();
        Ok(value.trim().to_owned())
    }

    async fn read_again(&self, mark: &str) -> Result<(), ActionError> {
        let call = OriginateRequest {
            channel: format!("Local/reload@{CONTEXT}/n"),
            channel_id: format!("cfg_{mark}_1"),
            other_channel_id: Some(format!("cfg_{mark}_2")),
            context: CONTEXT.to_owned(),
            exten: "done".to_owned(),
            priority: 1,
            timeout_ms: 30_000,
            variables: vec![("STROWGER_RELOAD".to_owned(), mark.to_owned())],
            ..OriginateRequest::default()
        };
        self.send(actions::originate(&call)).await.map(drop)
    }

    async fn registrations(&self) -> Result<Vec<(String, Registration, String)>, ActionError> {
        let listed = self.list(actions::pjsip_show_registrations_outbound());
        let items = match listed.await {
            Ok(items) => items,
            // It says so when there are none.
            Err(ActionError::Rejected { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        let text = |item: &Message, key| item.get(key).unwrap_or_default().into_owned();
        let registration = |item: &Message| {
            let registration = Registration {
                server_uri: text(item, "ServerUri"),
                client_uri: text(item, "ClientUri"),
            };
            (text(item, "ObjectName"), registration, text(item, "Status"))
        };
        Ok(items
            .iter()
            .filter(|item| item.name() == "OutboundRegistrationDetail")
            .map(registration)
            .collect())
    }

    async fn has_context(&self, name: &str) -> Result<bool, ActionError> {
        match self.list(actions::show_dialplan(Some(name), None)).await {
            Ok(_) => Ok(true),
            Err(ActionError::Rejected { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The trunks of one exchange.
#[derive(Debug)]
pub struct Trunks<A> {
    ask: A,
    file: PathBuf,
    /// One change at a time.
    turn: Mutex<()>,
}

impl<A: Ask> Trunks<A> {
    /// The trunks in this file of the exchange.
    pub fn new(ask: A, file: PathBuf) -> Self {
        Self {
            ask,
            file,
            turn: Mutex::new(()),
        }
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Gives the exchange exactly these trunks. `mark` is unique for ever.
    ///
    /// # Errors
    /// [`Refused`]: the exchange has what it had before.
    pub async fn apply(&self, trunks: &[OwnTrunk], mark: &str) -> Result<(), Refused> {
        let file = trunk_file::render(trunks).map_err(Refused::Faulty)?;
        let _turn = self.turn.lock().await;
        let former = self.read().await?;
        let before = former.as_deref().unwrap_or_default();
        if before == file.text || (former.is_none() && trunks.is_empty()) {
            return Ok(());
        }
        let change = Change::between(before, &file);
        self.look_before(&change).await?;
        self.write(Some(&file.text)).await?;
        match self.take(&change, &format!("{mark}a")).await {
            Ok(()) => {
                info!(file = %self.file.display(), trunks = trunks.len(), "Asterisk has the trunks");
                Ok(())
            }
            Err(said) => Err(self.put_back(former.as_deref(), said, mark).await),
        }
    }

    /// Makes the file say what it must, and has Asterisk read it if it does not have that yet:
    /// after a crash, or changes by somebody else. Whether anything was amiss.
    ///
    /// # Errors
    /// [`Refused`]; nothing is put back, because what is given is the truth.
    pub async fn reconcile(&self, trunks: &[OwnTrunk], mark: &str) -> Result<bool, Refused> {
        let file = trunk_file::render(trunks).map_err(Refused::Faulty)?;
        let _turn = self.turn.lock().await;
        let former = self.read().await?;
        if former.is_none() && trunks.is_empty() {
            return Ok(false);
        }
        let before = former.as_deref().unwrap_or_default();
        let differs = before != file.text;
        if differs {
            let change = Change::between(before, &file);
            if !change.added.is_empty() {
                // What is still there when Asterisk has read the file as it is, is not ours.
                self.have_it_read(&format!("{mark}a"))
                    .await
                    .map_err(Refused::Unreachable)?;
                self.look_before(&change).await?;
            }
            warn!(file = %self.file.display(), "The file of trunks is not as the database has it: writing it anew");
            self.write(Some(&file.text)).await?;
        }
        let change = Change {
            wanted: file.wanted.iter().collect(),
            ..Change::between(before, &file)
        };
        let unheard = |error: ActionError| Refused::Unreachable(error.to_string());
        if self.differences(&change).await.map_err(unheard)?.is_empty() && !differs {
            return Ok(false);
        }
        let taken = self.take(&change, &format!("{mark}b")).await;
        taken.map_err(Refused::NotTaken)?;
        info!(file = %self.file.display(), trunks = trunks.len(), "Asterisk has the trunks of the database again");
        Ok(true)
    }

    /// Before anything is written: what is to be added is not there, and callers arrive
    /// somewhere.
    async fn look_before(&self, change: &Change<'_>) -> Result<(), Refused> {
        let unheard = |error: ActionError| Refused::Unreachable(error.to_string());
        for endpoint in &change.added {
            let seen = self.ask.value(&option(endpoint, "context")).await;
            if !seen.map_err(unheard)?.is_empty() {
                return Err(Refused::Clash((*endpoint).to_owned()));
            }
        }
        for wanted in &change.wanted {
            let Some((_, context)) = wanted.values.iter().find(|(name, _)| *name == "context")
            else {
                continue;
            };
            let ours = context.starts_with(OWN_CONTEXT);
            if !ours && !self.ask.has_context(context).await.map_err(unheard)? {
                return Err(Refused::NoContext {
                    endpoint: wanted.endpoint.clone(),
                    context: context.clone(),
                });
            }
        }
        // Also when there is nothing to ask about: without it nobody would read the file.
        self.ask.value(READ).await.map(drop).map_err(unheard)
    }

    /// Has Asterisk read the file, and waits until it has what it must; else what it said.
    async fn take(&self, change: &Change<'_>, mark: &str) -> Result<(), String> {
        let said = self.have_it_read(mark).await?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let differences = match self.differences(change).await {
                Ok(differences) if differences.is_empty() => return Ok(()),
                Ok(differences) => differences.join("; "),
                Err(error) => error.to_string(),
            };
            if Instant::now() >= deadline {
                return Err(format!(
                    "{differences} (it said: {said}; its log may say why)"
                ));
            }
            sleep(PAUSE).await;
        }
    }

    async fn have_it_read(&self, mark: &str) -> Result<String, String> {
        let asked = self.ask.read_again(mark).await;
        asked.map_err(|error| format!("it could not be told to read the file: {error}"))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let read = self.ask.value(READ).await;
            let read = read.map_err(|error| format!("it was told to read the file: {error}"))?;
            if let Some(said) = read.strip_prefix(mark) {
                return Ok(said.trim().to_owned());
            }
            if Instant::now() >= deadline {
                return Err(format!(
                    "it was told to read the file and did not say that it had: apply its configuration again \
                     (apply-asterisk-config.sh), which has the context {CONTEXT}"
                ));
            }
            sleep(PAUSE).await;
        }
    }

    /// Where Asterisk differs from what it must have, in words.
    async fn differences(&self, change: &Change<'_>) -> Result<Vec<String>, ActionError> {
        let mut differences = Vec::new();
        for wanted in &change.wanted {
            let endpoint = &wanted.endpoint;
            for (name, must) in &wanted.values {
                let seen = self.ask.value(&option(endpoint, name)).await?;
                if !Wanted::agrees(name, must, &seen) {
                    differences.push(format!(
                        "{endpoint} has {name} {seen:?} and must have {must:?}"
                    ));
                }
            }
            let aor = format!("PJSIP_AOR({endpoint},qualify_frequency)");
            if self.ask.value(&aor).await?.is_empty() {
                differences.push(format!("the hosts of {endpoint} were not taken"));
            }
        }
        for endpoint in &change.removed {
            let seen = self.ask.value(&option(endpoint, "context")).await?;
            if !seen.is_empty() {
                differences.push(format!("{endpoint} is still there"));
            }
        }
        let registers = |wanted: &Wanted| wanted.registration.is_some();
        if change.wanted.iter().copied().any(registers) || !change.removed.is_empty() {
            let registered = self.ask.registrations().await?;
            for wanted in &change.wanted {
                let found = registered
                    .iter()
                    .find(|(name, ..)| *name == wanted.endpoint);
                if found.map(|(_, registration, _)| registration) != wanted.registration.as_ref() {
                    differences.push(format!(
                        "the registration of {} was not taken",
                        wanted.endpoint
                    ));
                }
            }
            for endpoint in &change.removed {
                if registered.iter().any(|(name, ..)| name == endpoint) {
                    differences.push(format!("the registration of {endpoint} is still there"));
                }
            }
        }
        Ok(differences)
    }

    async fn put_back(&self, former: Option<&str>, said: String, mark: &str) -> Refused {
        error!(file = %self.file.display(), said, "Asterisk did not take the trunks: putting the former file back");
        if let Err(refused) = self.write(former).await {
            return Refused::NotRestored {
                said,
                why: refused.to_string(),
            };
        }
        match self.have_it_read(&format!("{mark}b")).await {
            Ok(_) => Refused::NotTaken(said),
            // The file is as it was: it is read when the link is up again.
            Err(why) => Refused::NotRestored { said, why },
        }
    }

    async fn read(&self) -> Result<Option<String>, Refused> {
        let file = self.file.clone();
        on_disk(move || disk::read(&file)).await
    }

    async fn write(&self, text: Option<&str>) -> Result<(), Refused> {
        let (file, text) = (self.file.clone(), text.map(str::to_owned));
        on_disk(move || match text {
            Some(text) => disk::replace(&file, &text),
            None => disk::remove(&file),
        })
        .await
    }
}

/// How a trunk is doing.
///
/// # Errors
/// When the exchange cannot be asked.
pub async fn seen(ask: &impl Ask, endpoint: &str) -> Result<Seen, ActionError> {
    let context = ask.value(&option(endpoint, "context")).await?;
    let device = format!("DEVICE_STATE(PJSIP/{endpoint})");
    let reachable = match ask.value(&device).await?.as_str() {
        "" | "UNKNOWN" | "INVALID" => None,
        "UNAVAILABLE" => Some(false),
        _ => Some(true),
    };
    let registrations = ask.registrations().await?.into_iter();
    let mut own = registrations.filter(|(name, ..)| name == endpoint);
    Ok(Seen {
        configured: !context.is_empty(),
        reachable,
        registration: own.next().map(|(_, _, state)| state),
    })
}

async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, Refused> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(Refused::File),
        Err(error) => Err(Refused::File(error.to_string())),
    }
}

/// The function that shows an option of an endpoint.
fn option(endpoint: &str, name: &str) -> String {
    format!("PJSIP_ENDPOINT({endpoint},{name})")
}

/// What is different in a new file.
struct Change<'a> {
    added: Vec<&'a str>,
    /// Added or changed.
    wanted: Vec<&'a Wanted>,
    removed: Vec<&'a str>,
}

impl<'a> Change<'a> {
    fn between(before: &'a str, file: &'a TrunkFile) -> Self {
        let had: BTreeSet<&str> = endpoints(before).into_iter().collect();
        let has: BTreeSet<&str> = endpoints(&file.text).into_iter().collect();
        let changed = |wanted: &&Wanted| {
            of_endpoint(before, &wanted.endpoint) != of_endpoint(&file.text, &wanted.endpoint)
        };
        Self {
            added: has.difference(&had).copied().collect(),
            wanted: file.wanted.iter().filter(changed).collect(),
            removed: had.difference(&has).copied().collect(),
        }
    }
}
