//! What is wrong with a configuration, and where it stands.

use core::fmt;
use std::sync::Arc;

/// The most faults that are told at once: enough for any honest mistake, and no flood in a log.
const MAX_FAULTS: usize = 128;

/// The longest name of a setting that is repeated, in characters.
const MAX_SHOWN: usize = 64;

/// Where a setting stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingSource {
    /// A file, or a text that was given in its place.
    File {
        /// The path, or the name that was given to the text.
        name: Arc<str>,
        /// The line, from 1; `None` when it is about the file as a whole.
        line: Option<usize>,
    },
    /// An environment variable.
    Variable {
        /// Its name.
        name: Arc<str>,
        /// What it goes before.
        instead_of: Option<Box<SettingSource>>,
    },
    /// An environment variable of a name from before this configuration: see
    /// [`OLD_NAMES`](crate::config::OLD_NAMES).
    OldName {
        /// The old name.
        name: Arc<str>,
    },
    /// An argument of the service's command line.
    Argument {
        /// The option, such as `--issuer`.
        name: Arc<str>,
    },
    /// What the service itself gave: see [`Services`](crate::config::Services), and
    /// [`default_to`](crate::config::SettingsSection::default_to).
    Services,
    /// Nowhere: it was not set.
    Unset,
}

impl fmt::Display for SettingSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File {
                name,
                line: Some(line),
            } => write!(f, "{}:{line}", name.escape_debug()),
            Self::File { name, line: None } => write!(f, "{}", name.escape_debug()),
            Self::Variable { name, instead_of } => {
                write!(f, "{}", name.escape_debug())?;
                match instead_of {
                    Some(other) => write!(f, ", instead of {other}"),
                    None => Ok(()),
                }
            }
            Self::OldName { name } => write!(f, "{} (an old name)", name.escape_debug()),
            Self::Argument { name } => write!(f, "{}", name.escape_debug()),
            Self::Services => f.write_str("the service"),
            Self::Unset => f.write_str("not set"),
        }
    }
}

/// One thing that is missing or wrong.
///
/// Its texts never hold a value: a secret that was written into the wrong line must not end up in a
/// log. They do hold names of settings, as they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFault {
    field: String,
    source: SettingSource,
    problem: String,
    remedy: String,
}

impl ConfigFault {
    /// The setting, such as `tokens.issuer`.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Where it stands.
    #[must_use]
    pub const fn source(&self) -> &SettingSource {
        &self.source
    }

    /// What is wrong with it.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &str {
        &self.remedy
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            field,
            source,
            problem,
            remedy,
        } = self;
        write!(f, "{field} ({source}): {problem}; {remedy}")
    }
}

/// Everything that is missing or wrong with a configuration, at once. At most 128 faults are kept; that
/// there are more is the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFaults(Vec<ConfigFault>);

impl ConfigFaults {
    /// The faults: one at least.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigFault> {
        self.0.iter()
    }
}

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        let things = if count == 1 { "thing is" } else { "things are" };
        write!(f, "{count} {things} missing or wrong in the configuration:")?;
        for fault in &self.0 {
            write!(f, "\n  {fault}")?;
        }
        Ok(())
    }
}

impl core::error::Error for ConfigFaults {}

/// Collects faults.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<ConfigFault>);

impl Faults {
    pub(super) fn add(
        &mut self,
        field: &str,
        source: SettingSource,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        if self.0.len() < MAX_FAULTS {
            self.0.push(ConfigFault {
                field: field.to_owned(),
                source,
                problem: problem.into(),
                remedy: remedy.into(),
            });
        } else if self.0.len() == MAX_FAULTS {
            self.0.push(ConfigFault {
                field: "configuration".to_owned(),
                source: SettingSource::Unset,
                problem: "has more faults than are shown".to_owned(),
                remedy: "correct these first".to_owned(),
            });
        }
    }

    pub(super) const fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_error(self) -> ConfigFaults {
        ConfigFaults(self.0)
    }

    /// The faults, if there are any.
    pub(super) fn into_result(self) -> Result<(), ConfigFaults> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(ConfigFaults(self.0))
        }
    }
}

/// A name of a setting that somebody wrote, as it may be shown.
pub(super) fn shown(name: &str) -> String {
    let mut shown: String = name
        .chars()
        .take(MAX_SHOWN)
        .flat_map(char::escape_debug)
        .collect();
    if name.chars().nth(MAX_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// The full name of a setting in a section; the section is empty at the top.
pub(super) fn join(section: &str, key: &str) -> String {
    let key = shown(key);
    if section.is_empty() {
        key
    } else {
        format!("{section}.{key}")
    }
}
