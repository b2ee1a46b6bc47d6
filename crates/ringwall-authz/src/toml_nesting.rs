//! How deep a TOML document is nested, found before it is read.
//!
//! The parser bounds brackets and the segments of a dotted key each by themselves, and together they nest thousands of
//! levels, which a reader that calls itself for each would not survive. This walk counts both, and knows of strings and
//! comments no more than it has to.

use crate::fault::PolicyFaults;

/// The most levels of brackets and dots together: twice what conditions may have, and what stands around them.
const MAX_LEVELS: usize = 96;

/// Refuses a document that is nested deeper, with its line.
pub(crate) fn check(text: &str) -> Result<(), PolicyFaults> {
    let mut walk = Walk {
        levels: vec![0],
        total: 0,
        line: 1,
    };
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = match byte {
            b'#' => past(after, |bytes| bytes.starts_with(b"\n"), 0),
            b'"' | b'\'' => walk.string(*byte, after),
            other => {
                walk.byte(*other);
                after
            }
        };
        if walk.total.saturating_add(walk.levels.len()) > MAX_LEVELS {
            return Err(PolicyFaults::one(
                Some(walk.line),
                format!("it is nested deeper than {MAX_LEVELS} levels"),
            ));
        }
    }
    Ok(())
}

struct Walk {
    /// The dots of the key that is being written, for each bracket that is open.
    levels: Vec<usize>,
    /// Their sum.
    total: usize,
    line: u32,
}

impl Walk {
    fn byte(&mut self, byte: u8) {
        match byte {
            b'{' | b'[' => self.levels.push(0),
            b'}' | b']' if self.levels.len() > 1 => {
                let dots = self.levels.pop().unwrap_or(0);
                self.total = self.total.saturating_sub(dots);
            }
            b'.' => {
                if let Some(dots) = self.levels.last_mut() {
                    *dots = dots.saturating_add(1);
                    self.total = self.total.saturating_add(1);
                }
            }
            b',' => self.end_of_key(),
            b'\n' => {
                self.line = self.line.saturating_add(1);
                self.end_of_key();
            }
            _ => {}
        }
    }

    fn end_of_key(&mut self) {
        if let Some(dots) = self.levels.last_mut() {
            self.total = self.total.saturating_sub(*dots);
            *dots = 0;
        }
    }

    /// Past a string, which holds brackets and dots that nest nothing.
    fn string<'a>(&mut self, quote: u8, after: &'a [u8]) -> &'a [u8] {
        let three = [quote, quote, quote];
        let is_escaped = quote == b'"';
        let (body, end): (&[u8], &[u8]) = match after.strip_prefix(&three[..2]) {
            Some(body) => (body, &three),
            None if after.first() == Some(&quote) => return after.get(1..).unwrap_or(&[]),
            None => (after, &three[..1]),
        };
        let mut at = 0_usize;
        while let Some(bytes) = body.get(at..).filter(|bytes| !bytes.is_empty()) {
            if bytes.starts_with(end) {
                return bytes.get(end.len()..).unwrap_or(&[]);
            }
            match bytes.first() {
                Some(b'\\') if is_escaped => at = at.saturating_add(1),
                // A string of one line that is not closed is an error, which the parser tells.
                Some(b'\n') if end.len() == 1 => return bytes,
                Some(b'\n') => self.line = self.line.saturating_add(1),
                Some(_) | None => {}
            }
            at = at.saturating_add(1);
        }
        &[]
    }
}

fn past(bytes: &[u8], is_end: impl Fn(&[u8]) -> bool, skip: usize) -> &[u8] {
    let mut at = 0_usize;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        if is_end(rest) {
            return rest.get(skip..).unwrap_or(&[]);
        }
        at = at.saturating_add(1);
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_brackets_and_dots_together_and_nothing_within_strings() {
        let dotted = format!(
            "a = {{ {}x = {{ {}y = 1 }} }}",
            "n.".repeat(60),
            "n.".repeat(60)
        );
        assert!(check(&dotted).is_err());
        assert!(check(&format!("a = {}{}", "[".repeat(100), "]".repeat(100))).is_err());
        let dots = ".".repeat(500);
        for fine in [
            format!("a = \"{dots}[[[[\""),
            format!("a = '{dots}'"),
            format!("a = \"\"\"{dots}\n\\\"\"\"\""),
            format!("# {dots}\na = 1"),
            "a.b.c = 1\n".repeat(1000),
            "a = [1.5, 2.5, 3.5]\n".repeat(100),
            format!("a = [{}]", "{ b.c = 1 }, ".repeat(1000)),
            "a = ''\nb = \"\"".to_owned(),
        ] {
            assert!(
                check(&fine).is_ok(),
                "{}",
                fine.chars().take(40).collect::<String>()
            );
        }
    }

    #[test]
    fn counts_each_line_once() {
        let deep = "[".repeat(100);
        for (text, line) in [
            (format!("a = 1\nb = {deep}"), 2),
            (format!("a = \"open\nb = {deep}"), 2),
            (format!("a = \"\"\"\n\n\"\"\"\n# x\nb = {deep}"), 5),
        ] {
            let faults = check(&text).expect_err("it is deep");
            assert_eq!(faults.faults()[0].line, Some(line), "{text}");
        }
    }
}
