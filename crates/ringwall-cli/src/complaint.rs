//! What the operator is told when something does not work.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The most causes that are shown: no chain is longer, unless it is a ring.
const MAX_CAUSES: usize = 16;

/// The failure and its causes, on the standard error.
pub(crate) fn of_failure(failure: &dyn Error) {
    let mut text = format!("ringwall: {failure}\n");
    for cause in causes(failure) {
        // Writing to a string cannot fail.
        writeln!(text, "  because {cause}").unwrap_or_default();
    }
    tell(&text);
}

/// The same for the inside of a sentence.
pub(crate) fn in_one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    for cause in causes(error) {
        write!(text, ": {cause}").unwrap_or_default();
    }
    text
}

fn causes<'a>(error: &'a dyn Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause| (*cause).source()).take(MAX_CAUSES)
}

/// Writes lines for people. What a server or an argument put into them moves no cursor and starts no line.
pub(crate) fn tell(text: &str) {
    let text = printable(text);
    // There is nobody left to tell when this cannot be written.
    io::stderr().write_all(text.as_bytes()).unwrap_or_default();
}

/// Control characters, and those that turn the direction of text, as their escapes; line feeds and tabs stay.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let turns = matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
        );
        if (c.is_control() && !matches!(c, '\n' | '\t')) || turns {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Help and version as they are. Everything else in words of our own: the parser repeats what was typed, which
/// may be a key or a password in the wrong place, on its way into the log of a build.
pub(crate) fn of_arguments(error: &clap::Error) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            | ErrorKind::DisplayVersion
    ) {
        return match error.print() {
            Ok(()) => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2)),
            Err(_) => ExitCode::FAILURE,
        };
    }
    let names = names_of(error);
    let what = match error.kind() {
        ErrorKind::UnknownArgument => match names.as_str() {
            "" => {
                "an argument has no place here (it is not repeated: it may be a secret)".to_owned()
            }
            names => format!("there is no option {names} here"),
        },
        ErrorKind::InvalidSubcommand => "there is no such command".to_owned(),
        ErrorKind::MissingSubcommand => "a command is missing".to_owned(),
        ErrorKind::MissingRequiredArgument => format!("missing: {names}"),
        ErrorKind::ArgumentConflict => format!("these do not go together: {names}"),
        ErrorKind::NoEquals | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            format!("a value is missing: {names}")
        }
        ErrorKind::TooManyValues => format!("too many values: {names}"),
        ErrorKind::InvalidUtf8 => "an argument is not UTF-8".to_owned(),
        ErrorKind::InvalidValue if value_is_empty(error) => format!("a value is missing: {names}"),
        ErrorKind::InvalidValue
        | ErrorKind::ValueValidation
        | ErrorKind::DisplayHelp
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        | ErrorKind::DisplayVersion
        | ErrorKind::Io
        | ErrorKind::Format
        | _ => match error.source() {
            Some(cause) => format!("the value of {names} cannot be used: {cause}"),
            None => format!("the value of {names} cannot be used"),
        },
    };
    let what = what.replace('\n', " ");
    tell(&format!("ringwall: {what}\n  see `ringwall --help`\n"));
    ExitCode::from(2)
}

/// The options that it is about, as far as they are names of options.
fn names_of(error: &clap::Error) -> String {
    let mut names: Vec<&str> = Vec::new();
    for kind in [ContextKind::InvalidArg, ContextKind::PriorArg] {
        match error.get(kind) {
            Some(ContextValue::String(name)) => names.push(name),
            Some(ContextValue::Strings(more)) => names.extend(more.iter().map(String::as_str)),
            Some(_) | None => {}
        }
    }
    names.retain(|name| is_declared(name));
    names.dedup();
    names.join(", ")
}

/// Of what a declaration looks like: `--store <URL>`, `<ID>`. A word that was typed has this look only when it
/// is the name of an option, without a value.
fn is_declared(name: &str) -> bool {
    let is_plain = |c: char| {
        c.is_ascii_alphabetic() || matches!(c, '-' | '_' | '<' | '>' | '|' | ' ' | '.' | '[' | ']')
    };
    (name.starts_with("--") || name.starts_with('<') || name.starts_with('['))
        && name.len() <= 128
        && name.chars().all(is_plain)
}

fn value_is_empty(error: &clap::Error) -> bool {
    matches!(error.get(ContextKind::InvalidValue), Some(ContextValue::String(value)) if value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor_or_turns_the_text() {
        assert_eq!(
            printable("a\u{1b}[2J\r\tb\u{202e}c\n"),
            "a\\u{1b}[2J\\u{d}\tb\\u{202e}c\n"
        );
    }

    #[test]
    fn a_ring_of_causes_has_an_end() {
        #[derive(Debug)]
        struct Ring;
        impl std::fmt::Display for Ring {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("round")
            }
        }
        impl Error for Ring {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&Ring)
            }
        }
        assert_eq!(causes(&Ring).count(), MAX_CAUSES);
    }
}
