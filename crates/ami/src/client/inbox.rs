//! The queue of one consumer: bounded in bytes, filled by the link in batches and
//! never a reason for it to wait.

use std::collections::VecDeque;
use std::fmt;
use std::mem::size_of;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::health::{ConsumerHealth, Shared, duration, micros};
use super::{Consumer, DownReason, GapReason, Notice, Overflow};
use crate::codec::{DecodeError, Frame};
use crate::event::{Event, EventKind};
use crate::message::Message;

/// What a notice that is no event counts for.
const NOTICE_BYTES: usize = 256;

/// Wanted frames of fewer bytes are copied: otherwise a few of them could keep a
/// whole read buffer of 64 KiB alive. Under load reads are longer, and nothing is
/// copied.
const COPY_BELOW_BYTES: usize = 16 * 1024;

/// Events that were read at once.
pub(super) struct Batch {
    bytes: Bytes,
    frames: Vec<(EventKind, Frame)>,
    received: Instant,
}

impl Batch {
    /// The frames of `bytes` in `frames`.
    pub(super) fn new(
        bytes: &Bytes,
        frames: Vec<(EventKind, Frame)>,
        wanted_bytes: usize,
        received: Instant,
    ) -> Self {
        if wanted_bytes >= COPY_BELOW_BYTES {
            let bytes = bytes.clone();
            return Self {
                bytes,
                frames,
                received,
            };
        }
        let mut copy = Vec::with_capacity(wanted_bytes);
        let frames = frames
            .into_iter()
            .map(|(kind, frame)| {
                let start = copy.len();
                copy.extend_from_slice(&bytes[frame.start..frame.end]);
                let end = copy.len();
                (kind, Frame { start, end })
            })
            .collect();
        Self {
            bytes: copy.into(),
            frames,
            received,
        }
    }

    fn cost(&self) -> usize {
        self.bytes.len() + self.frames.len() * size_of::<(EventKind, Frame)>() + NOTICE_BYTES
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text may hold secrets, which only a parsed message hides.
        f.debug_struct("Batch")
            .field("frames", &self.frames.len())
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
enum Item {
    Batch(Batch),
    Notice(Notice),
}

impl Item {
    fn cost(&self) -> usize {
        match self {
            Self::Batch(batch) => batch.cost(),
            Self::Notice(_) => NOTICE_BYTES,
        }
    }
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    bytes: usize,
    events: u64,
    /// Over the bound; ends when half of it is free again, so that a consumer that
    /// is a little too slow gets one gap, not one with each batch.
    full: bool,
    /// The consumer has dropped its end.
    abandoned: bool,
    /// The link is over: nothing comes after what is queued.
    ended: bool,
}

/// The link's end of the queue.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) consumer: Consumer,
    state: Mutex<State>,
    ready: Notify,
    shared: Arc<Shared>,
    delivered: AtomicU64,
    dropped: AtomicU64,
    gaps: AtomicU64,
    /// Time between the read and the hand-over of the last batch, in microseconds
    /// plus one; 0 for never.
    lag: AtomicU64,
}

impl Inbox {
    pub(super) fn new(consumer: Consumer, shared: Arc<Shared>) -> Self {
        Self {
            consumer,
            state: Mutex::default(),
            ready: Notify::new(),
            shared,
            delivered: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
            lag: AtomicU64::new(0),
        }
    }

    /// Nothing panics while the lock is held, so a poisoned one is still good.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.lock().abandoned
    }

    /// Whether reading has to pause until the consumer has caught up.
    pub(super) fn needs_room(&self) -> bool {
        self.consumer.overflow == Overflow::Pause && {
            let state = self.lock();
            state.full && !state.abandoned
        }
    }

    fn push(&self, state: &mut State, item: Item) {
        state.bytes += item.cost();
        state.items.push_back(item);
        state.full |= state.bytes >= self.consumer.queue_bytes;
    }

    /// Queues events, or counts them as dropped.
    pub(super) fn events(&self, batch: Batch) {
        let count = u64::try_from(batch.frames.len()).unwrap_or(u64::MAX);
        let mut state = self.lock();
        if state.full && self.consumer.overflow == Overflow::Drop {
            self.dropped.fetch_add(count, Relaxed);
            self.lost(&mut state, count);
        } else {
            state.events += count;
            self.push(&mut state, Item::Batch(batch));
        }
        drop(state);
        self.ready.notify_one();
    }

    /// Notes events that are missing at this place of the queue.
    fn lost(&self, state: &mut State, count: u64) {
        if let Some(Item::Notice(Notice::Gap {
            reason: GapReason::QueueFull { dropped },
        })) = state.items.back_mut()
        {
            *dropped += count;
            return;
        }
        self.gaps.fetch_add(1, Relaxed);
        let reason = GapReason::QueueFull { dropped: count };
        self.push(state, Item::Notice(Notice::Gap { reason }));
    }

    /// A frame could not be read and may have been an event.
    pub(super) fn skipped(&self, error: DecodeError) {
        let mut state = self.lock();
        if !matches!(state.items.back(), Some(Item::Notice(Notice::Gap { .. }))) {
            self.gaps.fetch_add(1, Relaxed);
            let reason = GapReason::Skipped(error);
            self.push(&mut state, Item::Notice(Notice::Gap { reason }));
        }
        drop(state);
        self.ready.notify_one();
    }

    /// Queues what the link is now.
    pub(super) fn notice(&self, notice: Notice) {
        let mut state = self.lock();
        self.push(&mut state, Item::Notice(notice));
        drop(state);
        self.ready.notify_one();
    }

    /// Queues the end of a link. A consumer that is so late that its queue is full
    /// and has not even seen the beginning of that link does not get it at all:
    /// a link that comes and goes must not fill the memory.
    pub(super) fn down(&self, reason: DownReason) {
        let mut state = self.lock();
        let is_up = |item: &Item| matches!(item, Item::Notice(Notice::Up { .. }));
        match state.items.iter().rposition(is_up) {
            Some(at) if state.full => {
                let unseen = state.items.split_off(at);
                for item in unseen {
                    state.bytes -= item.cost();
                    state.events -= events_of(&item);
                }
                self.settle(&mut state);
            }
            _ => self.push(&mut state, Item::Notice(Notice::Down { reason })),
        }
        drop(state);
        self.ready.notify_one();
    }

    pub(super) fn refused(&self, message: String) {
        let mut state = self.lock();
        let is_refusal =
            |item: &Item| matches!(item, Item::Notice(Notice::AuthenticationRefused { .. }));
        if !state.items.back().is_some_and(is_refusal) {
            let notice = Notice::AuthenticationRefused { message };
            self.push(&mut state, Item::Notice(notice));
        }
        drop(state);
        self.ready.notify_one();
    }

    /// Nothing will be queued any more.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.ready.notify_one();
    }

    /// Takes note of room. Whether the link may be waiting for it.
    fn settle(&self, state: &mut State) -> bool {
        if !state.full || state.bytes > self.consumer.queue_bytes / 2 {
            return false;
        }
        state.full = false;
        true
    }

    fn pop(&self) -> Popped {
        let mut state = self.lock();
        let Some(item) = state.items.pop_front() else {
            return if state.ended {
                Popped::Ended
            } else {
                Popped::Nothing
            };
        };
        state.bytes -= item.cost();
        state.events -= events_of(&item);
        let has_room = self.settle(&mut state);
        drop(state);
        if has_room {
            self.shared.room.notify_one();
        }
        Popped::Item(item)
    }

    pub(super) fn health(&self) -> ConsumerHealth {
        let state = self.lock();
        let oldest = state.items.iter().find_map(|item| match item {
            Item::Batch(batch) => Some(batch.received.elapsed()),
            Item::Notice(_) => None,
        });
        ConsumerHealth {
            name: self.consumer.name.clone(),
            queued_events: state.events,
            queued_bytes: state.bytes,
            lag: oldest.or_else(|| duration(self.lag.load(Relaxed))),
            delivered: self.delivered.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            gaps: self.gaps.load(Relaxed),
        }
    }
}

fn events_of(item: &Item) -> u64 {
    match item {
        Item::Batch(batch) => u64::try_from(batch.frames.len()).unwrap_or(u64::MAX),
        Item::Notice(_) => 0,
    }
}

enum Popped {
    Item(Item),
    Nothing,
    Ended,
}

/// What one consumer is told, in order: see [`Notice`]. Dropping it ends the
/// consumption; a link without consumers ends.
pub struct Events {
    inbox: Arc<Inbox>,
    /// The batch that is being handed out.
    bytes: Bytes,
    frames: std::vec::IntoIter<(EventKind, Frame)>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As with a batch: its text may hold secrets.
        f.debug_struct("Events")
            .field("inbox", &self.inbox)
            .field("frames", &self.frames.len())
            .finish_non_exhaustive()
    }
}

impl Events {
    pub(super) fn new(inbox: Arc<Inbox>) -> Self {
        Self {
            inbox,
            bytes: Bytes::new(),
            frames: Vec::new().into_iter(),
        }
    }

    /// The next notice; `None` when the link has ended for good and everything
    /// was taken. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Notice> {
        loop {
            if let Some(notice) = self.next_of_batch() {
                return Some(notice);
            }
            // A consumer that always finds something must not starve the others
            // of its thread.
            tokio::task::coop::consume_budget().await;
            match self.inbox.pop() {
                Popped::Item(item) => {
                    if let Some(notice) = self.open(item) {
                        return Some(notice);
                    }
                }
                Popped::Ended => return None,
                Popped::Nothing => self.inbox.ready.notified().await,
            }
        }
    }

    /// The next notice that is here already.
    pub fn try_recv(&mut self) -> Option<Notice> {
        loop {
            if let Some(notice) = self.next_of_batch() {
                return Some(notice);
            }
            match self.inbox.pop() {
                Popped::Item(item) => {
                    if let Some(notice) = self.open(item) {
                        return Some(notice);
                    }
                }
                Popped::Ended | Popped::Nothing => return None,
            }
        }
    }

    /// The item as a notice, unless it is a batch, which is opened.
    fn open(&mut self, item: Item) -> Option<Notice> {
        match item {
            Item::Notice(notice) => Some(notice),
            Item::Batch(batch) => {
                let count = u64::try_from(batch.frames.len()).unwrap_or(u64::MAX);
                self.inbox.delivered.fetch_add(count, Relaxed);
                let lag = micros(batch.received.elapsed());
                self.inbox.lag.store(lag, Relaxed);
                self.bytes = batch.bytes;
                self.frames = batch.frames.into_iter();
                None
            }
        }
    }

    fn next_of_batch(&mut self) -> Option<Notice> {
        let Some((kind, frame)) = self.frames.next() else {
            // A consumer that waits keeps no read buffer alive.
            self.bytes = Bytes::new();
            return None;
        };
        let parsed = Message::parse(self.bytes.slice(frame.start..frame.end));
        Some(match parsed {
            Ok(message) => Notice::Event(Event::of_kind(kind, message)),
            Err(error) => {
                self.inbox.shared.count_skipped();
                self.inbox.gaps.fetch_add(1, Relaxed);
                let reason = GapReason::Skipped(error);
                Notice::Gap { reason }
            }
        })
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let mut state = self.inbox.lock();
        state.abandoned = true;
        state.items.clear();
        state.bytes = 0;
        state.events = 0;
        drop(state);
        self.inbox.shared.changed.notify_one();
        self.inbox.shared.room.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: &[u8] = b"Event: Hangup\r\nChannel: A/1\r\nUniqueid: 1.1";

    fn consumer(overflow: Overflow, batches: usize) -> (Arc<Inbox>, Events) {
        let consumer = Consumer {
            overflow,
            queue_bytes: batches * batch().cost(),
            ..Consumer::call_state()
        };
        let inbox = Arc::new(Inbox::new(consumer, Arc::new(Shared::new())));
        (Arc::clone(&inbox), Events::new(inbox))
    }

    fn batch() -> Batch {
        let frame = Frame {
            start: 0,
            end: FRAME.len(),
        };
        let frames = vec![(EventKind::Hangup, frame)];
        Batch::new(
            &Bytes::from_static(FRAME),
            frames,
            FRAME.len(),
            Instant::now(),
        )
    }

    fn up() -> Notice {
        Notice::Up {
            ami_version: String::new(),
            asterisk_version: None,
            boot: None,
        }
    }

    fn has_event(events: &mut Events) -> bool {
        matches!(events.try_recv(), Some(Notice::Event(Event::Hangup(_))))
    }

    fn gap(dropped: u64) -> Notice {
        let reason = GapReason::QueueFull { dropped };
        Notice::Gap { reason }
    }

    #[tokio::test]
    async fn one_gap_stands_for_all_that_was_dropped_at_its_place() {
        let (inbox, mut events) = consumer(Overflow::Drop, 4);
        for _ in 0..7 {
            inbox.events(batch());
        }
        for _ in 0..3 {
            assert!(has_event(&mut events));
        }
        inbox.events(batch());
        assert!(has_event(&mut events));
        assert_eq!(events.try_recv(), Some(gap(3)));
        assert!(has_event(&mut events));
        assert_eq!(events.try_recv(), None);
        assert_eq!(inbox.health().dropped, 3);
        assert_eq!(inbox.health().gaps, 1);
    }

    #[tokio::test]
    async fn a_full_queue_stays_closed_until_half_of_it_is_free() {
        let (inbox, mut events) = consumer(Overflow::Drop, 4);
        for _ in 0..5 {
            inbox.events(batch());
        }
        assert!(has_event(&mut events));
        inbox.events(batch());
        for _ in 0..3 {
            assert!(has_event(&mut events));
        }
        assert_eq!(events.try_recv(), Some(gap(2)));
    }

    #[tokio::test]
    async fn a_consumer_that_pauses_the_link_loses_nothing() {
        let (inbox, mut events) = consumer(Overflow::Pause, 4);
        for _ in 0..4 {
            assert!(!inbox.needs_room());
            inbox.events(batch());
        }
        assert!(inbox.needs_room());
        // What was read before the pause is queued even so.
        inbox.events(batch());
        for _ in 0..3 {
            assert!(inbox.needs_room());
            assert!(has_event(&mut events));
        }
        assert!(!inbox.needs_room());
        for _ in 0..2 {
            assert!(has_event(&mut events));
        }
        assert_eq!(events.try_recv(), None);
        assert_eq!(inbox.health().gaps, 0);
    }

    #[tokio::test]
    async fn a_link_that_comes_and_goes_does_not_fill_the_memory() {
        for overflow in [Overflow::Pause, Overflow::Drop] {
            let (inbox, mut events) = consumer(overflow, 4);
            inbox.notice(up());
            for _ in 0..1_000 {
                inbox.events(batch());
                inbox.down(DownReason::Closed);
                inbox.notice(up());
                inbox.refused("no".into());
                inbox.refused("no".into());
            }
            assert!(inbox.health().queued_bytes <= 8 * batch().cost());
            let mut link_is_up = false;
            while let Some(notice) = events.try_recv() {
                match notice {
                    Notice::Up { .. } => {
                        assert!(!link_is_up);
                        link_is_up = true;
                    }
                    Notice::Down { .. } => {
                        assert!(link_is_up);
                        link_is_up = false;
                    }
                    Notice::Event(_) => assert!(link_is_up),
                    Notice::Gap { .. } | Notice::AuthenticationRefused { .. } => {}
                }
            }
            assert!(link_is_up);
        }
    }

    #[tokio::test]
    async fn what_is_queued_is_given_before_the_end() {
        let (inbox, mut events) = consumer(Overflow::Pause, 4);
        inbox.events(batch());
        inbox.end();
        assert!(has_event(&mut events));
        assert_eq!(events.recv().await, None);
    }

    #[tokio::test]
    async fn nobody_waits_for_a_consumer_that_is_gone() {
        let (inbox, events) = consumer(Overflow::Pause, 1);
        inbox.events(batch());
        assert!(inbox.needs_room());
        drop(events);
        assert!(!inbox.needs_room());
        assert!(inbox.is_abandoned());
    }
}
