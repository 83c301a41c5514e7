//! Cutting a CSV file into records, whatever it holds.
//!
//! A quoted field may go over several lines. A quote that is opened and never closed would
//! swallow the rest of the file; here it costs the line that it stands in and no other.

/// Longest line, and longest record of several lines, in bytes.
const MAX_LEN: usize = 64 * 1024;

/// Most lines of one record. It bounds how often a line is looked at when quotes do not match.
const MAX_LINES: u64 = 20;

/// A part of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// One record, without its line end.
    Record {
        /// Its first line, from 1.
        line: u64,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// A line that is no record.
    Refused {
        /// Which, from 1.
        line: u64,
        /// Why.
        reason: &'static str,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    FieldStart,
    Plain,
    Quoted,
    QuoteInQuoted,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    buffer: Vec<u8>,
    /// Where the record begins in the buffer.
    head: usize,
    /// Where the scan goes on.
    at: usize,
    state: State,
    /// Line ends inside the record so far.
    inside: u64,
    /// Lines before the record.
    before: u64,
    /// In a line that is too long.
    skipping: bool,
    ended: bool,
    /// Known after the header.
    delimiter: Option<u8>,
}

const TOO_LONG: &str = "the line is longer than 64 KiB";
const NOT_CLOSED: &str = "a quotation mark is opened in this line and not closed within 20 lines: close it, or double it if it is part of the text";

impl Splitter {
    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.buffer.drain(..self.head);
        self.at -= self.head;
        self.head = 0;
        self.buffer.extend_from_slice(chunk);
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    pub(super) fn set_delimiter(&mut self, delimiter: u8) {
        self.delimiter = Some(delimiter);
    }

    /// The next part, or `None` when more of the file is needed. Empty lines are left out.
    pub(super) fn next_piece(&mut self) -> Option<Piece> {
        loop {
            if self.skipping && !self.skip() {
                return None;
            }
            while let Some(&byte) = self.buffer.get(self.at) {
                self.at += 1;
                if byte == b'\n' && self.state != State::Quoted {
                    match self.take_record(self.at - 1, self.at) {
                        Some(piece) => return Some(piece),
                        None => continue,
                    }
                }
                self.inside += u64::from(byte == b'\n');
                self.state = self.step(byte);
                if self.at - self.head > MAX_LEN || self.inside >= MAX_LINES {
                    return Some(self.give_up());
                }
            }
            if !self.ended || self.head == self.buffer.len() {
                return None;
            }
            if self.state == State::Quoted {
                return Some(self.give_up());
            }
            let end = self.buffer.len();
            if let Some(piece) = self.take_record(end, end) {
                return Some(piece);
            }
        }
    }

    fn step(&self, byte: u8) -> State {
        let delimiter = match self.delimiter {
            Some(delimiter) => byte == delimiter,
            None => matches!(byte, b',' | b';'),
        };
        match (self.state, byte) {
            (State::Quoted, b'"') => State::QuoteInQuoted,
            (State::FieldStart | State::QuoteInQuoted, b'"') | (State::Quoted, _) => State::Quoted,
            (State::FieldStart | State::Plain | State::QuoteInQuoted, _) if delimiter => {
                State::FieldStart
            }
            (State::FieldStart | State::Plain | State::QuoteInQuoted, _) => State::Plain,
        }
    }

    /// Takes the record that ends before `end`; the next one begins at `next`.
    fn take_record(&mut self, end: usize, next: usize) -> Option<Piece> {
        let bytes = self.buffer.get(self.head..end).unwrap_or_default();
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let record = (!bytes.trim_ascii().is_empty()).then(|| Piece::Record {
            line: self.before + 1,
            bytes: bytes.to_vec(),
        });
        self.before += self.inside + 1;
        self.begin(next);
        record
    }

    fn begin(&mut self, at: usize) {
        self.head = at;
        self.at = at;
        self.state = State::FieldStart;
        self.inside = 0;
    }

    /// Refuses the first line of a record that has no end and goes on after it.
    fn give_up(&mut self) -> Piece {
        let line = self.before + 1;
        let rest = self.buffer.get(self.head..self.at).unwrap_or_default();
        match rest.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                self.before += 1;
                self.begin(self.head + end + 1);
                Piece::Refused {
                    line,
                    reason: NOT_CLOSED,
                }
            }
            None if self.at - self.head > MAX_LEN => {
                self.skipping = true;
                self.begin(self.at);
                Piece::Refused {
                    line,
                    reason: TOO_LONG,
                }
            }
            None => {
                self.before += 1;
                self.begin(self.buffer.len());
                Piece::Refused {
                    line,
                    reason: NOT_CLOSED,
                }
            }
        }
    }

    /// Goes to the end of a line that is too long; false when more of the file is needed.
    fn skip(&mut self) -> bool {
        let rest = self.buffer.get(self.head..).unwrap_or_default();
        if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.before += 1;
            self.skipping = false;
            self.begin(self.head + end + 1);
            return true;
        }
        self.begin(self.buffer.len());
        false
    }
}

/// The fields of a record.
///
/// # Errors
/// Why it has none.
pub(super) fn fields(record: &str, delimiter: char) -> Result<Vec<String>, &'static str> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut state = State::FieldStart;
    for c in record.chars() {
        state = match (state, c) {
            (State::Quoted, '"') => State::QuoteInQuoted,
            (State::Quoted, _) => {
                field.push(c);
                State::Quoted
            }
            (State::QuoteInQuoted, '"') => {
                field.push('"');
                State::Quoted
            }
            (State::FieldStart, '"') => State::Quoted,
            (State::FieldStart | State::Plain | State::QuoteInQuoted, _) if c == delimiter => {
                fields.push(std::mem::take(&mut field));
                State::FieldStart
            }
            (State::QuoteInQuoted, _) => {
                return Err(
                    "a quotation mark closes in the middle of a field: double it if it is part of the text",
                );
            }
            (State::FieldStart | State::Plain, _) => {
                field.push(c);
                State::Plain
            }
        };
    }
    fields.push(field);
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(file: &[u8], chunk: usize) -> Vec<Piece> {
        let mut splitter = Splitter::default();
        splitter.set_delimiter(b',');
        let mut pieces = Vec::new();
        for part in file.chunks(chunk) {
            splitter.push(part);
            pieces.extend(std::iter::from_fn(|| splitter.next_piece()));
        }
        splitter.end();
        pieces.extend(std::iter::from_fn(|| splitter.next_piece()));
        pieces
    }

    fn record(line: u64, text: &str) -> Piece {
        Piece::Record {
            line,
            bytes: text.as_bytes().to_vec(),
        }
    }

    #[test]
    fn any_chunking_gives_the_same_records() {
        let file = "a,b\r\n\n  \n\"x\ny\",\"say \"\"hi\"\"\"\n\"open\nplain,1\nlast";
        let whole = pieces(file.as_bytes(), file.len());
        for chunk in 1..file.len() {
            assert_eq!(pieces(file.as_bytes(), chunk), whole, "{chunk}");
        }
        assert_eq!(
            whole,
            [
                record(1, "a,b"),
                record(4, "\"x\ny\",\"say \"\"hi\"\"\""),
                Piece::Refused {
                    line: 6,
                    reason: NOT_CLOSED
                },
                record(7, "plain,1"),
                record(8, "last"),
            ]
        );
    }

    #[test]
    fn a_line_that_is_too_long_costs_only_itself() {
        let file = format!("a\n{}\nb\n", "x".repeat(200_000));
        for chunk in [7, 4_096, 300_000] {
            let expected = [
                record(1, "a"),
                Piece::Refused {
                    line: 2,
                    reason: TOO_LONG,
                },
                record(3, "b"),
            ];
            assert_eq!(pieces(file.as_bytes(), chunk), expected);
        }
    }

    #[test]
    fn quotes_that_never_close_take_linear_time() {
        let mut file = String::new();
        for _ in 0..50_000 {
            file.push_str("\"\"\"\n");
        }
        assert!(pieces(file.as_bytes(), 8_192).len() <= 50_000);
    }

    #[test]
    fn fields_are_unquoted() {
        assert_eq!(
            fields("a,\"b,c\",\"say \"\"hi\"\"\",", ',').unwrap(),
            ["a", "b,c", "say \"hi\"", ""]
        );
        assert_eq!(fields("a;5\" tube", ';').unwrap(), ["a", "5\" tube"]);
        assert!(fields("\"a\"b,c", ',').is_err());
    }
}
