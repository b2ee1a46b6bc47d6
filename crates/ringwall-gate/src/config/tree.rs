//! What was written, and where, before anybody judges it.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Faults, SettingSource};

/// The most syntax errors that are told: one slip makes several.
const MAX_SYNTAX_ERRORS: usize = 8;

/// One value.
pub(super) enum Node {
    /// A text of a file.
    Text(String),
    /// The content of an environment variable, which is a text, a number, a list, as it is needed.
    Raw(String),
    /// A whole number; `None` when it is larger than any setting.
    Integer(Option<i64>),
    Boolean(bool),
    List(Vec<Entry>),
    Table(Table),
    /// A type that no setting has.
    Other(&'static str),
}

/// One value, and where it stands.
pub(super) struct Entry {
    pub(super) node: Node,
    pub(super) source: SettingSource,
}

/// The settings of one section.
pub(super) type Table = BTreeMap<String, Entry>;

impl Node {
    /// The type, for people.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::Raw(_) => "a text",
            Self::Integer(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a section",
            Self::Other(kind) => kind,
        }
    }

    /// A text, wherever it stands; otherwise what it is.
    pub(super) fn into_text(self) -> Result<String, Self> {
        match self {
            Self::Text(text) | Self::Raw(text) => Ok(text),
            other @ (Self::Integer(_)
            | Self::Boolean(_)
            | Self::List(_)
            | Self::Table(_)
            | Self::Other(_)) => Err(other),
        }
    }

    /// A list of texts, which in a variable are separated by commas; otherwise what it is.
    pub(super) fn into_texts(self) -> Result<Vec<String>, Self> {
        match self {
            Self::Raw(text) => {
                let entries = text.split(',').map(str::trim);
                let entries = entries.filter(|entry| !entry.is_empty());
                Ok(entries.map(str::to_owned).collect())
            }
            Self::List(entries) => {
                let texts = entries.into_iter().map(|entry| entry.node.into_text());
                texts
                    .collect::<Result<_, _>>()
                    .map_err(|_| Self::Other("a list of something else than texts"))
            }
            other @ (Self::Text(_)
            | Self::Integer(_)
            | Self::Boolean(_)
            | Self::Table(_)
            | Self::Other(_)) => Err(other),
        }
    }

    /// A whole number, which is `None` when it is larger than any setting; otherwise what it is.
    pub(super) fn into_integer(self) -> Result<Option<i64>, Self> {
        match self {
            Self::Integer(number) => Ok(number),
            Self::Raw(text) => match text.parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(Self::Raw(text)),
            },
            other @ (Self::Text(_)
            | Self::Boolean(_)
            | Self::List(_)
            | Self::Table(_)
            | Self::Other(_)) => Err(other),
        }
    }

    /// A section; otherwise what it is.
    pub(super) fn into_table(self) -> Result<Table, Self> {
        match self {
            Self::Table(table) => Ok(table),
            other @ (Self::Text(_)
            | Self::Raw(_)
            | Self::Integer(_)
            | Self::Boolean(_)
            | Self::List(_)
            | Self::Other(_)) => Err(other),
        }
    }

    /// The words of a value, by which two spellings of one setting are compared. `None` of a section.
    pub(super) fn words(&self) -> Option<Vec<String>> {
        let split = |text: &str| {
            let words = text.split(|c: char| c == ',' || c.is_whitespace());
            let words = words.filter(|word| !word.is_empty());
            words.map(str::to_owned).collect::<Vec<_>>()
        };
        match self {
            Self::Text(text) | Self::Raw(text) => Some(split(text)),
            Self::Integer(number) => Some(vec![(*number)?.to_string()]),
            Self::Boolean(flag) => Some(vec![flag.to_string()]),
            Self::List(entries) => {
                let words: Option<Vec<Vec<String>>> =
                    entries.iter().map(|entry| entry.node.words()).collect();
                Some(words?.into_iter().flatten().collect())
            }
            Self::Table(_) | Self::Other(_) => None,
        }
    }
}

/// Reads TOML. Nothing of it, when there is a fault: what follows a slip is not what was meant.
pub(super) fn parse(text: &str, name: &Arc<str>, faults: &mut Faults) -> Table {
    let (document, errors) = DeTable::parse_recoverable(text);
    let lines = Lines::new(text, name);
    let mut in_order: Vec<_> = errors.iter().collect();
    in_order.sort_by_key(|error| error.span().map(|span| span.start));
    for error in in_order.into_iter().take(MAX_SYNTAX_ERRORS) {
        let source = match error.span() {
            Some(span) => lines.source(span.start),
            None => lines.whole(),
        };
        // The parser's own text is fixed, while its `Display` would quote the line, which may hold a
        // secret.
        let problem = format!("is not TOML: {}", error.message());
        faults.add("configuration", source, problem, "correct the line");
    }
    if errors.is_empty() {
        lines.table(document.into_inner())
    } else {
        Table::new()
    }
}

/// Where the lines of a text begin.
struct Lines<'a> {
    name: &'a Arc<str>,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &str, name: &'a Arc<str>) -> Self {
        let breaks = text.match_indices('\n');
        let starts = breaks.map(|(at, _)| at.saturating_add(1)).collect();
        Self { name, starts }
    }

    fn whole(&self) -> SettingSource {
        SettingSource::File {
            name: Arc::clone(self.name),
            line: None,
        }
    }

    fn source(&self, offset: usize) -> SettingSource {
        let before = self.starts.partition_point(|start| *start <= offset);
        SettingSource::File {
            name: Arc::clone(self.name),
            line: Some(before.saturating_add(1)),
        }
    }

    fn table(&self, table: DeTable<'_>) -> Table {
        let entries = table.into_iter().map(|(key, value)| {
            let source = self.source(key.span().start);
            let node = self.node(value.into_inner());
            (key.into_inner().into_owned(), Entry { node, source })
        });
        entries.collect()
    }

    fn node(&self, value: DeValue<'_>) -> Node {
        match value {
            DeValue::String(text) => Node::Text(text.into_owned()),
            DeValue::Integer(number) => {
                Node::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok())
            }
            DeValue::Boolean(flag) => Node::Boolean(flag),
            DeValue::Array(values) => {
                let entries = values.into_iter().map(|value: Spanned<DeValue<'_>>| {
                    let source = self.source(value.span().start);
                    let node = self.node(value.into_inner());
                    Entry { node, source }
                });
                Node::List(entries.collect())
            }
            DeValue::Table(table) => Node::Table(self.table(table)),
            DeValue::Float(_) => Node::Other("a fraction"),
            DeValue::Datetime(_) => Node::Other("a date"),
        }
    }
}

/// Puts a value where `path` says, in place of what is there. In a list, a number counts its sections
/// from 0, and the next number adds one.
pub(super) fn put(
    table: &mut Table,
    path: &[String],
    mut entry: Entry,
) -> Result<(), &'static str> {
    let Some((key, rest)) = path.split_first() else {
        return Err("names no setting");
    };
    let Some(next) = rest.first() else {
        let old = table.remove(key);
        if let (Some(old), SettingSource::Variable { instead_of, .. }) = (old, &mut entry.source) {
            if !matches!(old.source, SettingSource::File { .. }) {
                return Err("sets what another variable sets too");
            }
            *instead_of = Some(Box::new(old.source));
        }
        table.insert(key.clone(), entry);
        return Ok(());
    };
    let numbered = next.parse::<usize>().ok().filter(|_| rest.len() > 1);
    let place = table.entry(key.clone()).or_insert_with(|| Entry {
        node: match numbered {
            Some(_) => Node::List(Vec::new()),
            None => Node::Table(Table::new()),
        },
        source: entry.source.clone(),
    });
    if let (Node::List(entries), Some(number)) = (&mut place.node, numbered) {
        if number == entries.len() {
            entries.push(Entry {
                node: Node::Table(Table::new()),
                source: entry.source.clone(),
            });
        }
        return match entries.get_mut(number).map(|entry| &mut entry.node) {
            Some(Node::Table(inner)) => put(inner, rest.get(1..).unwrap_or_default(), entry),
            Some(_) => Err("counts sections in a list of something else"),
            None => Err("leaves out a number: sections are counted from 0"),
        };
    }
    if matches!(place.node, Node::List(_)) {
        return Err("names one section, and there are several: write its number");
    }
    if let Node::Table(inner) = &mut place.node {
        return put(inner, rest, entry);
    }
    if !matches!(place.source, SettingSource::File { .. }) {
        return Err("sets what another variable sets too");
    }
    let mut inner = Table::new();
    let source = entry.source.clone();
    put(&mut inner, rest, entry)?;
    *place = Entry {
        node: Node::Table(inner),
        source,
    };
    Ok(())
}

/// Puts a value where `path` says, if nothing is there: a default, which takes nobody's place.
pub(super) fn put_default(table: &mut Table, path: &[&str], entry: Entry) {
    let Some((key, rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        table.entry((*key).to_owned()).or_insert(entry);
        return;
    }
    let place = table.entry((*key).to_owned()).or_insert_with(|| Entry {
        node: Node::Table(Table::new()),
        source: entry.source.clone(),
    });
    if let Node::Table(inner) = &mut place.node {
        put_default(inner, rest, entry);
    }
}

/// The value at `path`.
pub(super) fn find<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Entry> {
    let (key, rest) = path.split_first()?;
    let entry = table.get(*key)?;
    match (rest, &entry.node) {
        ([], _) => Some(entry),
        (_, Node::Table(inner)) => find(inner, rest),
        (
            _,
            Node::Text(_)
            | Node::Raw(_)
            | Node::Integer(_)
            | Node::Boolean(_)
            | Node::List(_)
            | Node::Other(_),
        ) => None,
    }
}
