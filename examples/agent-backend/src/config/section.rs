//! One table of a configuration, read setting by setting.

use core::ops::RangeInclusive;
use core::str::FromStr;
use core::time::Duration;

use toml::{Table, Value};

use crate::config::fault::Faults;

/// A table from which settings are taken. Each fault is noted and reading goes on; what was not
/// taken at the end is unknown, and so is refused: a misspelt limit would not limit.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    name: &'static str,
    table: Table,
    faults: &'a mut Faults,
}

impl<'a> Section<'a> {
    pub(crate) const fn new(name: &'static str, table: Table, faults: &'a mut Faults) -> Self {
        Self {
            name,
            table,
            faults,
        }
    }

    pub(crate) fn fault(&mut self, key: &str, problem: &str, remedy: &str) {
        let field = self.field(key);
        self.faults.add(field, problem, remedy);
    }

    /// A text; `None` when it is absent or, with a fault, something else.
    pub(crate) fn text(&mut self, key: &str) -> Option<String> {
        let value = self.table.remove(key)?;
        let text = value.as_str().map(str::to_owned);
        text.or_else(|| self.mistyped(key, &value, "a text in quotes"))
    }

    /// A text that must be there.
    pub(crate) fn required(&mut self, key: &str, remedy: &str) -> Option<String> {
        if !self.table.contains_key(key) {
            self.fault(key, "is missing", remedy);
        }
        self.text(key)
    }

    /// A text that is read further.
    pub(crate) fn parsed<T: FromStr>(&mut self, key: &str, what: &str) -> Option<T> {
        let text = self.text(key)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.fault(key, "cannot be understood", &format!("write {what}"));
        }
        parsed
    }

    /// A list of texts; empty when it is absent.
    pub(crate) fn texts(&mut self, key: &str) -> Vec<String> {
        let Some(value) = self.table.remove(key) else {
            return Vec::new();
        };
        let texts: Option<Vec<_>> = value.as_array().and_then(|entries| {
            let texts = entries
                .iter()
                .map(|entry| entry.as_str().map(str::to_owned));
            texts.collect()
        });
        texts
            .or_else(|| self.mistyped(key, &value, "a list of texts in quotes"))
            .unwrap_or_default()
    }

    /// Whether the setting is there and was not taken yet.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Takes the settings of these names and refuses each: what would have no effect is not what
    /// somebody meant.
    pub(crate) fn refuse(&mut self, keys: &[&str], problem: &str, remedy: &str) {
        for key in keys {
            if self.table.remove(*key).is_some() {
                self.fault(key, problem, remedy);
            }
        }
    }

    /// `true` or `false`; `false` when it is absent.
    pub(crate) fn flag(&mut self, key: &str) -> bool {
        let Some(value) = self.table.remove(key) else {
            return false;
        };
        let flag = value.as_bool();
        flag.or_else(|| self.mistyped(key, &value, "true or false"))
            .unwrap_or_default()
    }

    /// A whole number within `range`.
    pub(crate) fn number(&mut self, key: &str, range: RangeInclusive<u32>, unless_set: u32) -> u32 {
        let Some(value) = self.table.remove(key) else {
            return unless_set;
        };
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        let Some(number) = value.as_integer() else {
            return self.mistyped(key, &value, &wanted).unwrap_or(unless_set);
        };
        let number = u32::try_from(number).ok().filter(|n| range.contains(n));
        if number.is_none() {
            self.fault(key, "is out of range", &format!("write {wanted}"));
        }
        number.unwrap_or(unless_set)
    }

    /// A number of seconds within `range`.
    pub(crate) fn seconds(
        &mut self,
        key: &str,
        range: RangeInclusive<u32>,
        unless_set: u32,
    ) -> Duration {
        Duration::from_secs(self.number(key, range, unless_set).into())
    }

    /// A table within this one.
    pub(crate) fn table(&mut self, key: &str) -> Option<Table> {
        let value = self.table.remove(key)?;
        let table = value.as_table().cloned();
        table.or_else(|| self.mistyped(key, &value, "a section"))
    }

    /// Refuses what was not taken.
    pub(crate) fn finish(self) {
        for key in self.table.keys() {
            let field = join(self.name, key);
            self.faults
                .add(field, "is unknown", "correct its name or leave it out");
        }
    }

    fn mistyped<T>(&mut self, key: &str, value: &Value, wanted: &str) -> Option<T> {
        let problem = format!("is of the type {}", value.type_str());
        self.fault(key, &problem, &format!("write {wanted}"));
        None
    }

    fn field(&self, key: &str) -> String {
        join(self.name, key)
    }
}

fn join(section: &str, key: &str) -> String {
    // A key in quotes may hold anything.
    let key = key.escape_debug();
    if section.is_empty() {
        key.to_string()
    } else {
        format!("{section}.{key}")
    }
}
