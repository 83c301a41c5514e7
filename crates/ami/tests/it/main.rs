//! The crate seen from outside: golden frames, properties of the codec, and the
//! client against a scripted server on loopback sockets.

#[cfg(test)]
mod actions;
#[cfg(test)]
mod client;
#[cfg(test)]
mod codec;
#[cfg(test)]
mod consumers;
#[cfg(test)]
mod events;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod server;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod tls;
