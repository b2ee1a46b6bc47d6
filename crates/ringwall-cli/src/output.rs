//! What a command answers.

use std::io::{self, Write as _};

use serde_json::Value;

use crate::complaint::tell;
use crate::failure::Failure;

/// Answers as lines of text, or of JSON: one object on each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    is_json: bool,
}

impl Output {
    pub(crate) const fn new(is_json: bool) -> Self {
        Self { is_json }
    }

    pub(crate) const fn is_json(self) -> bool {
        self.is_json
    }

    /// One answer, in the form that was asked for.
    pub(crate) fn answer(self, value: &Value, text: &str) -> Result<(), Failure> {
        self.write(value, text).map_err(Failure::Output)
    }

    /// The same, for who has to know whether it was written.
    pub(crate) fn write(self, value: &Value, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.is_json {
            // One piece, so that a line is whole or missing.
            let mut line = zeroize::Zeroizing::new(value.to_string());
            line.push('\n');
            out.write_all(line.as_bytes())?;
        } else {
            out.write_all(text.as_bytes())?;
            out.write_all(b"\n")?;
        }
        out.flush()
    }

    /// A line for people, beside the answer.
    pub(crate) fn note(self, text: &str) {
        tell(&format!("{text}\n"));
    }
}
