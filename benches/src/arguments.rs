//! Command lines of the small programs: `--name value` pairs, all with defaults or required.

use std::collections::HashMap;
use std::str::FromStr;

use anyhow::{Context as _, anyhow, bail};

/// The `--name value` pairs of a command line.
#[derive(Debug, Default)]
pub struct Arguments {
    values: HashMap<String, String>,
}

impl Arguments {
    /// Reads the command line of this process.
    ///
    /// # Errors
    /// An argument that is no `--name value` pair, or a name not in `known`.
    pub fn from_env(known: &[&str]) -> anyhow::Result<Self> {
        let mut values = HashMap::new();
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                lexopt::Arg::Long(name) if known.contains(&name) => {
                    let name = name.to_owned();
                    let value = parser.value()?.into_string();
                    let value = value.map_err(|_| anyhow!("--{name} is not UTF-8"))?;
                    values.insert(name, value);
                }
                other => bail!("{}; known: {}", other.unexpected(), known.join(", ")),
            }
        }
        Ok(Self { values })
    }

    /// A value that must be there.
    ///
    /// # Errors
    /// It is absent or not of the wanted type.
    pub fn required<T>(&self, name: &str) -> anyhow::Result<T>
    where
        T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
    {
        let value = self.values.get(name);
        let value = value.with_context(|| format!("--{name} is missing"))?;
        value.parse().with_context(|| format!("--{name} {value}"))
    }

    /// A value, or its default.
    ///
    /// # Errors
    /// It is not of the wanted type.
    pub fn or<T>(&self, name: &str, default: T) -> anyhow::Result<T>
    where
        T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
    {
        if self.values.contains_key(name) {
            self.required(name)
        } else {
            Ok(default)
        }
    }
}
