//! One section of a configuration, read setting by setting.

mod own;
mod values;

use core::fmt;
use std::collections::BTreeMap;

use ringwall_core::profile::Profile;

use super::effective::{EffectiveConfig, Heading, Line, quoted};
use super::environment::Variables;
use super::fault::{Faults, SettingSource, join};
use super::tree::{Entry, Node, Table};

/// What all sections share while they are read.
pub(super) struct Reader {
    pub(super) faults: Faults,
    pub(super) effective: EffectiveConfig,
    /// Of secrets that are named and not written.
    pub(super) variables: Variables,
    pub(super) profile: Profile,
}

/// A section of a configuration, from which settings are taken one by one. A fault is noted, with where the
/// setting stands, and reading goes on, so that everything that is wrong is told at once. What was not
/// taken at the end is unknown and refused: a misspelt limit would not limit.
///
/// A service reads its own settings by it: see [`GateConfig::load_with`](super::GateConfig::load_with). What
/// was taken stands in [`EffectiveConfig`]; a secret of the service's own is taken by [`secret`](Self::secret), and is not
/// shown there.
pub struct Section<'r> {
    /// The full name, such as `tokens[1]`; empty at the top.
    name: String,
    path: Vec<String>,
    block: usize,
    table: Table,
    source: SettingSource,
    taken: BTreeMap<String, SettingSource>,
    reader: &'r mut Reader,
}

impl<'r> Section<'r> {
    pub(super) fn top(table: Table, reader: &'r mut Reader) -> Self {
        let block = reader.effective.begin(Heading::Top);
        Self {
            name: String::new(),
            path: Vec::new(),
            block,
            table,
            source: SettingSource::Unset,
            taken: BTreeMap::new(),
            reader,
        }
    }

    /// A section that was taken out of the top; one without settings when there is none.
    pub(super) fn new(name: &str, taken: Option<Taken>, reader: &'r mut Reader) -> Self {
        let Taken { table, source } = taken.unwrap_or_default();
        Self::below(
            name.to_owned(),
            vec![name.to_owned()],
            table,
            source,
            reader,
        )
    }

    fn below(
        name: String,
        path: Vec<String>,
        table: Table,
        source: SettingSource,
        reader: &'r mut Reader,
    ) -> Self {
        let block = reader.effective.begin(Heading::Section(path.clone()));
        Self {
            name,
            path,
            block,
            table,
            source,
            taken: BTreeMap::new(),
            reader,
        }
    }

    /// One of several sections of a name.
    pub(super) fn element(name: &str, number: usize, taken: Taken, reader: &'r mut Reader) -> Self {
        let path = vec![name.to_owned()];
        let block = reader.effective.begin(Heading::Element(path.clone()));
        Self {
            name: format!("{name}[{number}]"),
            path,
            block,
            table: taken.table,
            source: taken.source,
            taken: BTreeMap::new(),
            reader,
        }
    }

    pub(super) const fn profile(&self) -> Profile {
        self.reader.profile
    }

    pub(super) const fn set_profile(&mut self, profile: Profile) {
        self.reader.profile = profile;
    }

    /// Notes that something is wrong with the setting `key` of this section. Neither text holds a value: a
    /// secret in the wrong line must not end up in a log.
    pub fn fault(&mut self, key: &str, problem: impl Into<String>, remedy: impl Into<String>) {
        let source = self.source_of(key);
        self.fault_at(key, source, problem, remedy);
    }

    /// A fault of a setting that stands at `source`: of one in a section that was read to its end.
    pub(super) fn fault_at(
        &mut self,
        key: &str,
        source: SettingSource,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let field = join(&self.name, key);
        self.reader.faults.add(&field, source, problem, remedy);
    }

    /// Where the setting stands, whether it was taken or not.
    pub(super) fn source_of(&self, key: &str) -> SettingSource {
        match self.taken.get(key) {
            Some(source) => source.clone(),
            None => match self.table.get(key) {
                Some(entry) => entry.source.clone(),
                None => SettingSource::Unset,
            },
        }
    }

    /// A fault of the section as a whole.
    pub(super) fn fault_here(&mut self, problem: impl Into<String>, remedy: impl Into<String>) {
        let source = self.source.clone();
        self.reader.faults.add(&self.name, source, problem, remedy);
    }

    /// The full name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// How many faults there are by now.
    pub(super) const fn faults(&self) -> usize {
        self.reader.faults.count()
    }

    /// Where the section begins.
    pub(super) const fn source(&self) -> &SettingSource {
        &self.source
    }

    /// Whether the setting is there and was not taken yet.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The names of what was not taken yet.
    pub(super) fn keys(&self) -> Vec<String> {
        self.table.keys().cloned().collect()
    }

    fn take(&mut self, key: &str) -> Option<Node> {
        let Entry { node, source } = self.table.remove(key)?;
        self.taken.insert(key.to_owned(), source);
        Some(node)
    }

    /// Notes a value for [`EffectiveConfig`].
    fn record(&mut self, key: &str, value: String) {
        let line = Line {
            key: key.to_owned(),
            value,
            source: self.taken.get(key).cloned(),
        };
        self.reader.effective.record(self.block, line);
    }

    /// Notes what holds because nobody set anything.
    pub(super) fn unless_set(&mut self, key: &str, text: &str) {
        if !self.taken.contains_key(key) {
            self.record(key, quoted(text));
        }
    }

    /// Takes a section out of this one.
    pub(super) fn taken(&mut self, key: &str) -> Option<Taken> {
        match self.take(key)?.into_table() {
            Ok(table) => {
                let source = self.taken.get(key).cloned();
                let source = source.unwrap_or(SettingSource::Unset);
                Some(Taken { table, source })
            }
            Err(other) => self.mistyped(key, &other, "a section"),
        }
    }

    /// Takes one section, or a list of them, out of this one. Without any, the list is empty.
    pub(super) fn taken_list(&mut self, key: &str) -> Several {
        let Some(entry) = self.table.get(key) else {
            return Several::None;
        };
        if !matches!(entry.node, Node::List(_)) {
            return self.taken(key).map_or(Several::None, Several::One);
        }
        let Some(Node::List(entries)) = self.take(key) else {
            return Several::None;
        };
        let mut list = Vec::with_capacity(entries.len());
        for Entry { node, source } in entries {
            if let Node::Table(table) = node {
                list.push(Taken { table, source });
            } else {
                let problem = "holds something else than sections";
                self.fault(key, problem, format!("write [[{key}]] before each"));
            }
        }
        Several::List(list)
    }

    /// A section within this one; without settings when there is none.
    pub(super) fn child(&mut self, key: &str) -> Section<'_> {
        let Taken { table, source } = self.taken(key).unwrap_or_default();
        let name = join(&self.name, key);
        let mut path = self.path.clone();
        path.push(key.to_owned());
        Section::below(name, path, table, source, self.reader)
    }

    /// Takes the settings of these names and refuses each: what would have no effect is not what
    /// somebody meant.
    pub fn refuse(&mut self, keys: &[&str], problem: &str, remedy: &str) {
        for key in keys {
            if self.take(key).is_some() {
                self.fault(key, problem, remedy);
            }
        }
    }

    /// Refuses what was not taken.
    pub(super) fn finish(self) {
        for (key, entry) in self.table {
            let field = join(&self.name, &key);
            let remedy = "correct its name or leave it out";
            let faults = &mut self.reader.faults;
            faults.add(&field, entry.source, "is unknown", remedy);
        }
    }
}

impl fmt::Debug for Section<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SettingsSection")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A section that was taken out of another, to be read.
pub(super) struct Taken {
    pub(super) table: Table,
    pub(super) source: SettingSource,
}

impl Taken {
    /// Whether the setting `key`, which stays to be read, is this text.
    pub(super) fn is_text(&self, key: &str, text: &str) -> bool {
        let entry = self.table.get(key);
        entry.is_some_and(|entry| match &entry.node {
            Node::Text(own) | Node::Raw(own) => own == text,
            Node::Integer(_)
            | Node::Boolean(_)
            | Node::List(_)
            | Node::Table(_)
            | Node::Other(_) => false,
        })
    }
}

impl Default for Taken {
    fn default() -> Self {
        Self {
            table: Table::new(),
            source: SettingSource::Unset,
        }
    }
}

/// One section or several.
pub(super) enum Several {
    None,
    One(Taken),
    List(Vec<Taken>),
}
