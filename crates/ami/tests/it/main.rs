//! The crate seen from outside: golden frames, properties of the codec, and the
//! client against a scripted server on loopback sockets.

mod client;
mod codec;
#[cfg(test)]
mod events;
#[cfg(test)]
mod server;
