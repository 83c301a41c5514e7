//! Splitting arguments like Asterisk.

/// Splits at commas outside of quotes and brackets; a backslash takes the next
/// character as it is (`__ast_app_separate_args` of Asterisk).
pub(crate) fn separate(text: &str) -> Vec<String> {
    let (mut arguments, mut last) = (Vec::new(), String::new());
    let (mut round, mut square, mut quoted) = (0_u32, 0_u32, false);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '(' => round += 1,
            ')' => round = round.saturating_sub(1),
            '[' => square += 1,
            ']' => square = square.saturating_sub(1),
            '"' => {
                quoted = !quoted;
                continue;
            }
            '\\' => {
                last.extend(characters.next());
                continue;
            }
            ',' if round == 0 && square == 0 && !quoted => {
                arguments.push(std::mem::take(&mut last));
                continue;
            }
            _ => {}
        }
        last.push(character);
    }
    arguments.push(last);
    arguments
}

/// Reads a caller id: `Name <number>`, `"Name" <number>` or a number alone.
/// Gives the number and the name.
pub(crate) fn caller_id(text: &str) -> (String, String) {
    match text.rsplit_once('<') {
        Some((name, number)) => (
            number.trim_end().trim_end_matches('>').to_owned(),
            name.trim().trim_matches('"').to_owned(),
        ),
        None => (text.trim().to_owned(), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separates() {
        assert_eq!(
            separate(r#"a,"b,c",d\,e,f(g,h)"#),
            ["a", "b,c", "d,e", "f(g,h)"]
        );
        assert_eq!(separate(""), [""]);
    }

    #[test]
    fn caller_ids() {
        let pair = |number: &str, name: &str| (number.to_owned(), name.to_owned());
        assert_eq!(caller_id("\"Shop\" <+331>"), pair("+331", "Shop"));
        assert_eq!(caller_id("Shop <331>"), pair("331", "Shop"));
        assert_eq!(caller_id("331"), pair("331", ""));
    }
}
