//! Numbers and texts out of the bytes of an input.

/// A little longer than the lines of AMI and AGI may be.
const LONGEST_TEXT: usize = 2_100;

/// The rest of an input. An exhausted one gives zeros and empty texts.
pub(crate) struct Feed<'a> {
    rest: &'a [u8],
}

impl<'a> Feed<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        match self.rest.split_first() {
            Some((first, rest)) => {
                self.rest = rest;
                *first
            }
            None => 0,
        }
    }

    pub(crate) fn take(&mut self, bytes: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(bytes.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// A text with its length before it: up to 239 bytes with one byte of length.
    /// Beyond, two bytes give the length of a text whose bytes are repeated, so that
    /// a short input reaches the limits of a line.
    pub(crate) fn text(&mut self) -> String {
        let first = usize::from(self.byte());
        if first < 0xf0 {
            return String::from_utf8_lossy(self.take(first)).into_owned();
        }
        let length = ((first - 0xf0) << 8 | usize::from(self.byte())).min(LONGEST_TEXT);
        let unit = usize::from(self.byte() % 8) + 1;
        let unit = String::from_utf8_lossy(self.take(unit)).into_owned();
        unit.chars().cycle().take(length).collect()
    }

    /// A text that may be absent.
    pub(crate) fn optional(&mut self) -> Option<String> {
        (self.byte() % 2 == 1).then(|| self.text())
    }
}
