//! Channel variables.

use super::{is_variable_name, on_channel};
use crate::action::{Action, EncodeError};

/// Quotes a value for the right side of a `Variable:` header.
///
/// Asterisk cuts such a header at commas, drops quotation marks and counts
/// brackets (`__ast_app_separate_args` in `main/app.c`, 16 to 23), but takes any
/// character behind a backslash as it is. With a backslash before each character
/// that has a meaning, every value survives unchanged; only line breaks and NUL
/// cannot be written, and [`Action::encode`] refuses those. Checked against
/// Asterisk 22.10.1, which gave every such character back.
///
/// ```
/// use strowger_ami::actions::quote_variable;
/// assert_eq!(quote_variable(r#"Doe, "J" (x)"#), r#"Doe\, \"J\" \(x\)"#);
/// ```
pub fn quote_variable(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 8);
    for c in value.chars() {
        if matches!(c, '\\' | '"' | ',' | '(' | ')' | '[' | ']') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Sets a variable of a channel. The value needs no quoting here, but Asterisk
/// takes away the blanks at its begin. Class `call`.
pub fn set_var(channel: &str, name: &str, value: &str) -> Action {
    set(
        on_channel(Action::new("Setvar"), "Channel", channel),
        name,
        value,
    )
}

/// Sets a global variable; see [`set_var`]. Class `call`.
pub fn set_global(name: &str, value: &str) -> Action {
    set(Action::new("Setvar"), name, value)
}

fn set(action: Action, name: &str, value: &str) -> Action {
    let action = action.header("Variable", name).header("Value", value);
    if is_variable_name(name) {
        action
    } else {
        action.refuse(EncodeError::VariableName(name.to_owned()))
    }
}

/// Reads a variable or a function of a channel, such as `CHANNEL(state)`; the
/// answer has it as `Value`. Class `call` or `reporting`.
pub fn get_var(channel: &str, name: &str) -> Action {
    on_channel(Action::new("Getvar"), "Channel", channel).header("Variable", name)
}

/// Reads a global variable; the answer has it as `Value`. Class `call` or `reporting`.
pub fn get_global(name: &str) -> Action {
    Action::new("Getvar").header("Variable", name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `__ast_app_separate_args` of `main/app.c` (Asterisk 22), transcribed with
    /// `delim = ','` and `remove_chars = 1`.
    fn separate_args(text: &str) -> Vec<Vec<u8>> {
        let (mut paren, mut bracket, mut quote) = (0_u32, 0_u32, false);
        let mut args = vec![Vec::new()];
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'(' => paren += 1,
                b')' => paren = paren.saturating_sub(1),
                b'[' => bracket += 1,
                b']' => bracket = bracket.saturating_sub(1),
                _ => {}
            }
            match byte {
                b'"' => quote = !quote,
                b'\\' => args.last_mut().unwrap().extend(bytes.next()),
                b',' if paren == 0 && bracket == 0 && !quote => args.push(Vec::new()),
                byte => args.last_mut().unwrap().push(byte),
            }
        }
        args
    }

    proptest! {
        #[test]
        fn any_variable_value_survives(value in "[ -~é,()\\[\\]\"\\\\=]{0,60}") {
            let header = format!("NAME={}", quote_variable(&value));
            let want = format!("NAME={value}").into_bytes();
            prop_assert_eq!(separate_args(&header), vec![want]);
        }
    }
}
