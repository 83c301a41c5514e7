//! Configuration, modules and the log.

use super::needed;
use crate::action::{Action, EncodeError};

/// Reads the configuration of a module again, or of all without one; a
/// [`ModuleEvent`](crate::event::ModuleEvent) follows. Class `system` or `config`.
pub fn reload(module: Option<&str>) -> Action {
    Action::new("Reload").header_opt("Module", module)
}

/// What happens to a module, see [`module_load`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModuleLoad {
    /// It is loaded.
    Load,
    /// It is unloaded.
    Unload,
    /// It reads its configuration again.
    Reload,
    /// It is unloaded and loaded (18 and later).
    Refresh,
}

/// Loads, unloads or reloads a module, such as `app_queue.so`. Class `system`.
pub fn module_load(module: &str, what: ModuleLoad) -> Action {
    needed(Action::new("ModuleLoad"), "Module", module).header(
        "LoadType",
        match what {
            ModuleLoad::Load => "load",
            ModuleLoad::Unload => "unload",
            ModuleLoad::Reload => "reload",
            ModuleLoad::Refresh => "refresh",
        },
    )
}

/// Asks whether a module is loaded, such as `app_queue`: an error if not. Class
/// `system`.
pub fn module_check(module: &str) -> Action {
    needed(Action::new("ModuleCheck"), "Module", module)
}

/// Begins new files of the log. Class `system` or `reporting`.
pub fn logger_rotate() -> Action {
    Action::new("LoggerRotate")
}

/// Asks for a file of the configuration, such as `queues.conf`, or a category of
/// it; the answer has `Category-000000`, `Line-000000-000000` and so on, passwords
/// included. Class `system` or `config`.
pub fn get_config(file: &str, category: Option<&str>) -> Action {
    in_file("GetConfig", "Filename", file).header_opt("Category", category)
}

/// The same as [`get_config`], as one header `JSON`.
pub fn get_config_json(file: &str, category: Option<&str>) -> Action {
    in_file("GetConfigJSON", "Filename", file).header_opt("Category", category)
}

/// Asks for the categories of a file of the configuration; the answer has
/// `Category-000000` and so on. Class `config`.
pub fn list_categories(file: &str) -> Action {
    in_file("ListCategories", "Filename", file)
}

/// Makes an empty file of the configuration. Class `config`.
pub fn create_config(file: &str) -> Action {
    in_file("CreateConfig", "Filename", file)
}

/// One change of a file of the configuration, see [`update_config`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigChange {
    /// A category is added.
    NewCategory(String),
    /// A category is removed.
    DeleteCategory(String),
    /// A variable is added at the end of a category.
    Append {
        /// The category.
        category: String,
        /// The variable.
        variable: String,
        /// Its value.
        value: String,
    },
    /// A variable has another value.
    Update {
        /// The category.
        category: String,
        /// The variable.
        variable: String,
        /// Its value.
        value: String,
    },
    /// A variable is removed.
    Delete {
        /// The category.
        category: String,
        /// The variable.
        variable: String,
    },
}

/// Changes a file of the configuration in place, in this order, and reads it again
/// if `reload` names a module. Comments survive, the layout may not. Class
/// `config`, which can do anything: better not given to an account.
pub fn update_config(file: &str, changes: &[ConfigChange], reload: Option<&str>) -> Action {
    let mut action = in_file("UpdateConfig", "SrcFilename", file)
        .header("DstFilename", file)
        .header_opt("Reload", reload);
    for (number, change) in changes.iter().enumerate() {
        let (name, category, variable, value) = match change {
            ConfigChange::NewCategory(category) => ("NewCat", category, None, None),
            ConfigChange::DeleteCategory(category) => ("DelCat", category, None, None),
            ConfigChange::Append {
                category,
                variable,
                value,
            } => ("Append", category, Some(variable), Some(value)),
            ConfigChange::Update {
                category,
                variable,
                value,
            } => ("Update", category, Some(variable), Some(value)),
            ConfigChange::Delete { category, variable } => {
                ("Delete", category, Some(variable), None)
            }
        };
        action = action
            .header(format!("Action-{number:06}"), name)
            .header(format!("Cat-{number:06}"), category)
            .header_opt(format!("Var-{number:06}"), variable)
            .header_opt(format!("Value-{number:06}"), value);
    }
    action
}

/// Only a file of the configuration directory: Asterisk takes any path.
fn in_file(name: &'static str, key: &'static str, file: &str) -> Action {
    let action = needed(Action::new(name), key, file);
    if file.starts_with('/') || file.contains("..") {
        return action.refuse(EncodeError::Value(file.to_owned(), key));
    }
    action
}
