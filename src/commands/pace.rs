//! `strowger pace --stdio`: the pacing of one campaign for any program that speaks lines
//! of JSON.

use std::io::{self, BufRead, Read, Write};

use clap::Args;
use strowger_sim::shift::{Reply, Session};

/// How to talk.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Read events from standard input and answer on standard output, a line for a line.
    #[arg(long, required = true)]
    pub stdio: bool,
    /// Seed of what the pacer draws at random.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Longer lines are refused, in bytes.
const MAX_LINE: u64 = 64 * 1024;

/// Answers each line of `from` with one line on `to`, until there are no more.
///
/// # Errors
/// Only when reading or writing fails: what a line says never does.
pub fn run(mut from: impl BufRead, mut to: impl Write, options: &Options) -> io::Result<()> {
    let mut session = Session::new(options.seed);
    let mut line = Vec::new();
    loop {
        line.clear();
        if from.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let whole = line.ends_with(b"\n") || (line.len() as u64) < MAX_LINE;
        let reply: Reply = if whole {
            match std::str::from_utf8(&line) {
                Ok(text) => session.line(text),
                Err(_) => session.refused("is not UTF-8"),
            }
        } else {
            skip_line(&mut from)?;
            session.refused("is longer than 65536 bytes")
        };
        serde_json::to_writer(&mut to, &reply)?;
        to.write_all(b"\n")?;
        to.flush()?;
    }
}

/// Reads on to the end of the line.
fn skip_line(from: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = from.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        if let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            from.consume(end + 1);
            return Ok(());
        }
        let length = buffer.len();
        from.consume(length);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn talk(input: &[u8]) -> Vec<Value> {
        let (mut output, options) = (
            Vec::new(),
            Options {
                stdio: true,
                seed: 1,
            },
        );
        run(input, &mut output, &options).unwrap();
        assert!(output.is_empty() || output.ends_with(b"\n"));
        let text = String::from_utf8(output).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn lines(lines: &[&str]) -> Vec<Value> {
        let replies = talk((lines.join("\n") + "\n").as_bytes());
        assert_eq!(
            replies.len(),
            lines.len(),
            "one reply per line: {replies:?}"
        );
        for reply in &replies {
            assert!(reply["dial"].is_u64(), "{reply}");
            assert!(reply["cancel"].is_array(), "{reply}");
            assert!(
                reply["wake"].is_null() || reply["wake"].is_number(),
                "{reply}"
            );
        }
        replies
    }

    fn error(line: &str) -> String {
        let reply = lines(&[line]).remove(0);
        assert_eq!(reply["dial"], 0);
        reply["error"].as_str().unwrap_or_default().to_owned()
    }

    #[test]
    fn a_free_agent_is_dialed_for() {
        let replies = lines(&[
            r#"{"t":0,"ev":"config","abandon_limit":0.03}"#,
            r#"{"t":5,"ev":"agent_available","agent":"ann"}"#,
            r#"{"t":6,"ev":"tick"}"#,
        ]);
        let dialed: u64 = replies
            .iter()
            .filter_map(|reply| reply["dial"].as_u64())
            .sum();
        assert!(dialed >= 1, "{replies:?}");
        assert!(replies[1]["wake"].as_f64().is_some_and(|wake| wake > 5.0));
        assert_eq!(replies[1].get("error"), None);
    }

    #[test]
    fn every_line_that_cannot_be_read_is_answered_and_changes_nothing() {
        for (line, says) in [
            ("", "is empty"),
            ("nonsense", "not JSON"),
            ("[1]", "not a JSON object"),
            (r#"{"ev":"tick"}"#, "field t"),
            (r#"{"t":"now","ev":"tick"}"#, "field t"),
            (r#"{"t":1}"#, "field ev"),
            (r#"{"t":1,"ev":"dance"}"#, "\"dance\""),
            (r#"{"t":1,"ev":"agent_busy"}"#, "field agent is missing"),
            (r#"{"t":1,"ev":"agent_busy","agent":[1]}"#, "field agent"),
            (
                r#"{"t":1,"ev":"answered","line":1,"by":"ghost"}"#,
                "field by",
            ),
            (
                r#"{"t":1,"ev":"config","abandon_limit":3}"#,
                "abandon_limit",
            ),
            (r#"{"t":1,"ev":"config","max_lines":-3}"#, "max_lines"),
            (
                r#"{"t":1,"ev":"ended","line":1,"disposition":7}"#,
                "field disposition",
            ),
        ] {
            let error = error(line);
            assert!(
                error.starts_with("line 1: ") && error.contains(says),
                "{line}: {error}"
            );
        }
    }

    #[test]
    fn bytes_that_are_no_text_and_lines_without_end_get_one_reply_each() {
        let mut input = b"\xff\xfe\n".to_vec();
        input.extend(std::iter::repeat_n(b'x', 300_000));
        input.extend(b"\n{\"t\":1,\"ev\":\"tick\"}\n{\"t\":2,\"ev\":\"tick\"}");
        let replies = talk(&input);
        assert_eq!(replies.len(), 4, "{replies:?}");
        assert_eq!(replies[0]["error"], "line 1: is not UTF-8");
        assert_eq!(replies[1]["error"], "line 2: is longer than 65536 bytes");
        assert_eq!(replies[3].get("error"), None, "the last line needs no end");
    }

    #[test]
    fn time_that_goes_back_is_held_and_said() {
        let replies = lines(&[
            r#"{"t":50,"ev":"tick"}"#,
            r#"{"t":20,"ev":"agent_available","agent":1}"#,
            r#"{"t":51,"ev":"tick"}"#,
        ]);
        let note = replies[1]["note"].as_str().unwrap();
        assert!(note.contains("from 50.0 to 20.0"), "{note}");
        let dialed: u64 = replies
            .iter()
            .filter_map(|reply| reply["dial"].as_u64())
            .sum();
        assert!(dialed >= 1, "the event itself is taken: {replies:?}");
    }

    #[test]
    fn an_unknown_setting_is_ignored_and_said() {
        let replies = lines(&[r#"{"t":0,"ev":"config","abandon_limt":0.5}"#]);
        let note = replies[0]["note"].as_str().unwrap();
        assert!(
            note.contains("abandon_limt") && note.contains("abandon_limit"),
            "{note}"
        );
    }

    #[test]
    fn lines_are_given_up_by_the_name_that_they_came_with() {
        // Two agents leave and the third is on another call while lines ring for them: who
        // answers now would be abandoned.
        let mut input = vec![
            r#"{"t":0,"ev":"agent_available","agent":"a"}"#.to_owned(),
            r#"{"t":0,"ev":"agent_available","agent":2}"#.to_owned(),
            r#"{"t":0,"ev":"agent_available","agent":"c"}"#.to_owned(),
            r#"{"t":0,"ev":"dialed","line":"x-1"}"#.to_owned(),
            r#"{"t":0,"ev":"dialed","line":7}"#.to_owned(),
            r#"{"t":1,"ev":"agent_gone","agent":"a"}"#.to_owned(),
            r#"{"t":1,"ev":"agent_gone","agent":2}"#.to_owned(),
            r#"{"t":1,"ev":"agent_busy","agent":"c"}"#.to_owned(),
        ];
        input.extend(
            (4..60).map(|half| format!(r#"{{"t":{},"ev":"tick"}}"#, f64::from(half) / 2.0)),
        );
        let replies = lines(&input.iter().map(String::as_str).collect::<Vec<_>>());
        let cancelled: Vec<(f64, Value)> = (input.iter().zip(&replies))
            .flat_map(|(line, reply)| {
                let at = serde_json::from_str::<Value>(line).unwrap()["t"]
                    .as_f64()
                    .unwrap();
                let lines = reply["cancel"].as_array().unwrap().clone();
                lines.into_iter().map(move |line| (at, line))
            })
            .collect();
        let names: Vec<&Value> = cancelled.iter().map(|(_, line)| line).collect();
        assert!(names.contains(&&Value::from("x-1")), "{cancelled:?}");
        assert!(names.contains(&&Value::from(7)), "{cancelled:?}");
        assert!(cancelled.iter().all(|(at, _)| *at >= 15.0), "{cancelled:?}");
    }

    #[test]
    fn common_words_for_the_end_of_a_line_are_understood() {
        for word in [
            "completed",
            "no-answer",
            "NOANSWER",
            "No Answer",
            "busy",
            "failed",
            "congestion",
            "cancelled",
            "canceled",
            "machine",
            "answered-machine",
            "abandoned",
            "CHANUNAVAIL",
            "carrier-failure",
            "something else",
            "",
        ] {
            let ended = format!(r#"{{"t":9,"ev":"ended","line":1,"disposition":"{word}"}}"#);
            let replies = lines(&[
                r#"{"t":0,"ev":"dialed","line":1}"#,
                &ended,
                r#"{"t":10,"ev":"ended","line":"never dialed"}"#,
            ]);
            assert!(
                replies.iter().all(|reply| reply.get("error").is_none()),
                "{replies:?}"
            );
        }
    }
}
