//! Reading a document, and finding the line that a fault is about.

use std::collections::HashMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::document::PolicyDocument;
use crate::document::tables::Table;
use crate::fault::PolicyFaults;
use crate::json_lines;
use crate::toml_nesting;

/// The longest document in bytes: 8 MiB, which holds some 40,000 rules. A longer one is refused before it is read.
pub const MAX_POLICY_BYTES: usize = 8 * 1024 * 1024;

/// The lines on which the parts of a document begin, by their paths.
#[derive(Debug, Default)]
pub(crate) struct Lines(pub(crate) HashMap<String, u32>);

impl Lines {
    /// The line of the part at `path`, or of the nearest part around it.
    fn of(&self, path: &str) -> Option<u32> {
        let mut path = path;
        loop {
            if let Some(line) = self.0.get(path) {
                return Some(*line);
            }
            let end = path.rfind(['.', '['])?;
            path = path.get(..end)?;
        }
    }
}

/// Where lines begin, for finding the line of a byte.
pub(crate) struct LineStarts(Vec<usize>);

impl LineStarts {
    pub(crate) fn new(text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(
            core::iter::once(0)
                .chain(ends.map(|(at, _)| at.saturating_add(1)))
                .collect(),
        )
    }

    pub(crate) fn line_of(&self, byte: usize) -> u32 {
        let line = self.0.partition_point(|start| *start <= byte);
        u32::try_from(line).unwrap_or(u32::MAX)
    }
}

/// In which language a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Toml,
    Json,
}

impl Language {
    pub(crate) fn read(self, text: &str) -> Result<PolicyDocument, PolicyFaults> {
        if text.len() > MAX_POLICY_BYTES {
            return Err(PolicyFaults::one(
                None,
                format!(
                    "the document has {} bytes, and {MAX_POLICY_BYTES} are the most",
                    text.len()
                ),
            ));
        }
        match self {
            Self::Toml => toml_nesting::check(text).and_then(|()| {
                toml::from_str(text)
                    .map(|Table(document)| document)
                    .map_err(|error| {
                        let line = error
                            .span()
                            .map(|span| LineStarts::new(text).line_of(span.start));
                        PolicyFaults::one(line, error.message())
                    })
            }),
            Self::Json => {
                // What a key that stands twice means is for nobody to guess.
                json_lines::check_keys(text)
                    .map_err(|(line, message)| PolicyFaults::one(Some(line), message))?;
                serde_json::from_str(text)
                    .map(|Table(document)| document)
                    .map_err(|error| {
                        let line = u32::try_from(error.line()).ok();
                        let told = error.to_string();
                        let message = told
                            .rsplit_once(" at line ")
                            .map_or(told.as_str(), |(message, _)| message);
                        PolicyFaults::one(line, message)
                    })
            }
        }
    }

    /// Says of each fault on which line it is.
    pub(crate) fn locate(self, text: &str, mut faults: PolicyFaults) -> PolicyFaults {
        let lines = match self {
            Self::Toml => toml_lines(text),
            Self::Json => json_lines::lines(text),
        };
        for fault in &mut faults.faults {
            fault.line = lines.of(&fault.path);
        }
        faults
            .faults
            .sort_by_key(|fault| fault.line.unwrap_or(u32::MAX));
        faults
    }
}

fn toml_lines(text: &str) -> Lines {
    let mut lines = Lines::default();
    if let Ok(table) = DeTable::parse(text) {
        let starts = LineStarts::new(text);
        walk_table("", table.get_ref(), &starts, &mut lines);
    }
    lines
}

/// The longest path that is kept: one that is longer is no path of a policy.
pub(crate) const MAX_PATH_BYTES: usize = 1024;

fn walk_table(path: &str, table: &DeTable<'_>, starts: &LineStarts, lines: &mut Lines) {
    if path.len() > MAX_PATH_BYTES {
        return;
    }
    for (key, value) in table {
        if key.get_ref().len() > MAX_PATH_BYTES {
            continue;
        }
        let path = join(path, key.get_ref());
        lines
            .0
            .insert(path.clone(), starts.line_of(key.span().start));
        walk(&path, value, starts, lines);
    }
}

fn walk(path: &str, value: &Spanned<DeValue<'_>>, starts: &LineStarts, lines: &mut Lines) {
    match value.get_ref() {
        DeValue::Table(table) => walk_table(path, table, starts, lines),
        DeValue::Array(array) => {
            for (index, value) in array.iter().enumerate() {
                let path = format!("{path}[{index}]");
                lines
                    .0
                    .insert(path.clone(), starts.line_of(value.span().start));
                walk(&path, value, starts, lines);
            }
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => {}
    }
}

pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}
