//! Where a configuration comes from.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::environment::{self, Variables};
use super::fault::{ConfigFaults, Faults, SettingSource};
use super::old_names::{self, OldNameUse};
use super::settings::SETTINGS;
use super::tree::{self, Entry, Node, Table};
use super::{fault, file};

/// The longest configuration: many times what all settings need.
pub const MAX_CONFIG_BYTES: u64 = 64 * 1024;

/// Where a [`GateConfig`](super::GateConfig) comes from: a file, environment variables, or both. What a
/// variable says goes before the file, and [`EffectiveConfig`](super::EffectiveConfig) says so.
///
/// ```no_run
/// use ringwall_gate::config::{ConfigSources, GateConfig};
///
/// let sources = ConfigSources::new()
///     .file("/etc/cases/gate.toml")
///     .environment("RINGWALL");
/// match GateConfig::load(sources) {
///     Ok(config) => println!("{}", config.effective()),
///     Err(faults) => eprintln!("{faults}"),
/// }
/// ```
#[derive(Default)]
#[must_use = "nothing is read until it is handed to `GateConfig::load`"]
pub struct ConfigSources {
    text: Text,
    prefix: Option<String>,
    variables: Variables,
    /// The options of the command line with the settings that they are for.
    arguments: Vec<(Arc<str>, String, String)>,
    reads_old_names: bool,
    of_service: Vec<String>,
}

#[derive(Default)]
enum Text {
    #[default]
    None,
    File(PathBuf),
    Given {
        name: Arc<str>,
        text: String,
    },
}

/// What was read, before it is judged.
pub(super) struct Written {
    pub(super) table: Table,
    pub(super) variables: Variables,
    pub(super) old_names: Vec<OldNameUse>,
}

impl ConfigSources {
    /// No source yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A TOML file, of at most [`MAX_CONFIG_BYTES`], which must exist and not be writable by everybody. It
    /// takes the place of a file or text that was named before.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.text = Text::File(path.into());
        self
    }

    /// A text in the place of a file, with the name that faults show.
    pub fn text(mut self, name: &str, text: impl Into<String>) -> Self {
        self.text = Text::Given {
            name: name.into(),
            text: text.into(),
        };
        self
    }

    /// The environment variables that begin with `prefix` and two underscores, such as
    /// `RINGWALL__TOKENS__ISSUER` for `tokens.issuer`: two underscores separate levels, letters are read
    /// without case, lists are separated by commas, and sections of a list are counted from 0
    /// (`RINGWALL__TOKENS__0__ISSUER`). Names with other characters than letters, digits, `_` and `-`
    /// cannot be written so. An unknown one is a fault.
    pub fn environment(mut self, prefix: &str) -> Self {
        self.prefix = Some(prefix.to_owned());
        self
    }

    /// What an option of the service's command line says of a setting, such as `--issuer` of
    /// `tokens.issuer`: it goes before variables and the file. It is written as in a variable.
    ///
    /// Every user of the machine can read command lines, so an argument for a secret is a fault.
    pub fn argument(mut self, option: &str, setting: &str, value: impl Into<String>) -> Self {
        let argument = (Arc::from(option), setting.to_owned(), value.into());
        self.arguments.push(argument);
        self
    }

    /// Reads variables here, and not in the environment of this process: those of the prefix, those of
    /// old names, and those that secrets are in (`{ env = "NAME" }`).
    pub fn variables<N, V>(mut self, variables: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<String>,
        V: Into<OsString>,
    {
        let variables = variables.into_iter();
        let variables: BTreeMap<_, _> = variables
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        self.variables = Variables::Given(variables);
        self
    }

    /// Reads the variables of [`OLD_NAMES`](super::OLD_NAMES) too, and reports each that is set. One that
    /// says something else than its new name is a fault. They are not read unless set.
    pub const fn old_names(mut self, are_read: bool) -> Self {
        self.reads_old_names = are_read;
        self
    }

    /// Leaves the sections and settings of these names to the service: at the top of the file, and under
    /// the prefix, they are neither read nor unknown. One of the names of [`SETTINGS`](super::SETTINGS) is
    /// a fault.
    pub fn of_service<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.of_service.extend(names.into_iter().map(Into::into));
        self
    }

    /// Reads everything, with the faults so far. Fails at once when what was read cannot be judged: each
    /// setting that could not be read would be called missing too.
    pub(super) fn read(self) -> Result<(Written, Faults), ConfigFaults> {
        let mut faults = Faults::default();
        let mut table = match self.text {
            Text::None => Table::new(),
            Text::File(path) => {
                let name: Arc<str> = path.to_string_lossy().into();
                match file::read(&path, MAX_CONFIG_BYTES) {
                    Ok(text) => tree::parse(&text, &name, &mut faults),
                    Err(fault) => {
                        whole(&mut faults, name, fault.to_string());
                        Table::new()
                    }
                }
            }
            Text::Given { name, text } => {
                let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
                if length > MAX_CONFIG_BYTES {
                    whole(&mut faults, name, "is longer than 64 KiB".to_owned());
                    Table::new()
                } else {
                    tree::parse(&text, &name, &mut faults)
                }
            }
        };
        if !faults.is_empty() {
            return Err(faults.into_error());
        }
        if let Some(prefix) = &self.prefix {
            if is_prefix(prefix) {
                environment::apply(&mut table, prefix, &self.variables, &mut faults);
            } else {
                let problem = "has a prefix that is not of letters, digits and single underscores";
                let field = fault::shown(prefix);
                faults.add(
                    &field,
                    SettingSource::Services,
                    problem,
                    "take one such as RINGWALL",
                );
            }
        }
        for (name, setting, value) in self.arguments {
            put_argument(&mut table, name, &setting, value, &mut faults);
        }
        for name in &self.of_service {
            if is_ours(name) {
                let field = fault::shown(name);
                let problem = "is left to the service, and is a setting of the gate";
                faults.add(
                    &field,
                    SettingSource::Services,
                    problem,
                    "take another name",
                );
            } else {
                table.remove(name);
            }
        }
        let old_names = if self.reads_old_names {
            old_names::apply(&mut table, &self.variables, &mut faults)
        } else {
            Vec::new()
        };
        let written = Written {
            table,
            variables: self.variables,
            old_names,
        };
        Ok((written, faults))
    }
}

/// What an argument says, in the place of what is there.
fn put_argument(
    table: &mut Table,
    name: Arc<str>,
    setting: &str,
    value: String,
    faults: &mut Faults,
) {
    let source = SettingSource::Argument { name };
    let is_secret = SETTINGS
        .iter()
        .any(|known| known.name() == setting && known.is_secret());
    if is_secret {
        let problem = "is a secret, which every user of the machine could read";
        let remedy = "name a file or a variable in the configuration";
        faults.add(setting, source, problem, remedy);
        return;
    }
    let path: Vec<String> = setting.split('.').map(str::to_owned).collect();
    let entry = Entry {
        node: Node::Raw(value),
        source: source.clone(),
    };
    if let Err(problem) = tree::put(table, &path, entry) {
        let remedy = "write it into the configuration, and not as an argument";
        faults.add(setting, source, problem, remedy);
    }
}

fn is_ours(name: &str) -> bool {
    SETTINGS
        .iter()
        .any(|setting| setting.name().split('.').next() == Some(name))
}

fn is_prefix(prefix: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=64).contains(&prefix.len())
        && prefix.bytes().all(is_plain)
        && !prefix.contains("__")
        && !prefix.ends_with('_')
}

fn whole(faults: &mut Faults, name: Arc<str>, problem: String) {
    let source = SettingSource::File { name, line: None };
    let remedy = "name a configuration that the service may read and others may not write";
    faults.add("configuration", source, problem, remedy);
}

impl fmt::Debug for ConfigSources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match &self.text {
            Text::None => None,
            Text::File(path) => Some(path.to_string_lossy()),
            Text::Given { name, .. } => Some((&**name).into()),
        };
        f.debug_struct("ConfigSources")
            .field("text", &text)
            .field("prefix", &self.prefix)
            .field("old_names", &self.reads_old_names)
            .finish_non_exhaustive()
    }
}
