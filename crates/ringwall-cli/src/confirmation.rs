//! A question before something that cannot be taken back.

use std::io::{self, BufRead as _, Read as _};

use crate::complaint::tell;
use crate::failure::Failure;

/// The longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 1024;

/// Asks for the number of what is concerned: a `y` is typed without reading, a number is not.
pub(crate) fn confirm(what: &str, number: u64) -> Result<(), Failure> {
    confirm_by(what, &number.to_string())
}

/// Asks for this word, where nothing can be counted.
pub(crate) fn confirm_by(what: &str, word: &str) -> Result<(), Failure> {
    tell(&format!("{what}\ntype {word} to go on: "));
    let mut answer = String::new();
    let read = io::stdin().lock().take(MAX_ANSWER).read_line(&mut answer);
    match read {
        Ok(_) if !word.trim().is_empty() && answer.trim() == word.trim() => Ok(()),
        Ok(_) => Err(Failure::NotConfirmed),
        Err(error) => Err(Failure::Input(error)),
    }
}
