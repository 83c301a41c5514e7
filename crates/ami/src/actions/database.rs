//! The database of Asterisk (`astdb`).

use super::needed;
use crate::action::Action;

/// Asks for a value, as a list of one [`DbEntry`](crate::event::lists::DbEntry)
/// named `DBGetResponse`; an error if there is none. Class `system` or `reporting`.
pub fn db_get(family: &str, key: &str) -> Action {
    entry("DBGet", family, key)
}

/// Asks for all values of a family, or below a key of it, as a list of
/// [`DbEntry`](crate::event::lists::DbEntry) named `DBGetTreeResponse` (late 16 and
/// later). Class `system` or `reporting`.
pub fn db_get_tree(family: &str, key: Option<&str>) -> Action {
    needed(Action::new("DBGetTree"), "Family", family).header_opt("Key", key)
}

/// Writes a value. Class `system`.
pub fn db_put(family: &str, key: &str, value: &str) -> Action {
    entry("DBPut", family, key).header("Val", value)
}

/// Deletes a value. Class `system`.
pub fn db_del(family: &str, key: &str) -> Action {
    entry("DBDel", family, key)
}

/// Deletes a family, or what is below a key of it. Class `system`.
pub fn db_del_tree(family: &str, key: Option<&str>) -> Action {
    needed(Action::new("DBDelTree"), "Family", family).header_opt("Key", key)
}

fn entry(name: &'static str, family: &str, key: &str) -> Action {
    needed(needed(Action::new(name), "Family", family), "Key", key)
}
