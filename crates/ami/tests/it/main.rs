//! The crate seen from outside: golden frames, properties of the codec, and the
//! client against a scripted server on loopback sockets.

mod actions;
mod client;
mod codec;
mod consumers;
mod events;
mod golden;
#[cfg(test)]
mod server;
mod sessions;
