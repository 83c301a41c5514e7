//! Everything that a consumer was told, to look through and to wait on.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use strowger_ami::{Event, Events, Notice};
use tokio::{sync::watch, time::timeout};
use tokio_util::task::TaskTracker;

/// How long something that must happen may take.
const WITHIN: Duration = Duration::from_secs(20);

/// The notices of one consumer.
#[derive(Debug, Clone)]
pub(super) struct Journal {
    notices: Arc<Mutex<Vec<Notice>>>,
    length: watch::Receiver<usize>,
}

impl Journal {
    /// Keeps what `events` tells until it ends.
    pub(super) fn keep(mut events: Events, tracker: &TaskTracker) -> Self {
        let (told, length) = watch::channel(0);
        let journal = Self {
            notices: Arc::default(),
            length,
        };
        let notices = Arc::clone(&journal.notices);
        tracker.spawn(async move {
            while let Some(notice) = events.recv().await {
                let length = {
                    let mut notices = lock(&notices);
                    notices.push(notice);
                    notices.len()
                };
                told.send_replace(length);
            }
        });
        journal
    }

    /// The place after what was told so far.
    pub(super) fn mark(&self) -> usize {
        lock(&self.notices).len()
    }

    /// The first answer of `look` to a notice since `mark`, which may still come.
    pub(super) async fn notice<T>(
        &self,
        what: &str,
        mark: usize,
        mut look: impl FnMut(&Notice) -> Option<T>,
    ) -> anyhow::Result<T> {
        let mut length = self.length.clone();
        let mut next = mark;
        let search = async {
            loop {
                let end = *length.borrow_and_update();
                {
                    let notices = lock(&self.notices);
                    for notice in notices.get(next..end).unwrap_or_default() {
                        if let Some(found) = look(notice) {
                            return Ok(found);
                        }
                    }
                }
                next = next.max(end);
                length.changed().await.context("the link has ended")?;
            }
        };
        timeout(WITHIN, search)
            .await
            .with_context(|| format!("{what} did not come within {WITHIN:?}"))?
    }

    /// The same for events.
    pub(super) async fn event<T>(
        &self,
        what: &str,
        mark: usize,
        mut look: impl FnMut(&Event) -> Option<T>,
    ) -> anyhow::Result<T> {
        let look = |notice: &Notice| match notice {
            Notice::Event(event) => look(event),
            Notice::Up { .. }
            | Notice::Gap { .. }
            | Notice::Down { .. }
            | Notice::AuthenticationRefused { .. } => None,
        };
        self.notice(what, mark, look).await
    }

    /// How many events since `mark` are such.
    pub(super) fn count(&self, mark: usize, such: impl Fn(&Event) -> bool) -> usize {
        let notices = lock(&self.notices);
        let since = notices.get(mark..).unwrap_or_default();
        let is_such = |notice: &&Notice| matches!(notice, Notice::Event(event) if such(event));
        since.iter().filter(is_such).count()
    }

    /// How many notices since `mark` are such.
    pub(super) fn count_notices(&self, mark: usize, such: impl Fn(&Notice) -> bool) -> usize {
        let notices = lock(&self.notices);
        let since = notices.get(mark..).unwrap_or_default();
        since.iter().filter(|notice| such(notice)).count()
    }
}

fn lock(notices: &Mutex<Vec<Notice>>) -> MutexGuard<'_, Vec<Notice>> {
    // Nothing panics while it is held.
    notices.lock().unwrap_or_else(PoisonError::into_inner)
}
