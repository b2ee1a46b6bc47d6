//! Which names a policy may give to its parts.

use crate::fault::Faults;

/// The longest name in bytes: what PostgreSQL permits for an identifier.
const MAX_NAME_BYTES: usize = 63;
/// The longest name of a role, a scope or a rule.
const MAX_LONG_NAME_BYTES: usize = 128;

/// How many names a fault lists.
const MAX_LISTED: usize = 12;

/// What there is, for whoever misspelt one of them: `; there are admin, analyst`.
pub(super) fn there_are<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names = names.peekable();
    if names.peek().is_none() {
        return "; there is none".to_owned();
    }
    let listed: Vec<&str> = names.by_ref().take(MAX_LISTED).collect();
    let more = if names.peek().is_some() { ", …" } else { "" };
    format!("; there are {}{more}", listed.join(", "))
}

/// A lower-case name of attributes, actions, relations and types: `[a-z][a-z0-9_]*`.
pub(super) fn check_word(faults: &mut Faults, path: &str, what: &str, name: &str) {
    let mut bytes = name.bytes();
    let is_word = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && name.len() <= MAX_NAME_BYTES;
    if !is_word {
        faults.add(
            path,
            format!(
                "{what} {name:?} is no name: lower-case letters a to z, digits and underscores, beginning with a letter, {MAX_NAME_BYTES} at most"
            ),
        );
    }
}

/// The name of a role, a scope, a rule: visible ASCII. Letters of other scripts look like those, so that two
/// names could not be told apart by whoever reviews the policy.
pub(super) fn is_long_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_LONG_NAME_BYTES
        && name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'\''))
}

/// Says so where [`is_long_name`] says no.
pub(super) fn check_long_name(faults: &mut Faults, path: &str, what: &str, name: &str) {
    if !is_long_name(name) {
        faults.add(
            path,
            format!(
                "{what} {:?} is no name: visible ASCII characters without quotes and backslashes, {MAX_LONG_NAME_BYTES} at most (letters of other scripts can look the same and be another name)",
                name.chars().take(MAX_LONG_NAME_BYTES).collect::<String>()
            ),
        );
    }
}

/// A table or a column. It is quoted wherever it is written, so that its case counts.
pub(super) fn check_identifier(
    faults: &mut Faults,
    path: &str,
    what: &str,
    name: &str,
    parts: usize,
) {
    let is_part = |part: &str| {
        let mut bytes = part.bytes();
        bytes
            .next()
            .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && part.len() <= MAX_NAME_BYTES
    };
    if name.split('.').count() > parts || !name.split('.').all(is_part) {
        faults.add(
            path,
            format!(
                "{what} {name:?} is no identifier: letters, digits and underscores, beginning with a letter or an underscore, {MAX_NAME_BYTES} at most"
            ),
        );
    }
}
