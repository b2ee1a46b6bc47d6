//! On which line the parts of a JSON document begin, and whether a key stands twice.
//!
//! `serde_json` tells the line of what it cannot read, but not of what it read, and of two equal keys of a map
//! it keeps the last. This walk only finds its way: what is no JSON is told by `serde_json`.

use std::collections::HashSet;

use crate::source::{LineStarts, Lines, MAX_PATH_BYTES, join};

/// As deep as `serde_json` reads.
const MAX_DEPTH: usize = 128;

/// The lines of the parts of `text`.
pub(crate) fn lines(text: &str) -> Lines {
    let mut walk = Walk::new(text, true);
    // What was found before the walk lost its way is good enough for a message.
    let _found = walk.value("", 0);
    walk.lines
}

/// Refuses an object in which a key stands twice, with its line.
pub(crate) fn check_keys(text: &str) -> Result<(), (u32, String)> {
    let mut walk = Walk::new(text, false);
    let _found = walk.value("", 0);
    match walk.twice {
        Some((at, key)) => Err((
            walk.starts.line_of(at),
            format!("the key {key:?} stands twice in one object"),
        )),
        None => Ok(()),
    }
}

struct Walk<'a> {
    text: &'a str,
    at: usize,
    starts: LineStarts,
    keeps_lines: bool,
    lines: Lines,
    twice: Option<(usize, String)>,
}

impl<'a> Walk<'a> {
    fn new(text: &'a str, keeps_lines: bool) -> Self {
        Self {
            text,
            at: 0,
            starts: LineStarts::new(text),
            keeps_lines,
            lines: Lines::default(),
            twice: None,
        }
    }

    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let blank = rest
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
            .count();
        self.at = self.at.saturating_add(blank);
        rest.get(blank).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn keep(&mut self, path: &str, at: usize) {
        if self.keeps_lines && path.len() <= MAX_PATH_BYTES {
            let line = self.starts.line_of(at);
            self.lines.0.insert(path.to_owned(), line);
        }
    }

    fn value(&mut self, path: &str, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match self.peek()? {
            b'{' => self.object(path, depth),
            b'[' => self.array(path, depth),
            b'"' => self.string().map(|_| ()),
            _ => {
                let rest = self.text.as_bytes().get(self.at..)?;
                let length = rest
                    .iter()
                    .take_while(|byte| !matches!(byte, b',' | b']' | b'}' | b'\n' | b' '))
                    .count();
                self.at = self.at.saturating_add(length.max(1));
                Some(())
            }
        }
    }

    fn object(&mut self, path: &str, depth: usize) -> Option<()> {
        self.step();
        let mut keys = HashSet::new();
        loop {
            match self.peek()? {
                b'}' => {
                    self.step();
                    return Some(());
                }
                b',' => self.step(),
                b'"' => {
                    let at = self.at;
                    let key = self.string()?;
                    if self.peek()? != b':' {
                        return None;
                    }
                    self.step();
                    let path = if self.keeps_lines && path.len() <= MAX_PATH_BYTES {
                        join(path, &key)
                    } else {
                        String::new()
                    };
                    self.keep(&path, at);
                    if !keys.insert(key.clone()) && self.twice.is_none() {
                        self.twice = Some((at, key));
                    }
                    self.value(&path, depth.saturating_add(1))?;
                }
                _ => return None,
            }
        }
    }

    fn array(&mut self, path: &str, depth: usize) -> Option<()> {
        self.step();
        let mut index = 0_usize;
        loop {
            match self.peek()? {
                b']' => {
                    self.step();
                    return Some(());
                }
                b',' => self.step(),
                _ => {
                    let path = if self.keeps_lines && path.len() <= MAX_PATH_BYTES {
                        format!("{path}[{index}]")
                    } else {
                        String::new()
                    };
                    let at = self.at;
                    self.keep(&path, at);
                    self.value(&path, depth.saturating_add(1))?;
                    index = index.saturating_add(1);
                }
            }
        }
    }

    /// The text of a string as JSON means it, so that two spellings of one key are one key.
    fn string(&mut self) -> Option<String> {
        let from = self.at;
        self.step();
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at)? {
                b'"' => {
                    self.step();
                    return serde_json::from_str(self.text.get(from..self.at)?).ok();
                }
                b'\\' => self.at = self.at.saturating_add(2),
                _ => self.step(),
            }
        }
    }
}
