//! One section of a configuration, read setting by setting.

use core::ops::RangeInclusive;
use core::str::FromStr;
use core::time::Duration;
use std::collections::BTreeMap;

use ringwall_core::profile::Profile;
use ringwall_core::secret::SecretString;

use super::effective::{EffectiveConfig, Heading, Line, quoted, quoted_list};
use super::environment::Variables;
use super::fault::{Faults, SettingSource, join};
use super::secret;
use super::tree::{Entry, Node, Table};

/// What all sections share while they are read.
pub(super) struct Reader<'a> {
    pub(super) faults: Faults,
    pub(super) effective: EffectiveConfig,
    /// Of secrets that are named and not written.
    pub(super) variables: &'a Variables,
    pub(super) profile: Profile,
}

/// A section from which settings are taken. Each fault is noted and reading goes on; what was not taken
/// at the end is unknown, and so is refused: a misspelt limit would not limit.
pub(super) struct Section<'r, 'a> {
    /// The full name, such as `tokens[1]`; empty at the top.
    name: String,
    path: Vec<String>,
    block: usize,
    table: Table,
    source: SettingSource,
    taken: BTreeMap<String, SettingSource>,
    reader: &'r mut Reader<'a>,
}

impl<'r, 'a> Section<'r, 'a> {
    pub(super) fn top(table: Table, reader: &'r mut Reader<'a>) -> Self {
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
    pub(super) fn new(name: &str, taken: Option<Taken>, reader: &'r mut Reader<'a>) -> Self {
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
        reader: &'r mut Reader<'a>,
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
    pub(super) fn element(
        name: &str,
        number: usize,
        taken: Taken,
        reader: &'r mut Reader<'a>,
    ) -> Self {
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

    pub(super) fn fault(
        &mut self,
        key: &str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let source = match self.taken.get(key) {
            Some(source) => source.clone(),
            None => match self.table.get(key) {
                Some(entry) => entry.source.clone(),
                None => SettingSource::Unset,
            },
        };
        let field = join(&self.name, key);
        self.reader.faults.add(&field, source, problem, remedy);
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
    pub(super) fn has(&self, key: &str) -> bool {
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

    /// A text; `None` when it is absent or, with a fault, something else.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        match self.take(key)?.into_text() {
            Ok(text) => {
                self.record(key, quoted(&text));
                Some(text)
            }
            Err(other) => self.mistyped(key, &other, "a text in quotes"),
        }
    }

    /// A URL, of which people are not shown the query: some providers put credentials there.
    pub(super) fn url(&mut self, key: &str) -> Option<String> {
        match self.take(key)?.into_text() {
            Ok(text) => {
                let shown = match text.split_once('?') {
                    Some((before, _)) => format!("{before}?[redacted]"),
                    None => text.clone(),
                };
                self.record(key, quoted(&shown));
                Some(text)
            }
            Err(other) => self.mistyped(key, &other, "a URL in quotes"),
        }
    }

    /// A text that must be there.
    pub(super) fn required(&mut self, key: &str, remedy: &str) -> Option<String> {
        if !self.has(key) {
            self.fault(key, "is missing", remedy);
        }
        self.text(key)
    }

    /// A text that is read further.
    pub(super) fn parsed<T: FromStr>(&mut self, key: &str, what: &str) -> Option<T> {
        let text = self.text(key)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.fault(key, "cannot be understood", format!("write {what}"));
        }
        parsed
    }

    /// A list of texts; `None` when it is absent. In a variable they are separated by commas.
    pub(super) fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        let texts = match self.take(key)?.into_texts() {
            Ok(texts) => texts,
            Err(other) => return self.mistyped(key, &other, "a list of texts in quotes"),
        };
        self.record(key, quoted_list(texts.iter().map(String::as_str)));
        Some(texts)
    }

    /// A list of texts that are read further; the good ones.
    pub(super) fn parsed_texts<T, E>(
        &mut self,
        key: &str,
        parse: impl Fn(String) -> Result<T, E>,
        what: &str,
    ) -> Option<Vec<T>> {
        let texts = self.texts(key)?;
        let count = texts.len();
        let parsed: Vec<T> = texts
            .into_iter()
            .filter_map(|text| parse(text).ok())
            .collect();
        if parsed.len() != count {
            self.fault(
                key,
                format!("holds what is not {what}"),
                format!("write {what}"),
            );
        }
        Some(parsed)
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &str, unless_set: bool) -> bool {
        let flag = match self.take(key) {
            None => Some(unless_set),
            Some(Node::Boolean(flag)) => Some(flag),
            Some(Node::Raw(text)) if text == "true" => Some(true),
            Some(Node::Raw(text)) if text == "false" => Some(false),
            Some(other) => self.mistyped(key, &other, "true or false"),
        };
        let flag = flag.unwrap_or(unless_set);
        self.record(key, flag.to_string());
        flag
    }

    /// A whole number within `range`.
    pub(super) fn number(&mut self, key: &str, range: RangeInclusive<u32>, unless_set: u32) -> u32 {
        let number = self.optional_number(key, range).unwrap_or(unless_set);
        if !self.taken.contains_key(key) {
            self.record(key, number.to_string());
        }
        number
    }

    /// A whole number within `range`; `None` when it is absent.
    pub(super) fn optional_number(&mut self, key: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        let number = match self.take(key)?.into_integer() {
            Ok(number) => number,
            Err(other) => return self.mistyped(key, &other, &wanted),
        };
        let number = number
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| range.contains(number));
        match number {
            Some(number) => self.record(key, number.to_string()),
            None => self.fault(key, "is out of range", format!("write {wanted}")),
        }
        number
    }

    /// A number of seconds within `range`.
    pub(super) fn seconds(
        &mut self,
        key: &str,
        range: RangeInclusive<u32>,
        unless_set: u32,
    ) -> Duration {
        Duration::from_secs(self.number(key, range, unless_set).into())
    }

    /// A secret, or where one is; `None` when it is absent or, with a fault, cannot be had.
    pub(super) fn secret(&mut self, key: &str) -> Option<SecretString> {
        let node = self.take(key)?;
        self.record(key, quoted("[redacted]"));
        match secret::read(node, self.reader.profile, self.reader.variables) {
            Ok(secret) => Some(secret),
            Err(secret::Fault { problem, remedy }) => {
                self.fault(key, problem, remedy);
                None
            }
        }
    }

    /// Several secrets in one text, separated by commas, or where one such text is. In development, a
    /// list of texts will do.
    pub(super) fn secrets(&mut self, key: &str) -> Option<Vec<SecretString>> {
        if !matches!(self.table.get(key)?.node, Node::List(_)) {
            let secret = self.secret(key)?;
            let entries = secret.expose().split(',').map(str::trim);
            let entries = entries.filter(|entry| !entry.is_empty());
            return Some(
                entries
                    .map(|entry| SecretString::new(entry.to_owned()))
                    .collect(),
            );
        }
        let Some(Node::List(entries)) = self.take(key) else {
            return None;
        };
        self.record(key, quoted_list(entries.iter().map(|_| "[redacted]")));
        let mut secrets = Vec::with_capacity(entries.len());
        for entry in entries {
            match secret::read(entry.node, self.reader.profile, self.reader.variables) {
                Ok(secret) => secrets.push(secret),
                Err(secret::Fault { problem, remedy }) => self.fault(key, problem, remedy),
            }
        }
        Some(secrets)
    }

    /// Takes a section out of this one, or a text that stands for its setting `key_within`.
    pub(super) fn taken_or_text(&mut self, key: &str, key_within: &str) -> Option<Taken> {
        let is_text = self
            .table
            .get(key)
            .is_some_and(|entry| matches!(entry.node, Node::Text(_) | Node::Raw(_)));
        if !is_text {
            return self.taken(key);
        }
        let entry = self.table.remove(key)?;
        let source = entry.source.clone();
        let table = Table::from([(key_within.to_owned(), entry)]);
        Some(Taken { table, source })
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
    pub(super) fn child(&mut self, key: &str) -> Section<'_, 'a> {
        let Taken { table, source } = self.taken(key).unwrap_or_default();
        let name = join(&self.name, key);
        let mut path = self.path.clone();
        path.push(key.to_owned());
        Section::below(name, path, table, source, self.reader)
    }

    /// Takes the settings of these names and refuses each: what would have no effect is not what
    /// somebody meant.
    pub(super) fn refuse(&mut self, keys: &[&str], problem: &str, remedy: &str) {
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

    fn mistyped<T>(&mut self, key: &str, node: &Node, wanted: &str) -> Option<T> {
        let problem = format!("is {}, which it cannot be", node.kind());
        self.fault(key, problem, format!("write {wanted}"));
        None
    }
}

/// A section that was taken out of another, to be read.
pub(super) struct Taken {
    pub(super) table: Table,
    pub(super) source: SettingSource,
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
