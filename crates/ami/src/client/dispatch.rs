//! From a block of frames to the queues of the consumers that want them.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::health::Shared;
use super::inbox::{Batch, Inbox};
use super::pending::Pending;
use super::{DownReason, Notice};
use crate::codec::{DecodeError, Decoder, Frame};
use crate::event::{EventKind, EventSet};
use crate::message::Message;

/// What a frame is, as far as its first line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Event(EventKind),
    Response,
    Other,
}

/// One consumer and the events for it in the block at hand.
#[derive(Debug)]
struct Consumer {
    inbox: Arc<Inbox>,
    wanted: Vec<(EventKind, Frame)>,
    wanted_bytes: usize,
}

/// Sorts frames. Only what a session itself needs is parsed here: consumers parse
/// what they take, so that a late one costs nothing but its queue.
#[derive(Debug)]
pub(super) struct Dispatch {
    consumers: Vec<Consumer>,
    shared: Arc<Shared>,
    frames: Vec<Frame>,
    /// How the link is, for consumers that come later: `Up`, or refused.
    latest: Option<Notice>,
    /// Whether what is read counts as read by the session of the events.
    counts: bool,
}

impl Dispatch {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let mut dispatch = Self {
            counts: true,
            ..Self::nobody(shared)
        };
        dispatch.refresh();
        dispatch
    }

    /// For a session that carries no events.
    pub(super) fn nobody(shared: &Arc<Shared>) -> Self {
        Self {
            consumers: Vec::new(),
            shared: Arc::clone(shared),
            frames: Vec::new(),
            latest: None,
            counts: false,
        }
    }

    /// Takes note of consumers that have come or gone.
    pub(super) fn refresh(&mut self) {
        let mut inboxes = self.shared.inboxes();
        inboxes.retain(|inbox| !inbox.is_abandoned());
        self.consumers.retain(|known| !known.inbox.is_abandoned());
        for inbox in inboxes.iter() {
            let is_known = |known: &Consumer| Arc::ptr_eq(&known.inbox, inbox);
            if self.consumers.iter().any(is_known) {
                continue;
            }
            if let Some(notice) = &self.latest {
                inbox.notice(notice.clone());
            }
            self.consumers.push(Consumer {
                inbox: Arc::clone(inbox),
                wanted: Vec::new(),
                wanted_bytes: 0,
            });
        }
    }

    pub(super) fn has_consumers(&self) -> bool {
        !self.consumers.is_empty()
    }

    /// What all consumers together want, and the link itself.
    pub(super) fn wanted(&self) -> EventSet {
        let own = EventSet::of(&[EventKind::FullyBooted]);
        self.consumers
            .iter()
            .fold(own, |set, known| set | known.inbox.consumer.events)
    }

    /// Whether reading has to pause for a consumer that may lose nothing.
    pub(super) fn needs_room(&self) -> bool {
        self.consumers.iter().any(|known| known.inbox.needs_room())
    }

    pub(super) fn up(&mut self, notice: Notice) {
        for known in &self.consumers {
            known.inbox.notice(notice.clone());
        }
        self.latest = Some(notice);
    }

    pub(super) fn down(&mut self, reason: &DownReason) {
        self.latest = None;
        for known in &self.consumers {
            known.inbox.down(reason.clone());
        }
    }

    pub(super) fn refused(&mut self, message: String) {
        for known in &self.consumers {
            known.inbox.refused(message.clone());
        }
        self.latest = Some(Notice::AuthenticationRefused { message });
    }

    /// No consumer is told anything any more.
    pub(super) fn end(&mut self) {
        self.refresh();
        for known in &self.consumers {
            known.inbox.end();
        }
    }

    /// Deals with every complete frame of the decoder, all read until `now`.
    /// Whether our Ping was answered, and when it was sent.
    pub(super) fn take(
        &mut self,
        decoder: &mut Decoder,
        pending: &mut Pending,
        now: Instant,
    ) -> Option<Instant> {
        let mut answered = None;
        let mut frames = std::mem::take(&mut self.frames);
        while let Some(block) = decoder.block(&mut frames) {
            let mut events = 0;
            for frame in &frames {
                let text = &block.bytes[frame.start..frame.end];
                match sort(text) {
                    Sort::Event(kind) => {
                        events += 1;
                        if !pending.awaits_list()
                            || !self.is_of_list(&block.bytes, *frame, pending, now)
                        {
                            self.want(kind, *frame);
                        }
                    }
                    Sort::Response => match Message::parse(slice(&block.bytes, *frame)) {
                        Ok(response) => {
                            if pending.awaits_list() {
                                // It may be the end of a list, of an empty one.
                                self.flush(&block.bytes, now);
                            }
                            answered = pending.response(response).or(answered);
                        }
                        Err(error) => {
                            pending.lost(text);
                            self.shared.count_skipped();
                            tracing::warn!(%error, "The answer to an AMI action cannot be read");
                        }
                    },
                    Sort::Other => match Message::parse(slice(&block.bytes, *frame)) {
                        Ok(_) => tracing::debug!("Unexpected AMI frame"),
                        Err(error) => self.skipped(error, &block.bytes, now),
                    },
                }
            }
            self.flush(&block.bytes, now);
            if self.counts {
                self.shared.count_read(block.bytes.len(), events, now);
            }
            if let Some(error) = block.skipped {
                self.skipped(error, &block.bytes, now);
            }
            frames.clear();
        }
        self.frames = frames;
        answered
    }

    fn want(&mut self, kind: EventKind, frame: Frame) {
        for known in &mut self.consumers {
            if known.inbox.consumer.events.contains(kind) {
                known.wanted.push((kind, frame));
                known.wanted_bytes += frame.end - frame.start;
            }
        }
    }

    /// Gives an event to the list that it belongs to, if it does.
    fn is_of_list(
        &mut self,
        bytes: &Bytes,
        frame: Frame,
        pending: &mut Pending,
        now: Instant,
    ) -> bool {
        let event = match Message::parse(slice(bytes, frame)) {
            Ok(event) => event,
            Err(error) => {
                self.skipped(error, bytes, now);
                return true;
            }
        };
        if !pending.is_of_list(&event) {
            return false;
        }
        // Who waits for the end of a list has then been told of all that was
        // before it.
        self.flush(bytes, now);
        pending.list_event(event);
        true
    }

    /// Queues what is wanted so far.
    fn flush(&mut self, bytes: &Bytes, now: Instant) {
        for known in &mut self.consumers {
            if known.wanted.is_empty() {
                continue;
            }
            let room = Vec::with_capacity(known.wanted.len());
            let wanted = std::mem::replace(&mut known.wanted, room);
            let batch = Batch::new(bytes, wanted, known.wanted_bytes, now);
            known.wanted_bytes = 0;
            known.inbox.events(batch);
        }
    }

    /// A frame was lost. The owners are told by a gap, after what came before it;
    /// garbage must not flood the log too.
    fn skipped(&mut self, error: DecodeError, bytes: &Bytes, now: Instant) {
        tracing::debug!(%error, "AMI frame skipped");
        self.flush(bytes, now);
        self.shared.count_skipped();
        for known in &self.consumers {
            known.inbox.skipped(error);
        }
    }
}

fn slice(bytes: &Bytes, frame: Frame) -> Bytes {
    bytes.slice(frame.start..frame.end)
}

/// Reads the first line only.
fn sort(frame: &[u8]) -> Sort {
    const EVENT: &[u8] = b"Event:";
    const RESPONSE: &[u8] = b"Response:";
    let starts = |key: &[u8]| {
        frame
            .get(..key.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(key))
    };
    if starts(EVENT) {
        let rest = &frame[EVENT.len()..];
        let name = rest.strip_prefix(b" ").unwrap_or(rest);
        let end = memchr::memchr(b'\r', name).unwrap_or(name.len());
        Sort::Event(EventKind::of_name(&name[..end]))
    } else if starts(RESPONSE) {
        Sort::Response
    } else {
        Sort::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells_what_a_frame_is() {
        for (frame, expected) in [
            (
                &b"Event: Hangup\r\nX: y"[..],
                Sort::Event(EventKind::Hangup),
            ),
            (b"event:Hangup", Sort::Event(EventKind::Hangup)),
            (b"Event: Nonsense\r\n", Sort::Event(EventKind::Other)),
            (b"Event:", Sort::Event(EventKind::Other)),
            (b"RESPONSE: Success", Sort::Response),
            (b"Eventful: x", Sort::Other),
            (b"", Sort::Other),
        ] {
            assert_eq!(sort(frame), expected, "{frame:?}");
        }
    }
}
