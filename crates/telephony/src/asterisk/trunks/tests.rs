//! An Asterisk of a few lines: it reads the file when it is told to, keeps the old endpoint where
//! a new one is faulty, and shows what it has.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt as _,
    sync::{Arc, Mutex, PoisonError},
};

use strowger_core::trunk_file::Password;

use super::*;

#[derive(Default)]
struct Has {
    /// Options by endpoint.
    endpoints: BTreeMap<String, BTreeMap<String, String>>,
    registrations: Vec<(String, Registration, String)>,
    read: String,
    readings: usize,
    down: bool,
    deaf: bool,
}

/// Codecs that it has.
const CODECS: [&str; 3] = ["alaw", "ulaw", "g722"];

#[derive(Clone)]
struct Fake {
    file: PathBuf,
    has: Arc<Mutex<Has>>,
}

impl Fake {
    fn with<T>(&self, look: impl FnOnce(&mut Has) -> T) -> T {
        look(&mut self.has.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the file as Asterisk does; endpoints that the file does not name stay only when
    /// somebody configured them by hand.
    fn load(&self, has: &mut Has) {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        let mut sections: Vec<(String, String, BTreeMap<String, String>)> = Vec::new();
        for line in text.lines() {
            if let Some((name, template)) = line.strip_prefix('[').and_then(|l| l.split_once("]("))
            {
                sections.push((name.to_owned(), template.to_owned(), BTreeMap::new()));
            } else if let Some((key, value)) = line.split_once(" = ")
                && let Some((_, _, values)) = sections.last_mut()
            {
                values.insert(key.to_owned(), value.to_owned());
            }
        }
        let mut named = BTreeSet::new();
        has.registrations.clear();
        for (name, template, values) in sections {
            named.insert(name.clone());
            let get = |key: &str| values.get(key).cloned().unwrap_or_default();
            match template.as_str() {
                "strowger-trunk)" => {
                    let codecs = get("allow").replace("!all,", "").replace(',', "|");
                    if !codecs.split('|').all(|codec| CODECS.contains(&codec)) {
                        continue;
                    }
                    let mut options = values.clone();
                    options.insert("allow".to_owned(), format!("({codecs})"));
                    has.endpoints.insert(name, options);
                }
                "strowger-trunk-registration)" => has.registrations.push((
                    name,
                    Registration {
                        server_uri: get("server_uri"),
                        client_uri: get("client_uri"),
                    },
                    "Registered".to_owned(),
                )),
                _ => {}
            }
        }
        has.endpoints
            .retain(|name, options| named.contains(name) || options.contains_key("by_hand"));
    }
}

impl Ask for Fake {
    async fn value(&self, name: &str) -> Result<String, ActionError> {
        self.with(|has| {
            if has.down {
                return Err(ActionError::NotConnected);
            }
            if name == READ {
                return Ok(has.read.clone());
            }
            let inner = name
                .split_once('(')
                .map_or("", |(_, inner)| inner.trim_end_matches(')'));
            let (endpoint, option) = inner.split_once(',').unwrap_or((inner, ""));
            let Some(options) = has.endpoints.get(endpoint.trim_start_matches("PJSIP/")) else {
                let device = name.starts_with("DEVICE_STATE");
                return Ok(if device { "INVALID" } else { "" }.to_owned());
            };
            Ok(match name.split('(').next().unwrap_or_default() {
                "DEVICE_STATE" => "NOT_INUSE".to_owned(),
                "PJSIP_AOR" => "30".to_owned(),
                _ => options.get(option).cloned().unwrap_or_default(),
            })
        })
    }

    async fn read_again(&self, mark: &str) -> Result<(), ActionError> {
        self.with(|has| {
            if has.down {
                return Err(ActionError::NotConnected);
            }
            if !has.deaf {
                self.load(has);
                has.read = format!("{mark} Module res_pjsip.so reloaded successfully.");
                has.readings += 1;
            }
            Ok(())
        })
    }

    async fn registrations(&self) -> Result<Vec<(String, Registration, String)>, ActionError> {
        Ok(self.with(|has| has.registrations.clone()))
    }

    async fn has_context(&self, name: &str) -> Result<bool, ActionError> {
        Ok(name == "from-carrier")
    }
}

struct Lab {
    fake: Fake,
    trunks: Trunks<Fake>,
    directory: PathBuf,
    marks: u32,
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Lab {
    fn new(name: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("strowger-trunks-{}-{name}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let file = directory.join("trunks.conf");
        let fake = Fake {
            file: file.clone(),
            has: Arc::default(),
        };
        Self {
            trunks: Trunks::new(fake.clone(), file),
            fake,
            directory,
            marks: 0,
        }
    }

    fn mark(&mut self) -> String {
        self.marks += 1;
        format!("abc{}-", self.marks)
    }

    async fn apply(&mut self, trunks: &[OwnTrunk]) -> Result<(), Refused> {
        let mark = self.mark();
        self.trunks.apply(trunks, &mark).await
    }

    async fn reconcile(&mut self, trunks: &[OwnTrunk]) -> Result<bool, Refused> {
        let mark = self.mark();
        self.trunks.reconcile(trunks, &mark).await
    }

    fn text(&self) -> Option<String> {
        fs::read_to_string(&self.fake.file).ok()
    }

    fn endpoints(&self) -> Vec<String> {
        self.fake
            .with(|has| has.endpoints.keys().cloned().collect())
    }
}

fn carrier() -> OwnTrunk {
    OwnTrunk {
        endpoint: "carrier".to_owned(),
        domain: "192.0.2.1".to_owned(),
        ..OwnTrunk::default()
    }
}

fn registered() -> OwnTrunk {
    OwnTrunk {
        endpoint: "registered".to_owned(),
        domain: "sip.example.net".to_owned(),
        login: "33199".to_owned(),
        password: Some(Password::new("s3cret")),
        registers: true,
        ..OwnTrunk::default()
    }
}

#[tokio::test]
async fn what_is_applied_is_there_and_what_is_taken_away_is_gone() {
    let mut lab = Lab::new("applied");
    lab.apply(&[carrier(), registered()]).await.unwrap();
    assert_eq!(lab.endpoints(), ["carrier", "registered"]);
    let mode = fs::metadata(&lab.fake.file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640, "the file holds passwords");
    let seen = seen(&lab.fake, "registered").await.unwrap();
    assert_eq!(
        (
            seen.configured,
            seen.reachable,
            seen.registration.as_deref()
        ),
        (true, Some(true), Some("Registered"))
    );
    lab.apply(&[carrier()]).await.unwrap();
    assert_eq!(lab.endpoints(), ["carrier"]);
    lab.apply(&[]).await.unwrap();
    assert_eq!(lab.endpoints(), Vec::<String>::new());
    let gone = super::seen(&lab.fake, "carrier").await.unwrap();
    assert_eq!((gone.configured, gone.reachable), (false, None));
}

#[tokio::test]
async fn the_same_trunks_again_are_not_read_again() {
    let mut lab = Lab::new("same");
    lab.apply(&[]).await.unwrap();
    assert_eq!(lab.text(), None);
    lab.apply(&[carrier()]).await.unwrap();
    let readings = lab.fake.with(|has| has.readings);
    // Not even the exchange is needed.
    lab.fake.with(|has| has.down = true);
    lab.apply(&[carrier()]).await.unwrap();
    assert_eq!(lab.fake.with(|has| has.readings), readings);
}

#[tokio::test(start_paused = true)]
async fn a_trunk_that_asterisk_does_not_take_leaves_the_former_one() {
    let mut lab = Lab::new("refused");
    lab.apply(&[carrier()]).await.unwrap();
    let before = lab.text();
    let changed = OwnTrunk {
        codecs: "alaw,nosuch".to_owned(),
        ..carrier()
    };
    let refused = lab.apply(&[changed]).await.unwrap_err();
    let Refused::NotTaken(said) = &refused else {
        panic!("{refused}")
    };
    assert!(
        said.contains(r#"carrier has allow "(alaw|ulaw)" and must have "alaw|nosuch""#),
        "{said}"
    );
    assert!(said.contains("reloaded successfully"), "{said}");
    assert_eq!(lab.text(), before);
    assert_eq!(lab.endpoints(), ["carrier"]);
    // A first one leaves nothing.
    let mut empty = Lab::new("refused-first");
    let faulty = OwnTrunk {
        codecs: "nosuch".to_owned(),
        ..carrier()
    };
    empty.apply(&[faulty]).await.unwrap_err();
    assert_eq!((empty.text(), empty.endpoints().len()), (None, 0));
}

#[tokio::test]
async fn an_endpoint_that_was_configured_by_hand_stays_as_it_is() {
    let mut lab = Lab::new("clash");
    let by_hand = [("context", "from-carrier"), ("by_hand", "yes")];
    let by_hand = by_hand.map(|(key, value)| (key.to_owned(), value.to_owned()));
    lab.fake
        .with(|has| has.endpoints.insert("carrier".to_owned(), by_hand.into()));
    let refused = lab.apply(&[carrier()]).await.unwrap_err();
    assert_eq!(refused, Refused::Clash("carrier".to_owned()));
    let refused = lab.reconcile(&[carrier()]).await.unwrap_err();
    assert_eq!(refused, Refused::Clash("carrier".to_owned()));
    assert_eq!(lab.text(), None);
    lab.apply(&[registered()]).await.unwrap();
    assert_eq!(lab.endpoints(), ["carrier", "registered"]);
}

#[tokio::test]
async fn callers_arrive_in_a_context_that_there_is() {
    let mut lab = Lab::new("context");
    let into = |context: &str| OwnTrunk {
        inbound_context: context.to_owned(),
        ..carrier()
    };
    let refused = lab.apply(&[into("from-nowhere")]).await.unwrap_err();
    assert!(matches!(refused, Refused::NoContext { .. }), "{refused}");
    assert_eq!(lab.text(), None);
    lab.apply(&[into("from-carrier")]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nothing_is_changed_while_the_exchange_cannot_be_asked() {
    let mut lab = Lab::new("down");
    lab.fake.with(|has| has.down = true);
    let refused = lab.apply(&[carrier()]).await.unwrap_err();
    assert!(matches!(refused, Refused::Unreachable(_)), "{refused}");
    assert_eq!(lab.text(), None);
    // One that does not read what it is told to: the dialplan is an older one.
    lab.fake.with(|has| {
        has.down = false;
        has.deaf = true;
    });
    let refused = lab.apply(&[carrier()]).await.unwrap_err();
    assert!(matches!(refused, Refused::NotRestored { .. }), "{refused}");
    assert!(
        refused.to_string().contains("apply-asterisk-config.sh"),
        "{refused}"
    );
    assert_eq!(lab.text(), None);
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_told_with_its_path() {
    let mut lab = Lab::new("file");
    fs::remove_dir_all(&lab.directory).unwrap();
    let refused = lab.apply(&[carrier()]).await.unwrap_err();
    assert!(
        matches!(&refused, Refused::File(why) if why.contains("trunks.conf")),
        "{refused}"
    );
}

#[tokio::test]
async fn what_a_crash_left_is_healed_at_the_start() {
    let mut lab = Lab::new("heal");
    assert!(!lab.reconcile(&[]).await.unwrap());
    // Written and read, and the row was never kept.
    lab.apply(&[carrier(), registered()]).await.unwrap();
    assert!(lab.reconcile(&[carrier()]).await.unwrap());
    assert_eq!(lab.endpoints(), ["carrier"]);
    assert!(
        !lab.reconcile(&[carrier()]).await.unwrap(),
        "nothing is amiss any more"
    );
    // Taken away in the file, and the row is still there.
    lab.apply(&[]).await.unwrap();
    assert!(lab.reconcile(&[carrier()]).await.unwrap());
    // Written, and never read.
    lab.fake.with(|has| has.endpoints.clear());
    assert!(lab.reconcile(&[carrier()]).await.unwrap());
    // Edited by somebody.
    fs::write(
        &lab.fake.file,
        "[evil](strowger-trunk)\ncontext = x\nallow = !all,alaw\n",
    )
    .unwrap();
    lab.fake.read_again("x").await.unwrap();
    assert_eq!(lab.endpoints(), ["evil"]);
    assert!(lab.reconcile(&[carrier()]).await.unwrap());
    assert_eq!(lab.endpoints(), ["carrier"]);
}
