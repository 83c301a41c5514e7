//! Saying numbers, letters, dates and times, in the language of the channel.
//! Each gives the escape digit that ended it, if any.

use crate::{Command, CommandError, Session};

/// Grammatical gender of a number, in languages that need one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gender {
    /// Feminine (`f`).
    Feminine,
    /// Masculine (`m`).
    Masculine,
    /// Neuter (`n`).
    Neuter,
    /// Common (`c`).
    Common,
}

/// Which letters `SAY ALPHA` announces as upper or lower case. Asterisk 16.28 looks for
/// a sound that does not exist when it has one to announce, and so refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// None (`n`), as without the argument.
    None,
    /// Lower case letters (`l`).
    Lower,
    /// Upper case letters (`u`).
    Upper,
    /// All letters (`a`).
    All,
}

impl Gender {
    fn letter(self) -> &'static str {
        match self {
            Self::Feminine => "f",
            Self::Masculine => "m",
            Self::Neuter => "n",
            Self::Common => "c",
        }
    }
}

impl Session {
    /// `SAY NUMBER`: says a number.
    pub async fn say_number(
        &mut self,
        number: i32,
        escape_digits: &str,
    ) -> Result<Option<char>, CommandError> {
        let command = Command::new("SAY NUMBER").word(number).arg(escape_digits);
        self.say(command).await
    }

    /// `SAY NUMBER` with a grammatical gender.
    pub async fn say_number_as(
        &mut self,
        number: i32,
        escape_digits: &str,
        gender: Gender,
    ) -> Result<Option<char>, CommandError> {
        let command = Command::new("SAY NUMBER")
            .word(number)
            .arg(escape_digits)
            .arg(gender.letter());
        self.say(command).await
    }

    /// `SAY DIGITS`: says digits one by one. The text must begin with a digit,
    /// or Asterisk refuses it with code 520.
    pub async fn say_digits(
        &mut self,
        digits: &str,
        escape_digits: &str,
    ) -> Result<Option<char>, CommandError> {
        let command = Command::new("SAY DIGITS").arg(digits).arg(escape_digits);
        self.say(command).await
    }

    /// `SAY ALPHA`: spells a text.
    pub async fn say_alpha(
        &mut self,
        text: &str,
        escape_digits: &str,
        case: Case,
    ) -> Result<Option<char>, CommandError> {
        let case = match case {
            Case::None => None,
            Case::Lower => Some("l"),
            Case::Upper => Some("u"),
            Case::All => Some("a"),
        };
        let command = Command::new("SAY ALPHA")
            .arg(text)
            .arg(escape_digits)
            .optional(case);
        self.say(command).await
    }

    /// `SAY PHONETIC`: spells a text with a word for each letter.
    pub async fn say_phonetic(
        &mut self,
        text: &str,
        escape_digits: &str,
    ) -> Result<Option<char>, CommandError> {
        let command = Command::new("SAY PHONETIC").arg(text).arg(escape_digits);
        self.say(command).await
    }

    /// `SAY DATE`: says the date of a moment, in seconds since 1970-01-01
    /// 00:00 UTC, in the time zone of the exchange. Asterisk reads 32 bits.
    pub async fn say_date(
        &mut self,
        unix_seconds: i32,
        escape_digits: &str,
    ) -> Result<Option<char>, CommandError> {
        let command = Command::new("SAY DATE")
            .word(unix_seconds)
            .arg(escape_digits);
        self.say(command).await
    }

    /// `SAY TIME`: says the time of day of a moment; see [`Self::say_date`].
    pub async fn say_time(
        &mut self,
        unix_seconds: i32,
        escape_digits: &str,
    ) -> Result<Option<char>, CommandError> {
        let command = Command::new("SAY TIME")
            .word(unix_seconds)
            .arg(escape_digits);
        self.say(command).await
    }

    /// `SAY DATETIME`: says a moment, in seconds since 1970-01-01 00:00 UTC.
    ///
    /// The format is that of `voicemail.conf`, such as `ABdY 'digits/at' IMp`,
    /// which is taken if none is given (`A dBY HMS` in German). The time zone
    /// is a name such as `Europe/Paris`; without one it is that of the
    /// exchange.
    pub async fn say_datetime(
        &mut self,
        unix_seconds: i64,
        escape_digits: &str,
        format: Option<&str>,
        time_zone: Option<&str>,
    ) -> Result<Option<char>, CommandError> {
        // A time zone stands behind a format only.
        let format = format.or(time_zone.map(|_| "ABdY 'digits/at' IMp"));
        let command = Command::new("SAY DATETIME")
            .word(unix_seconds)
            .arg(escape_digits)
            .optional(format)
            .optional(time_zone);
        self.say(command).await
    }

    async fn say(&mut self, command: Command) -> Result<Option<char>, CommandError> {
        let success = self.checked(command.within(None)).await?;
        Ok(success.digit())
    }
}
