//! Actions that were written and have no complete answer yet.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::ActionError;
use super::health::Shared;
use crate::message::Message;

/// Most actions in flight; Asterisk works on one at a time.
const MAX_IN_FLIGHT: usize = 1_024;

/// Most items of one list: a server with more channels does not exist.
const MAX_LIST_ITEMS: usize = 50_000;

/// Most bytes of one list: ten times what 50,000 channels need.
const MAX_LIST_BYTES: usize = 256 * 1024 * 1024;

/// Who waits for an answer.
#[derive(Debug)]
pub(super) enum Reply {
    /// Our keep-alive, sent at that time.
    Ping(Instant),
    /// Our wish for fewer events.
    Filter,
    /// One response.
    Response(oneshot::Sender<Result<Message, ActionError>>),
    /// A response, then items, then a closing event.
    List {
        /// `None` after an error was reported; the rest of the list is swallowed.
        reply: Option<oneshot::Sender<Result<Vec<Message>, ActionError>>>,
        items: Vec<Message>,
        bytes: usize,
    },
}

impl Reply {
    /// For an action whose answer does not matter.
    pub(super) fn nobody() -> Self {
        Self::Response(oneshot::channel().0)
    }

    pub(super) fn list(reply: oneshot::Sender<Result<Vec<Message>, ActionError>>) -> Self {
        Self::List {
            reply: Some(reply),
            items: Vec::new(),
            bytes: 0,
        }
    }

    /// Whether nobody waits any more.
    pub(super) fn is_abandoned(&self) -> bool {
        match self {
            Self::Ping(_) | Self::Filter => false,
            Self::Response(reply) => reply.is_closed(),
            Self::List { reply, .. } => reply.as_ref().is_none_or(oneshot::Sender::is_closed),
        }
    }

    pub(super) fn fail(self, error: ActionError) {
        // An error of `send` only says that the caller stopped waiting.
        match self {
            Self::Response(reply) => drop(reply.send(Err(error))),
            Self::List {
                reply: Some(reply), ..
            } => drop(reply.send(Err(error))),
            Self::Ping(_) | Self::Filter | Self::List { reply: None, .. } => {}
        }
    }
}

#[derive(Debug)]
struct Entry {
    /// The response came; only a list stays after that.
    answered: bool,
    reply: Reply,
}

/// The actions in flight, in the order in which they were written.
#[derive(Debug)]
pub(super) struct Pending {
    /// Tells our actions from those of other sessions and of earlier links.
    prefix: String,
    next: u64,
    entries: BTreeMap<u64, Entry>,
    lists: usize,
    /// The last slow action that was written.
    slow: Option<u64>,
    shared: Arc<Shared>,
}

impl Pending {
    pub(super) fn new(prefix: String, shared: Arc<Shared>) -> Self {
        Self {
            prefix,
            next: 0,
            entries: BTreeMap::new(),
            lists: 0,
            slow: None,
            shared,
        }
    }

    /// The id for the next action that is inserted.
    pub(super) fn next_id(&self) -> String {
        format!("{}-{}", self.prefix, self.next)
    }

    pub(super) fn insert(&mut self, reply: Reply, is_slow: bool) {
        if is_slow || matches!(reply, Reply::List { .. }) {
            self.slow = Some(self.next);
            // One list at a time: an older one is over, or will never be.
            self.forget_all_abandoned();
        }
        self.lists += usize::from(matches!(reply, Reply::List { .. }));
        let entry = Entry {
            answered: false,
            reply,
        };
        self.entries.insert(self.next, entry);
        self.next += 1;
        self.shared.in_flight.fetch_add(1, Relaxed);
    }

    /// Whether one more action may be written. Actions that nobody waits for
    /// any more make room when there is none.
    pub(super) fn has_room(&mut self) -> bool {
        if self.entries.len() >= MAX_IN_FLIGHT {
            self.forget_all_abandoned();
        }
        self.entries.len() < MAX_IN_FLIGHT
    }

    /// Takes a response. The result is the time at which our Ping was sent, if it
    /// answers that.
    pub(super) fn response(&mut self, response: Message) -> Option<Instant> {
        let rejected = response.name().eq_ignore_ascii_case("Error");
        let number = match response.action_id() {
            Some(id) => self.number(&id)?,
            // Errors about the form of a message name no action, see the module `client`.
            None if rejected => self.oldest_unanswered()?,
            None => return None,
        };
        let entry = self.entries.get_mut(&number)?;
        if entry.answered {
            return None;
        }
        entry.answered = true;
        self.forget_abandoned_before(number);
        let stays = !rejected && matches!(self.entries.get(&number)?.reply, Reply::List { .. });
        if stays {
            return None;
        }
        let reply = self.remove(number)?;
        match reply {
            Reply::Ping(sent) => return Some(sent),
            Reply::Filter if rejected => {
                let reason = response.get("Message").unwrap_or_default();
                tracing::warn!(
                    %reason,
                    "Asterisk sets no event filter: the account needs write = system, or eventfilter in manager.conf"
                );
            }
            Reply::Filter => {}
            reply if rejected => reply.fail(rejection(&response)),
            Reply::Response(reply) => drop(reply.send(Ok(response))),
            Reply::List { .. } => {}
        }
        None
    }

    /// Whether a slow action is being worked on, and somebody still waits for it.
    pub(super) fn is_slow_in_flight(&self) -> bool {
        self.slow
            .and_then(|number| self.entries.get(&number))
            .is_some_and(|entry| !entry.reply.is_abandoned())
    }

    /// Whether Asterisk may be busy with a slow action, and so have nothing to say. A
    /// list that has begun goes on.
    pub(super) fn is_slow_unanswered(&self) -> bool {
        self.is_slow_in_flight()
            && self
                .slow
                .and_then(|number| self.entries.get(&number))
                .is_some_and(|entry| !entry.answered)
    }

    /// Whether an event may belong to a list.
    pub(super) fn awaits_list(&self) -> bool {
        self.lists > 0
    }

    /// Whether an event belongs to a list.
    pub(super) fn is_of_list(&self, event: &Message) -> bool {
        self.list_of(event).is_some()
    }

    fn list_of(&self, event: &Message) -> Option<u64> {
        let number = self.number(&event.action_id()?)?;
        let entry = self.entries.get(&number)?;
        matches!(entry.reply, Reply::List { .. }).then_some(number)
    }

    /// Takes an event that belongs to a list.
    pub(super) fn list_event(&mut self, event: Message) {
        let Some(number) = self.list_of(&event) else {
            return;
        };
        let Some(Entry {
            reply:
                Reply::List {
                    reply,
                    items,
                    bytes,
                },
            ..
        }) = self.entries.get_mut(&number)
        else {
            return;
        };
        let state = event.get("EventList").unwrap_or_default();
        let cancelled = state.eq_ignore_ascii_case("cancelled");
        let complete = state.eq_ignore_ascii_case("complete") || event.name().ends_with("Complete");
        if cancelled || complete {
            match self.remove(number) {
                Some(reply) if cancelled => reply.fail(rejection(&event)),
                Some(Reply::List {
                    reply: Some(reply),
                    items,
                    ..
                }) => drop(reply.send(Ok(items))),
                _ => {}
            }
        } else if items.len() < MAX_LIST_ITEMS
            && *bytes < MAX_LIST_BYTES
            && reply.as_ref().is_some_and(|r| !r.is_closed())
        {
            *bytes += event.len();
            // A list may be long and live long; the buffers it came in may not.
            items.push(event.detached());
        } else if let Some(reply) = reply.take() {
            // The entry stays, to swallow the rest of the list.
            *items = Vec::new();
            drop(reply.send(Err(ActionError::ListTooLong)));
        }
    }

    /// The link is lost: whatever was written may have happened.
    pub(super) fn fail_all(&mut self) {
        for (_, entry) in std::mem::take(&mut self.entries) {
            self.shared.in_flight.fetch_sub(1, Relaxed);
            entry.reply.fail(ActionError::UnknownOutcome);
        }
        self.lists = 0;
    }

    fn number(&self, id: &str) -> Option<u64> {
        id.strip_prefix(&self.prefix)?
            .strip_prefix('-')?
            .parse()
            .ok()
    }

    fn oldest_unanswered(&self) -> Option<u64> {
        let mut entries = self.entries.iter();
        entries.find(|(_, entry)| !entry.answered).map(|(n, _)| *n)
    }

    /// An answer came that cannot be read: whoever waits for it need not go on.
    pub(super) fn lost(&mut self, frame: &[u8]) {
        const KEY: &[u8] = b"\r\nActionID: ";
        let id = memchr::memmem::find(frame, KEY).map(|at| {
            let rest = &frame[at + KEY.len()..];
            let end = memchr::memchr(b'\r', rest).unwrap_or(rest.len());
            String::from_utf8_lossy(&rest[..end])
        });
        let number = match id {
            Some(id) => self.number(&id),
            None => self.oldest_unanswered(),
        };
        if let Some(reply) = number.and_then(|number| self.remove(number)) {
            reply.fail(ActionError::UnknownOutcome);
        }
    }

    /// Forgets the actions written before `number` that nobody waits for: a session
    /// answers in order. A list that has begun stays, to keep its late items from the
    /// consumers.
    fn forget_abandoned_before(&mut self, number: u64) {
        let numbers: Vec<u64> = self
            .entries
            .range(..number)
            .filter(|(_, entry)| entry.reply.is_abandoned() && !entry.answered)
            .map(|(number, _)| *number)
            .collect();
        for number in numbers {
            self.remove(number);
        }
    }

    /// Forgets every action that nobody waits for.
    fn forget_all_abandoned(&mut self) {
        let numbers: Vec<u64> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.reply.is_abandoned())
            .map(|(number, _)| *number)
            .collect();
        for number in numbers {
            self.remove(number);
        }
    }

    fn remove(&mut self, number: u64) -> Option<Reply> {
        let entry = self.entries.remove(&number)?;
        self.lists -= usize::from(matches!(entry.reply, Reply::List { .. }));
        self.shared.in_flight.fetch_sub(1, Relaxed);
        Some(entry.reply)
    }
}

/// What a refusal says. For a command of the console that is its output: its
/// `Message` is "Command output follows" whatever happened (`action_command` in
/// `manager.c`).
fn rejection(message: &Message) -> ActionError {
    let output: Vec<_> = message.get_all("Output").collect();
    let message = if output.is_empty() {
        message.get("Message").unwrap_or_default().into_owned()
    } else {
        output.join("\n")
    };
    ActionError::Rejected { message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::encode_frame;

    fn pending() -> Pending {
        Pending::new("t".into(), Arc::new(Shared::new()))
    }

    fn frame(headers: &[(&str, &str)]) -> Message {
        let bytes = encode_frame(headers);
        Message::parse(bytes.slice(..bytes.len() - 2)).unwrap()
    }

    type Answer = oneshot::Receiver<Result<Message, ActionError>>;

    fn send(pending: &mut Pending) -> Answer {
        let (reply, answer) = oneshot::channel();
        pending.insert(Reply::Response(reply), false);
        answer
    }

    #[test]
    fn a_refused_command_says_its_output() {
        let mut pending = pending();
        let mut command = send(&mut pending);
        pending.response(frame(&[
            ("Response", "Error"),
            ("ActionID", "t-0"),
            ("Message", "Command output follows"),
            ("Output", "No such command 'x'"),
            ("Output", "(type 'core show help')"),
        ]));
        let message = "No such command 'x'\n(type 'core show help')".into();
        assert_eq!(
            command.try_recv().unwrap(),
            Err(ActionError::Rejected { message })
        );
    }

    #[test]
    fn an_error_without_id_answers_the_oldest() {
        let mut pending = pending();
        let mut first = send(&mut pending);
        let mut second = send(&mut pending);
        pending.response(frame(&[
            ("Response", "Error"),
            ("Message", "line too long"),
        ]));
        let message = "line too long".into();
        assert_eq!(
            first.try_recv().unwrap(),
            Err(ActionError::Rejected { message })
        );
        assert!(second.try_recv().is_err());
    }

    #[test]
    fn a_timed_out_action_keeps_its_place_until_a_later_one_is_answered() {
        let mut pending = pending();
        drop(send(&mut pending));
        let mut second = send(&mut pending);
        pending.response(frame(&[
            ("Response", "Error"),
            ("Message", "for the first"),
        ]));
        assert!(second.try_recv().is_err());

        drop(send(&mut pending));
        let mut fourth = send(&mut pending);
        pending.response(frame(&[("Response", "Success"), ("ActionID", "t-3")]));
        assert!(fourth.try_recv().unwrap().is_ok());
        assert_eq!(pending.entries.keys().copied().collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_an_unknown_outcome() {
        let mut pending = pending();
        let (mut first, mut second) = (send(&mut pending), send(&mut pending));
        pending.lost(b"Response: Success\r\nActionID: t-1\r\nOutput: x");
        assert_eq!(second.try_recv().unwrap(), Err(ActionError::UnknownOutcome));
        assert!(first.try_recv().is_err());
        pending.lost(b"Response: Success\r\nActionID: t-9\r\nOutput: x");
        assert!(first.try_recv().is_err());
        pending.lost(b"Response: Error");
        assert_eq!(first.try_recv().unwrap(), Err(ActionError::UnknownOutcome));
    }

    #[test]
    fn abandoned_actions_never_fill_the_table() {
        let mut pending = pending();
        for _ in 0..MAX_IN_FLIGHT {
            drop(send(&mut pending));
        }
        assert!(pending.has_room());
        assert!(pending.entries.is_empty());
        let waiting: Vec<_> = (0..MAX_IN_FLIGHT).map(|_| send(&mut pending)).collect();
        assert!(!pending.has_room());
        drop(waiting);
    }

    #[test]
    fn a_list_is_bounded_and_its_rest_is_swallowed() {
        let mut pending = pending();
        let (reply, mut answer) = oneshot::channel();
        pending.insert(Reply::list(reply), true);
        pending.response(frame(&[("Response", "Success"), ("ActionID", "t-0")]));
        let item = frame(&[("Event", "Item"), ("ActionID", "t-0")]);
        for _ in 0..=MAX_LIST_ITEMS {
            pending.list_event(item.clone());
        }
        assert_eq!(answer.try_recv().unwrap(), Err(ActionError::ListTooLong));
        pending.list_event(item);
        let end = frame(&[("Event", "ItemComplete"), ("ActionID", "t-0")]);
        pending.list_event(end);
        assert!(pending.entries.is_empty());
        assert_eq!(pending.lists, 0);
    }

    #[test]
    fn events_of_others_belong_to_no_list() {
        let mut pending = pending();
        let (reply, _answer) = oneshot::channel();
        pending.insert(Reply::list(reply), true);
        let _single = send(&mut pending);
        for id in ["t-1", "t-9", "x-0", "t-", "", "t0"] {
            let event = frame(&[("Event", "OriginateResponse"), ("ActionID", id)]);
            assert!(!pending.is_of_list(&event), "{id}");
        }
        let event = frame(&[("Event", "Newchannel")]);
        assert!(!pending.is_of_list(&event));
    }

    #[test]
    fn unknown_answers_are_ignored() {
        let mut pending = pending();
        let mut answer = send(&mut pending);
        pending.response(frame(&[("Response", "Success"), ("ActionID", "other")]));
        pending.response(frame(&[("Response", "Success")]));
        assert!(answer.try_recv().is_err());
        pending.fail_all();
        assert_eq!(answer.try_recv().unwrap(), Err(ActionError::UnknownOutcome));
    }
}
