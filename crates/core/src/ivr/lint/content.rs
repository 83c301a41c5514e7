//! What is wrong inside one node.

use std::collections::HashSet;

use super::{
    Code, Report, label,
    limits::{
        self, Bounds, MAX_CHOICES, MAX_KEY_DIGITS, MAX_NAME_CHARS, MAX_NUMBER_CHARS,
        MAX_PROMPT_CHARS,
    },
};
use crate::ivr::{
    calendar::{Calendar, CalendarError},
    graph::{CalendarContent, MenuContent, Node, NodeContent, Prompt},
    ports::shorten,
};

pub(super) fn check_content(node: &Node, report: &mut Report) {
    let mut check = Check {
        node,
        place: label(node),
        report,
    };
    check.identity();
    match &node.content {
        NodeContent::Start(_) | NodeContent::Hangup(_) => {}
        NodeContent::Media(media) => {
            check.prompt(&media.prompt, "its prompt");
            check.something_to_say(&media.prompt);
        }
        NodeContent::Menu(menu) => check.menu(menu),
        NodeContent::Calendar(calendar) => check.calendar(calendar),
        NodeContent::Transfer(transfer) => {
            check.number(&transfer.number);
            check.range("ringSeconds", transfer.ring_seconds(), limits::RING);
            check.name("trunk", transfer.trunk.as_deref());
        }
        NodeContent::Voicemail(voicemail) => {
            check.prompt(&voicemail.prompt, "its prompt");
            check.something_to_say(&voicemail.prompt);
            check.name("mailbox", voicemail.mailbox.as_deref());
            check.range("maxSeconds", voicemail.max_seconds(), limits::MESSAGE);
            check.range(
                "silenceSeconds",
                voicemail.silence_seconds(),
                limits::SILENCE,
            );
        }
        NodeContent::Queue(queue) => {
            if queue.queue_id.trim().is_empty() {
                let message = format!("{} names no queue; set queueId.", check.place);
                check.error(Code::QueueWithoutId, message);
            }
            check.length("queueId", &queue.queue_id);
            check.range("maxWaitSeconds", queue.max_wait_seconds(), limits::WAIT);
            check.name("music", queue.music.as_deref());
        }
        NodeContent::Unknown(raw) => {
            let message = format!(
                "{} has the type “{}”, which does not exist; replace the node.",
                check.place,
                shorten(&raw.type_name)
            );
            check.error(Code::UnknownNodeType, message);
        }
        NodeContent::Malformed(raw) => {
            let message = format!(
                "The content of {} cannot be read: {}.",
                check.place,
                shorten(&raw.problem)
            );
            check.error(Code::MalformedContent, message);
        }
    }
}

struct Check<'a> {
    node: &'a Node,
    place: String,
    report: &'a mut Report,
}

impl Check<'_> {
    fn error(&mut self, code: Code, message: String) {
        self.report.error(code, Some(self.node), message);
    }

    fn warning(&mut self, code: Code, message: String) {
        self.report.warning(code, Some(self.node), message);
    }

    fn identity(&mut self) {
        if self.node.id.as_str().is_empty() {
            let message = format!("{} has no id; give it one.", self.place);
            self.error(Code::EmptyId, message);
        }
        self.length("id", self.node.id.as_str());
        self.length("name", &self.node.name);
    }

    fn menu(&mut self, menu: &MenuContent) {
        self.prompt(&menu.prompt, "its prompt");
        self.something_to_say(&menu.prompt);
        self.prompt(&menu.invalid(), "what it says after a wrong key");
        self.range(
            "timeoutSeconds",
            menu.timeout_seconds(),
            limits::MENU_TIMEOUT,
        );
        self.range("maxAttempts", menu.max_attempts(), limits::MENU_ATTEMPTS);
        if menu.options.is_empty() {
            let message = format!("{} has no options; add at least one key.", self.place);
            self.error(Code::MenuWithoutOptions, message);
        }
        if !self.choices("options", menu.options.len()) {
            return;
        }
        let mut keys = HashSet::new();
        for option in &menu.options {
            let key = shorten(&option.key);
            if !is_key(&option.key) {
                let message = format!(
                    "The key “{key}” of {} cannot be pressed; use digits, * and #, at most \
                     {MAX_KEY_DIGITS} of them.",
                    self.place
                );
                self.error(Code::IllegalKey, message);
            } else if !keys.insert(&option.key) {
                let message = format!(
                    "The key “{key}” stands twice in {}; give each option its own key.",
                    self.place
                );
                self.error(Code::DuplicateKey, message);
            }
            if option.port_id.as_str().is_empty() {
                let message = format!(
                    "The option with key “{key}” of {} has no portId, so nothing can be connected \
                     to it; add one.",
                    self.place
                );
                self.error(Code::OptionWithoutPort, message);
            }
            self.length("portId", option.port_id.as_str());
            self.length("label", &option.label);
        }
    }

    fn calendar(&mut self, calendar: &CalendarContent) {
        if !self.choices("events", calendar.events.len()) {
            return;
        }
        for problem in Calendar::problems(calendar) {
            let code = match problem {
                CalendarError::UnknownTimezone(_) => Code::InvalidTimezone,
                CalendarError::Event { .. } => Code::InvalidEvent,
            };
            let message = format!("In {}: {problem}.", self.place);
            self.error(code, message);
        }
        for event in &calendar.events {
            if event.is_recurring && event.days.is_empty() {
                let message = format!(
                    "The event “{}” of {} recurs on no day, so it never matches; choose its days.",
                    shorten(&event.name),
                    self.place
                );
                self.warning(Code::EventNeverMatches, message);
            }
            self.length("event id", event.id.as_str());
            self.length("event name", &event.name);
        }
    }

    fn choices(&mut self, what: &str, count: usize) -> bool {
        if count > MAX_CHOICES {
            let message = format!(
                "{} has {count} {what}, and {MAX_CHOICES} is the limit.",
                self.place
            );
            self.error(Code::TooManyChoices, message);
        }
        count <= MAX_CHOICES
    }

    fn prompt(&mut self, prompt: &Prompt, what: &str) {
        let text = prompt.text.as_deref().unwrap_or_default();
        if longer(text, MAX_PROMPT_CHARS) {
            let message = format!(
                "In {}, {what} is longer than {MAX_PROMPT_CHARS} characters; shorten it or use a \
                 recording.",
                self.place
            );
            self.error(Code::TextTooLong, message);
        }
        self.file(prompt.audio.as_deref().unwrap_or_default());
    }

    fn something_to_say(&mut self, prompt: &Prompt) {
        if prompt.is_empty() {
            let message = format!(
                "{} has neither a prompt nor audio; the caller hears nothing.",
                self.place
            );
            self.warning(Code::NothingToSay, message);
        }
    }

    /// A number ends up in a dial string, where `&`, `,`, `/` and `@` mean something.
    fn number(&mut self, number: &str) {
        let after_plus = number.strip_prefix('+').unwrap_or(number);
        let plausible = number.len() <= MAX_NUMBER_CHARS
            && after_plus.bytes().all(is_telephone_key)
            && after_plus.bytes().any(|byte| byte.is_ascii_digit());
        if !plausible {
            let message = format!(
                "{} has no number that can be called: “{}”. Write digits, * and #, with a + only \
                 at the beginning, at most {MAX_NUMBER_CHARS} characters and no spaces.",
                self.place,
                shorten(number)
            );
            self.error(Code::InvalidNumber, message);
        }
    }

    /// A name that the exchange reads, where punctuation could mean something.
    fn name(&mut self, what: &str, name: Option<&str>) {
        let name = name.unwrap_or_default();
        self.length(what, name);
        if !name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        {
            let message = format!(
                "In {} the {what} is “{}”; only letters without accents, digits, “-”, “_” and “.” \
                 are possible.",
                self.place,
                shorten(name)
            );
            self.error(Code::InvalidName, message);
        }
    }

    /// A sound file: a name below the folder of sounds and nothing else.
    fn file(&mut self, file: &str) {
        self.length("audio", file);
        let inside = !file.starts_with('/') && file.split('/').all(|part| part != "..");
        let plain = file
            .chars()
            .all(|c| c.is_alphanumeric() || "-_./ ".contains(c));
        if !inside || !plain {
            let message = format!(
                "In {} the audio is “{}”; name a file below the folder of sounds with letters, \
                 digits, spaces, “-”, “_”, “.” and “/”.",
                self.place,
                shorten(file)
            );
            self.error(Code::InvalidName, message);
        }
    }

    fn length(&mut self, what: &str, text: &str) {
        if longer(text, MAX_NAME_CHARS) {
            let message = format!(
                "In {} the {what} “{}” is longer than {MAX_NAME_CHARS} characters; shorten it.",
                self.place,
                shorten(text)
            );
            self.error(Code::TextTooLong, message);
        }
    }

    fn range(&mut self, what: &str, value: u32, bounds: Bounds) {
        if !bounds.contain(value) {
            let Bounds(least, most) = bounds;
            let message = format!(
                "In {} {what} is {value}; it can be from {least} to {most}.",
                self.place
            );
            self.error(Code::OutOfRange, message);
        }
    }
}

fn is_key(key: &str) -> bool {
    (1..=MAX_KEY_DIGITS).contains(&key.len()) && key.bytes().all(is_telephone_key)
}

fn is_telephone_key(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'*' || byte == b'#'
}

fn longer(text: &str, chars: usize) -> bool {
    text.chars().nth(chars).is_some()
}
