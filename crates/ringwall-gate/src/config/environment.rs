//! Environment variables.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;

use super::fault::{Faults, SettingSource};
use super::settings::SETTINGS;
use super::tree::{self, Entry, Node, Table};

/// The most variables of one prefix.
const MAX_VARIABLES: usize = 512;

/// The longest content of one, in bytes: as long as a secret may be.
const MAX_BYTES: usize = 8 * 1024;

/// The most levels of a name: more than any setting has.
const MAX_LEVELS: usize = 6;

/// What separates the levels of a name.
const SEPARATOR: &str = "__";

/// Where variables are read.
#[derive(Clone, Default)]
pub(super) enum Variables {
    /// In the environment of this process.
    #[default]
    Process,
    /// Here.
    Given(BTreeMap<String, OsString>),
}

/// The content of a variable is not UTF-8.
pub(super) struct NotUtf8;

impl Variables {
    /// The content of one; `None` when it is not set.
    pub(super) fn get(&self, name: &str) -> Option<Result<String, NotUtf8>> {
        let value = match self {
            // Names like these are none, and a platform may say so by a panic.
            Self::Process if name.is_empty() || name.contains(['=', '\0']) => None,
            Self::Process => std::env::var_os(name),
            Self::Given(variables) => variables.get(name).cloned(),
        };
        value.map(|value| value.into_string().map_err(|_| NotUtf8))
    }

    /// The names that are meant, in order.
    fn names(&self, is_meant: impl Fn(&str) -> bool) -> Vec<String> {
        let mut names: Vec<String> = match self {
            Self::Process => std::env::vars_os()
                .filter_map(|(name, _)| name.into_string().ok())
                .filter(|name| is_meant(name))
                .collect(),
            Self::Given(variables) => variables
                .keys()
                .filter(|name| is_meant(name))
                .cloned()
                .collect(),
        };
        names.sort_unstable();
        names
    }
}

/// Puts what the variables of this prefix say into `table`, before what is there.
pub(super) fn apply(table: &mut Table, prefix: &str, variables: &Variables, faults: &mut Faults) {
    for name in variables.names(|name| is_near_miss(name, prefix)) {
        let problem = "is not read: two underscores follow the prefix, which is in its own letters";
        let remedy = "write RINGWALL__SECTION__SETTING, with the prefix that is read";
        faults.add(&shown(&name), variable(&name), problem, remedy);
    }
    let prefix = format!("{prefix}{SEPARATOR}");
    let names = variables.names(|name| name.starts_with(&prefix));
    if names.len() > MAX_VARIABLES {
        let problem = format!("has more than {MAX_VARIABLES} variables of this prefix");
        let remedy = "take another prefix";
        faults.add("environment", SettingSource::Unset, problem, remedy);
        return;
    }
    let mut found: Vec<(Vec<String>, String)> = Vec::with_capacity(names.len());
    for name in names {
        match path(name.strip_prefix(&prefix).unwrap_or_default()) {
            Ok(path) => found.push((path, name)),
            Err(problem) => {
                let remedy = "write RINGWALL__SECTION__SETTING, with the prefix that is read";
                faults.add(&shown(&name), variable(&name), problem, remedy);
            }
        }
    }
    // 2 before 10, so that sections of a list are added in their order.
    found.sort_by_cached_key(|(path, _)| {
        let key = path.iter();
        let key = key.map(|level| (level.parse::<u32>().unwrap_or(0), level.clone()));
        key.collect::<Vec<_>>()
    });
    for (path, name) in found {
        let field = path.join(".");
        let source = variable(&name);
        let text = match variables.get(&name) {
            Some(Ok(text)) if text.len() <= MAX_BYTES => text,
            Some(Ok(_)) => {
                faults.add(&field, source, "is longer than 8 KiB", "shorten it");
                continue;
            }
            Some(Err(NotUtf8)) => {
                faults.add(&field, source, "is not UTF-8", "write it as text");
                continue;
            }
            None => continue,
        };
        let node = Node::Raw(text);
        let source_of_fault = source.clone();
        if let Err(problem) = tree::put(table, &path, Entry { node, source }) {
            let remedy = "leave one of the two out, or correct its name";
            faults.add(&field, source_of_fault, problem, remedy);
        }
    }
}

/// Whether somebody meant one of our settings, and wrote it so that nobody reads it: with one underscore
/// behind the prefix (`RINGWALL_API_KEYS__CACHED`, `RINGWALL_REALM`), or with the prefix in other letters.
/// A setting that is ignored in silence is a limit that does not limit.
fn is_near_miss(name: &str, prefix: &str) -> bool {
    let Some((head, rest)) = name.split_at_checked(prefix.len()) else {
        return false;
    };
    if !head.eq_ignore_ascii_case(prefix) {
        return false;
    }
    if let Some(path) = rest.strip_prefix(SEPARATOR) {
        return head != prefix && names_a_setting(path);
    }
    rest.strip_prefix('_').is_some_and(names_a_setting)
}

/// Whether the first level is a section of ours with something below it, or the whole is a setting.
fn names_a_setting(path: &str) -> bool {
    let (first, below) = match path.split_once(SEPARATOR) {
        Some((first, _)) => (first, true),
        None => (path, false),
    };
    SETTINGS.iter().any(|setting| {
        let mut levels = setting.name().split('.');
        let is_first = levels
            .next()
            .is_some_and(|own| own.eq_ignore_ascii_case(first));
        is_first && levels.next().is_some() == below
    })
}

pub(super) fn variable(name: &str) -> SettingSource {
    SettingSource::Variable {
        name: Arc::from(name),
        instead_of: None,
    }
}

fn shown(name: &str) -> String {
    super::fault::shown(name)
}

/// `TOKENS__ISSUER` is `tokens.issuer`.
fn path(name: &str) -> Result<Vec<String>, &'static str> {
    let path: Vec<String> = name.split(SEPARATOR).map(str::to_ascii_lowercase).collect();
    let is_plain = |level: &String| {
        (1..=64).contains(&level.len())
            && level
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    };
    if path.len() > MAX_LEVELS {
        Err("has too many levels")
    } else if !path.iter().all(is_plain) {
        Err("has a level that is empty, long, or not of letters, digits and _")
    } else {
        Ok(path)
    }
}
