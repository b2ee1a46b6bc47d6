//! The values of settings, by their types.

use core::ops::RangeInclusive;
use core::str::FromStr;
use core::time::Duration;

use ringwall_core::secret::SecretString;

use super::super::effective::{quoted, quoted_list};
use super::super::secret;
use super::super::tree::Node;
use super::Section;

impl Section<'_> {
    /// A text; `None` when it is absent or, with a fault, something else.
    pub fn text(&mut self, key: &str) -> Option<String> {
        match self.take(key)?.into_text() {
            Ok(text) => {
                self.record(key, quoted(&text));
                Some(text)
            }
            Err(other) => self.mistyped(key, &other, "a text in quotes"),
        }
    }

    /// A URL, of which people are not shown the query: some providers put credentials there.
    pub(in crate::config) fn url(&mut self, key: &str) -> Option<String> {
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
    pub fn required(&mut self, key: &str, remedy: &str) -> Option<String> {
        if !self.has(key) {
            self.fault(key, "is missing", remedy);
        }
        self.text(key)
    }

    /// A text that is read further.
    pub fn parsed<T: FromStr>(&mut self, key: &str, what: &str) -> Option<T> {
        let text = self.text(key)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.fault(key, "cannot be understood", format!("write {what}"));
        }
        parsed
    }

    /// A list of texts; `None` when it is absent. In a variable they are separated by commas.
    pub fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        let texts = match self.take(key)?.into_texts() {
            Ok(texts) => texts,
            Err(other) => return self.mistyped(key, &other, "a list of texts in quotes"),
        };
        self.record(key, quoted_list(texts.iter().map(String::as_str)));
        Some(texts)
    }

    /// A list of texts that are read further; the good ones.
    pub(in crate::config) fn parsed_texts<T, E>(
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

    /// Notes a list that holds because nobody set anything.
    pub(in crate::config) fn list_unless_set(&mut self, key: &str, texts: &[&str]) {
        self.record(key, quoted_list(texts.iter().copied()));
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &str, unless_set: bool) -> bool {
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
    pub fn number(&mut self, key: &str, range: RangeInclusive<u32>, unless_set: u32) -> u32 {
        let number = self.optional_number(key, range).unwrap_or(unless_set);
        if !self.taken.contains_key(key) {
            self.record(key, number.to_string());
        }
        number
    }

    /// A whole number within `range`; `None` when it is absent.
    pub(in crate::config) fn optional_number(
        &mut self,
        key: &str,
        range: RangeInclusive<u32>,
    ) -> Option<u32> {
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
    pub fn seconds(&mut self, key: &str, range: RangeInclusive<u32>, unless_set: u32) -> Duration {
        Duration::from_secs(self.number(key, range, unless_set).into())
    }

    /// A secret, or where one is; `None` when it is absent or, with a fault, cannot be had.
    pub fn secret(&mut self, key: &str) -> Option<SecretString> {
        let node = self.take(key)?;
        self.record(key, quoted("[redacted]"));
        match secret::read(node, self.reader.profile, &self.reader.variables) {
            Ok(secret) => Some(secret),
            Err(secret::Fault { problem, remedy }) => {
                self.fault(key, problem, remedy);
                None
            }
        }
    }

    /// Several secrets in one text, separated by commas, or where one such text is. In development, a
    /// list of texts will do.
    pub(in crate::config) fn secrets(&mut self, key: &str) -> Option<Vec<SecretString>> {
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
            match secret::read(entry.node, self.reader.profile, &self.reader.variables) {
                Ok(secret) => secrets.push(secret),
                Err(secret::Fault { problem, remedy }) => self.fault(key, problem, remedy),
            }
        }
        Some(secrets)
    }

    pub(super) fn mistyped<T>(&mut self, key: &str, node: &Node, wanted: &str) -> Option<T> {
        let problem = format!("is {}, which it cannot be", node.kind());
        self.fault(key, problem, format!("write {wanted}"));
        None
    }
}
