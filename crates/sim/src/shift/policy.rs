//! Who decides what to dial.

use strowger_core::pacing::{Action, Event};

/// A person is late when not connected within so many seconds of the answer:
/// 16 CFR 310.4(b)(4)(ii).
pub(super) const WITHIN_S: f64 = 2.0;

/// How answered people reach agents under a policy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Routing {
    /// A person who has waited so long for an agent is dropped, in seconds.
    pub drop_after_s: f64,
    /// Each answered call looks for a free agent in a polling loop of its own, as
    /// VICIdial's do, instead of being handed the next one at once.
    pub polls: bool,
}

impl Routing {
    /// A free agent is handed the person who has waited longest, at once.
    pub fn instantaneous(drop_after_s: f64) -> Self {
        Self {
            drop_after_s,
            polls: false,
        }
    }
}

/// Decides when to dial how many lines of one campaign, and which to give up.
///
/// It is told everything that happens, and asked for actions after each moment in which
/// something did, and when the time of [`Self::poll_timeout`] has come, with
/// [`Event::Tick`].
pub trait Policy {
    /// Something happened. `now` is seconds since the start of the shift.
    fn handle(&mut self, now: f64, event: &Event<u64, u32>);
    /// What to do next, until there is nothing.
    fn poll_action(&mut self) -> Option<Action<u64>>;
    /// When to be woken if nothing happens before.
    fn poll_timeout(&self) -> Option<f64>;
    /// How its answered people reach agents.
    fn routing(&self) -> Routing;
}

impl<P: Policy + ?Sized> Policy for Box<P> {
    fn handle(&mut self, now: f64, event: &Event<u64, u32>) {
        (**self).handle(now, event);
    }

    fn poll_action(&mut self) -> Option<Action<u64>> {
        (**self).poll_action()
    }

    fn poll_timeout(&self) -> Option<f64> {
        (**self).poll_timeout()
    }

    fn routing(&self) -> Routing {
        (**self).routing()
    }
}
