//! Which events there are: one line each, from which the enums and the lookup by
//! name are made.

/// Makes [`EventKind`](super::EventKind), [`Event`](super::Event) and what turns
/// the one into the other.
///
/// A line is: documentation, variant, type of its fields, name on the wire, class
/// of `manager.h` that an account must read to see it.
macro_rules! event_table {
    ($( $(#[$doc:meta])* $variant:ident($payload:ident) = $name:literal in $class:ident; )+) => {
        /// Which event a frame is. [`Event::kind`] tells; [`EventSet`] holds several.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum EventKind {
            $( $(#[$doc])* $variant, )+
            /// Any event without a variant of its own.
            Other,
        }

        impl EventKind {
            /// Every kind, in the order of the documentation.
            pub const ALL: &[Self] = &[$( Self::$variant, )+ Self::Other];

            /// The kind of an event's name as Asterisk writes it.
            fn of_wire_name(name: &str) -> Self {
                match name {
                    $( $name => Self::$variant, )+
                    _ => Self::Other,
                }
            }

            /// Its name as Asterisk writes it; empty for [`EventKind::Other`].
            pub fn name(self) -> &'static str {
                match self {
                    $( Self::$variant => $name, )+
                    Self::Other => "",
                }
            }

            /// The class of manager events that it belongs to; `None` for
            /// [`EventKind::Other`], which may be of any.
            pub fn class(self) -> Option<EventClass> {
                match self {
                    $( Self::$variant => Some(EventClass::$class), )+
                    Self::Other => None,
                }
            }
        }

        /// Something that happened in Asterisk: a frame with typed fields.
        ///
        /// A field is read from the frame when it is asked for. What Asterisk
        /// reports as `<unknown>` or leaves out is an empty string or `None`; a
        /// number that cannot be read is `None` or 0, as its method says. Every
        /// header, also one without a method, is in [`Event::raw`].
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Event {
            $( $(#[$doc])* $variant($payload), )+
            /// Any other event, or one of the above without a header that it
            /// must have.
            Other(Message),
        }

        impl Event {
            /// Types a frame that is known to be of this kind.
            pub(crate) fn of_kind(kind: EventKind, raw: Message) -> Self {
                match kind {
                    $( EventKind::$variant => $payload::new(raw).map_or_else(Self::Other, Self::$variant), )+
                    EventKind::Other => Self::Other(raw),
                }
            }

            /// Which event it is.
            pub fn kind(&self) -> EventKind {
                match self {
                    $( Self::$variant(_) => EventKind::$variant, )+
                    Self::Other(_) => EventKind::Other,
                }
            }

            /// The frame, for headers that have no method.
            pub fn raw(&self) -> &Message {
                match self {
                    $( Self::$variant(event) => event.raw(), )+
                    Self::Other(raw) => raw,
                }
            }

            /// Every field with its value, for the tests of this crate: secrets are
            /// not taken out, unlike in [`Debug`](std::fmt::Debug).
            #[doc(hidden)]
            pub fn typed_fields(&self) -> Vec<(&'static str, String)> {
                match self {
                    $( Self::$variant(event) => event.typed_fields(), )+
                    Self::Other(_) => Vec::new(),
                }
            }

            /// The frame itself.
            pub fn into_raw(self) -> Message {
                match self {
                    $( Self::$variant(event) => event.into_raw(), )+
                    Self::Other(raw) => raw,
                }
            }
        }
    };
}

/// Makes the type of an event's fields: a frame and one method for each field.
///
/// `requires` names the headers without which the event is not of this type; a
/// field is `method -> type = reader(header)`, the readers are in `fields.rs`.
macro_rules! payload {
    (
        $(#[$doc:meta])*
        $name:ident requires [$($required:literal),*] {
            $( $(#[$field_doc:meta])* $field:ident -> $type:ty = $reader:ident($key:literal); )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(Message);

        impl $name {
            /// Types a frame, such as an item of
            /// [`Client::list`](crate::Client::list), whatever its name is.
            ///
            /// # Errors
            /// Gives the frame back if it lacks a header that it must have.
            pub fn new(raw: Message) -> Result<Self, Message> {
                let required: &[&str] = &[$($required),*];
                if required.iter().all(|key| raw.bytes(key).is_some_and(|value| !value.is_empty())) {
                    Ok(Self(raw))
                } else {
                    Err(raw)
                }
            }

            $(
                $(#[$field_doc])*
                pub fn $field(&self) -> $type {
                    $reader(&self.0, $key)
                }
            )*

            /// Every field with its value, for the tests of this crate: secrets are
            /// not taken out, unlike in [`Debug`](std::fmt::Debug).
            #[doc(hidden)]
            pub fn typed_fields(&self) -> Vec<(&'static str, String)> {
                vec![$( (stringify!($field), format!("{:?}", self.$field())) ),*]
            }

            /// The frame, for headers that have no method.
            pub fn raw(&self) -> &Message {
                &self.0
            }

            /// The frame itself.
            pub fn into_raw(self) -> Message {
                self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.0).finish()
            }
        }
    };
}

pub(super) use {event_table, payload};
