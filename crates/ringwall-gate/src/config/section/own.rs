//! What a service does with a configuration beside the gate: its own sections, and its defaults.

use super::super::fault::{SettingSource, join};
use super::super::modes::{self, AuthenticationMode};
use super::super::tree::{self, Entry, Node, Table};
use super::Section;

impl Section<'_> {
    /// Reads a section within this one, and refuses what `read` did not take of it. A section that is not
    /// there has no settings.
    pub fn within<T>(&mut self, key: &str, read: impl FnOnce(&mut Section<'_>) -> T) -> T {
        let mut section = self.child(key);
        let answer = read(&mut section);
        section.finish();
        answer
    }

    /// Sets `setting`, such as `api_keys.scopes`, where nobody else did: a default of the service.
    /// [`EffectiveConfig`](crate::config::EffectiveConfig) shows it as such. It is written as in a variable:
    /// lists are separated by commas.
    ///
    /// In a section of a mode that is not on it sets nothing, nor in one of several sections of a name.
    pub fn default_to(&mut self, setting: &str, value: &str) {
        let path: Vec<&str> = setting.split('.').collect();
        let section = path.first().copied().unwrap_or_default();
        if path.len() > 1 && !modes::has_effect(&self.table, section) {
            return;
        }
        let entry = Entry {
            node: Node::Raw(value.to_owned()),
            source: SettingSource::Services,
        };
        tree::put_default(&mut self.table, &path, entry);
    }

    /// As [`default_to`](Self::default_to), for a whole section of which nobody wrote anything: settings
    /// that mean something together alone, such as an issuer and its keys. Answers whether they hold.
    pub fn default_section(&mut self, section: &str, settings: &[(&str, &str)]) -> bool {
        if self.has(section) || !modes::has_effect(&self.table, section) {
            return false;
        }
        for (key, value) in settings {
            self.default_to(&format!("{section}.{key}"), value);
        }
        true
    }

    /// Whether callers can be authenticated in this way, as far as it was written or defaulted to by now.
    #[must_use]
    pub fn is_on(&self, mode: AuthenticationMode) -> bool {
        modes::is_on(&self.table, mode)
    }

    /// What is written for `setting`, such as `tokens.audience`, by whomever. `None` of what is no text, and
    /// in one of several sections of a name.
    #[must_use]
    pub fn written(&self, setting: &str) -> Option<&str> {
        let path: Vec<&str> = setting.split('.').collect();
        match &tree::find(&self.table, &path)?.node {
            Node::Text(text) | Node::Raw(text) => Some(text),
            Node::Integer(_)
            | Node::Boolean(_)
            | Node::List(_)
            | Node::Table(_)
            | Node::Other(_) => None,
        }
    }

    /// Looks at the text `key` of the section of this name, or of each one of several, before the gate reads
    /// it. Where `judge` has an objection (what is wrong, what to do about it), that is a fault.
    pub fn inspect(
        &mut self,
        section: &str,
        key: &str,
        judge: impl Fn(&str) -> Option<(&'static str, &'static str)>,
    ) {
        let mut objections = Vec::new();
        let mut look = |name: String, table: &Table| {
            let Some(Entry { node, source }) = table.get(key) else {
                return;
            };
            if let Node::Text(text) | Node::Raw(text) = node
                && let Some(objection) = judge(text)
            {
                objections.push((join(&name, key), source.clone(), objection));
            }
        };
        match self.table.get(section).map(|entry| &entry.node) {
            Some(Node::Table(table)) => look(section.to_owned(), table),
            Some(Node::List(entries)) => {
                for (number, entry) in entries.iter().enumerate() {
                    if let Node::Table(table) = &entry.node {
                        look(format!("{section}[{number}]"), table);
                    }
                }
            }
            Some(
                Node::Text(_) | Node::Raw(_) | Node::Integer(_) | Node::Boolean(_) | Node::Other(_),
            )
            | None => {}
        }
        for (field, source, (problem, remedy)) in objections {
            self.reader.faults.add(&field, source, problem, remedy);
        }
    }
}
