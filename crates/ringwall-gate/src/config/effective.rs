//! What a configuration comes to, for people to read.

use core::fmt;

use super::fault::SettingSource;

/// What a configuration comes to: every setting that counts, with where it stands. As text it is TOML
/// with the sources as comments, in which secrets are `[redacted]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EffectiveConfig {
    blocks: Vec<Block>,
}

/// What stands under one heading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) heading: Heading,
    pub(super) lines: Vec<Line>,
}

/// The heading of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heading {
    Top,
    Section(Vec<String>),
    /// One of several of this name.
    Element(Vec<String>),
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) key: String,
    /// As TOML has it.
    pub(super) value: String,
    /// `None` when nobody set it.
    pub(super) source: Option<SettingSource>,
}

impl EffectiveConfig {
    /// Begins another section, and answers its number.
    pub(super) fn begin(&mut self, heading: Heading) -> usize {
        let number = self.blocks.len();
        self.blocks.push(Block {
            heading,
            lines: Vec::new(),
        });
        number
    }

    pub(super) fn record(&mut self, block: usize, line: Line) {
        if let Some(block) = self.blocks.get_mut(block) {
            block.lines.push(line);
        }
    }

    /// The settings by their full names, such as `tokens.issuer`, each with where it stands; `None` of
    /// one that was left as it is.
    pub fn settings(&self) -> impl Iterator<Item = (String, Option<&SettingSource>)> {
        self.blocks.iter().flat_map(|block| {
            let path: &[String] = match &block.heading {
                Heading::Top => &[],
                Heading::Section(path) | Heading::Element(path) => path,
            };
            block.lines.iter().map(move |line| {
                let mut parts: Vec<&str> = path.iter().map(String::as_str).collect();
                parts.push(&line.key);
                (parts.join("."), line.source.as_ref())
            })
        })
    }
}

impl fmt::Display for EffectiveConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut is_first = true;
        for Block { heading, lines } in &self.blocks {
            // A section that says nothing is left out, but for one of several: its place counts.
            if lines.is_empty() && !matches!(heading, Heading::Element(_)) {
                continue;
            }
            if !is_first {
                writeln!(f)?;
            }
            is_first = false;
            match heading {
                Heading::Top => {}
                Heading::Section(path) => writeln!(f, "[{}]", dotted(path))?,
                Heading::Element(path) => writeln!(f, "[[{}]]", dotted(path))?,
            }
            for Line { key, value, source } in lines {
                let key = bare_or_quoted(key);
                match source {
                    Some(source) => writeln!(f, "{key} = {value} # {source}")?,
                    None => writeln!(f, "{key} = {value} # unless set")?,
                }
            }
        }
        Ok(())
    }
}

fn dotted(path: &[String]) -> String {
    let parts: Vec<_> = path.iter().map(|part| bare_or_quoted(part)).collect();
    parts.join(".")
}

fn bare_or_quoted(key: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !key.is_empty() && key.bytes().all(is_bare) {
        key.to_owned()
    } else {
        quoted(key)
    }
}

/// A basic string of TOML 1.0.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            // Also what would turn or break the line on somebody's terminal.
            c if c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}') =>
            {
                out.push_str(&format!("\\U{:08X}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// An array of basic strings.
pub(super) fn quoted_list<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let texts: Vec<_> = texts.into_iter().map(quoted).collect();
    format!("[{}]", texts.join(", "))
}
