//! How large a flow and the numbers in it may be.

/// The most nodes of a flow. A walk without loop then ends within the step budget of a call.
pub const MAX_NODES: usize = 500;
/// The most connections of a flow.
pub const MAX_CONNECTIONS: usize = 2_000;
/// The most options of a menu and the most events of a calendar.
pub const MAX_CHOICES: usize = 100;
/// The longest prompt in characters; about three minutes of speech.
pub const MAX_PROMPT_CHARS: usize = 2_000;
/// The longest id or name in characters. Ids of nodes are kept with every call.
pub const MAX_NAME_CHARS: usize = 200;
/// The longest number in characters.
pub(in crate::ivr) const MAX_NUMBER_CHARS: usize = 32;
/// The longest key of a menu in digits.
pub(in crate::ivr) const MAX_KEY_DIGITS: usize = 16;

/// Seconds to answer a menu.
pub(in crate::ivr) const MENU_TIMEOUT: Bounds = Bounds(1, 60);
/// Attempts at a menu.
pub(in crate::ivr) const MENU_ATTEMPTS: Bounds = Bounds(1, 10);
/// Seconds of ringing.
pub(in crate::ivr) const RING: Bounds = Bounds(1, 300);
/// Seconds of a message.
pub(in crate::ivr) const MESSAGE: Bounds = Bounds(1, 3_600);
/// Seconds of silence that end a message; 0 is never.
pub(in crate::ivr) const SILENCE: Bounds = Bounds(0, 60);
/// Seconds in a queue.
pub(in crate::ivr) const WAIT: Bounds = Bounds(1, 14_400);

/// The least and the most, both allowed.
#[derive(Debug, Clone, Copy)]
pub(in crate::ivr) struct Bounds(pub(in crate::ivr) u32, pub(in crate::ivr) u32);

impl Bounds {
    pub(in crate::ivr) fn contain(self, value: u32) -> bool {
        (self.0..=self.1).contains(&value)
    }

    pub(in crate::ivr) fn clamp(self, value: u32) -> u32 {
        value.clamp(self.0, self.1)
    }
}
