//! The whole daemon, and the rules of the house. One binary, because each one links everything.

#![expect(
    clippy::disallowed_methods,
    reason = "tests live outside, where the clock is"
)]

mod dependencies;
