//! The queue to the owner: it never blocks the reader and never loses the fact
//! that something was lost.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::mpsc;

use super::health::Shared;
use super::{DownReason, GapReason, Notice};
use crate::codec::DecodeError;
use crate::event::Event;
use crate::message::Message;

/// While anything waits here, events are dropped: they would overtake it.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: mpsc::Sender<Notice>,
    /// Notices about the link itself, for which there was no room. At most one of
    /// each kind: a `Down` takes back an `Up` that nobody has seen.
    waiting: VecDeque<Notice>,
    /// What the next `Gap` will say.
    gap: Option<GapReason>,
    shared: Arc<Shared>,
}

impl Outbox {
    pub(super) fn new(queue: mpsc::Sender<Notice>, shared: Arc<Shared>) -> Self {
        Self {
            queue,
            waiting: VecDeque::new(),
            gap: None,
            shared,
        }
    }

    /// The owner has dropped its end.
    pub(super) async fn closed(&self) {
        self.queue.closed().await;
    }

    /// Whether something waits for room.
    pub(super) fn is_waiting(&self) -> bool {
        self.gap.is_some() || !self.waiting.is_empty()
    }

    /// There is room for a notice; only this side fills it, so it stays.
    pub(super) async fn room(&self) {
        // An error means that the owner is gone, which `closed` reports.
        let _ = self.queue.reserve().await;
    }

    pub(super) fn up(&mut self, notice: Notice) {
        self.gap = None;
        self.waiting.push_back(notice);
        self.flush();
    }

    pub(super) fn down(&mut self, reason: DownReason) {
        self.gap = None;
        if matches!(self.waiting.back(), Some(Notice::Up { .. })) {
            self.waiting.pop_back();
        } else {
            self.waiting.push_back(Notice::Down { reason });
        }
        self.flush();
    }

    pub(super) fn refused(&mut self, message: String) {
        let is_refusal = |notice: &Notice| matches!(notice, Notice::AuthenticationRefused { .. });
        if !self.waiting.iter().any(is_refusal) {
            self.waiting
                .push_back(Notice::AuthenticationRefused { message });
        }
        self.flush();
    }

    /// Delivers an event, or drops it and remembers the gap.
    pub(super) fn event(&mut self, raw: Message) {
        if self.is_waiting() {
            self.flush();
        }
        // Typing costs more than cutting, and a dropped event needs none.
        if !self.is_waiting() && self.queue.capacity() > 0 {
            // Only a closed queue can refuse now, and the task then ends.
            let _ = self.queue.try_send(Notice::Event(Event::parse(raw)));
            return;
        }
        self.shared.dropped.fetch_add(1, Relaxed);
        let before = match self.gap {
            Some(GapReason::QueueFull { dropped }) => dropped,
            _ => 0,
        };
        self.gap = Some(GapReason::QueueFull {
            dropped: before + 1,
        });
    }

    /// A frame could not be read and may have been an event.
    pub(super) fn skipped(&mut self, error: DecodeError) {
        self.shared.skipped_frames.fetch_add(1, Relaxed);
        self.gap.get_or_insert(GapReason::Skipped(error));
        self.flush();
    }

    /// Hands over what waits, as far as there is room.
    pub(super) fn flush(&mut self) {
        while let Some(notice) = self.waiting.pop_front() {
            let is_up = matches!(notice, Notice::Up { .. });
            if let Err(error) = self.queue.try_send(notice) {
                self.waiting.push_front(error.into_inner());
                return;
            }
            if is_up {
                // The snapshot that follows an `Up` covers what was dropped before it.
                self.gap = None;
            }
        }
        let Some(reason) = self.gap else { return };
        if self.queue.try_send(Notice::Gap { reason }).is_ok() {
            self.shared.gaps.fetch_add(1, Relaxed);
            self.gap = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn outbox(bound: usize) -> (Outbox, mpsc::Receiver<Notice>) {
        let (queue, owner) = mpsc::channel(bound);
        (Outbox::new(queue, Arc::new(Shared::new())), owner)
    }

    fn event() -> Message {
        Message::parse(Bytes::from_static(b"Event: X")).unwrap()
    }

    fn up() -> Notice {
        Notice::Up {
            ami_version: String::new(),
            asterisk_version: None,
            boot: None,
        }
    }

    #[test]
    fn one_gap_stands_for_all_that_was_dropped() {
        let (mut outbox, mut owner) = outbox(2);
        for _ in 0..5 {
            outbox.event(event());
        }
        assert!(matches!(owner.try_recv(), Ok(Notice::Event(_))));
        outbox.flush();
        outbox.event(event());
        assert!(matches!(owner.try_recv(), Ok(Notice::Event(_))));
        let reason = GapReason::QueueFull { dropped: 3 };
        assert_eq!(owner.try_recv(), Ok(Notice::Gap { reason }));
        assert!(owner.try_recv().is_err());
        outbox.flush();
        let reason = GapReason::QueueFull { dropped: 1 };
        assert_eq!(owner.try_recv(), Ok(Notice::Gap { reason }));
        assert!(!outbox.is_waiting());
    }

    #[test]
    fn a_stalled_owner_misses_whole_links_but_never_their_order() {
        let (mut outbox, mut owner) = outbox(1);
        outbox.up(up());
        for _ in 0..100 {
            outbox.down(DownReason::Closed);
            outbox.refused("no".into());
            outbox.up(up());
            outbox.event(event());
            assert!(outbox.waiting.len() <= 4);
        }
        let mut seen = Vec::new();
        while let Ok(notice) = owner.try_recv() {
            seen.push(notice);
            outbox.flush();
        }
        assert!(matches!(
            seen.as_slice(),
            [
                Notice::Up { .. },
                Notice::Down { .. },
                Notice::AuthenticationRefused { .. },
                Notice::Up { .. }
            ]
        ));
        assert!(!outbox.is_waiting());
    }
}
