//! The string form of RFC 4514 and RFC 2253.

use core::fmt::{self, Write as _};
use core::iter::Peekable;
use core::str::Chars;

use crate::certificate::IdentityError;
use crate::certificate::hex_digit;
use crate::subject::{SubjectAttribute, SubjectName, SubjectValue, is_attribute_type};

const MALFORMED: IdentityError = IdentityError::SubjectMalformed;

pub(crate) fn parse(text: &str) -> Result<SubjectName, IdentityError> {
    if text.len() > SubjectName::MAX_BYTES {
        return Err(MALFORMED);
    }
    let mut subject = SubjectName {
        attributes: Vec::new(),
    };
    if text.is_empty() {
        return Ok(subject); // a subject without attributes, as certificates with alternative names have
    }
    let mut rest = text.chars().peekable();
    let mut joined = false;
    loop {
        let kind = read_type(&mut rest)?;
        let value = read_value(&mut rest)?;
        subject.push(SubjectAttribute {
            kind,
            value,
            joined,
        })?;
        joined = match rest.next() {
            None => return Ok(subject),
            Some(',') => false,
            Some('+') => true,
            Some(_) => return Err(MALFORMED),
        };
    }
}

fn read_type(rest: &mut Peekable<Chars<'_>>) -> Result<Box<str>, IdentityError> {
    let mut kind = String::new();
    loop {
        match rest.next().ok_or(MALFORMED)? {
            '=' => break,
            c => kind.push(c),
        }
    }
    if is_attribute_type(&kind) {
        Ok(kind.into())
    } else {
        Err(MALFORMED)
    }
}

fn read_value(rest: &mut Peekable<Chars<'_>>) -> Result<SubjectValue, IdentityError> {
    match rest.peek() {
        Some('#') => {
            rest.next();
            read_encoded(rest)
        }
        Some('"') => {
            rest.next();
            read_quoted(rest)
        }
        Some(_) | None => read_text(rest),
    }
}

/// `hexstring = SHARP 1*hexpair`.
fn read_encoded(rest: &mut Peekable<Chars<'_>>) -> Result<SubjectValue, IdentityError> {
    let mut bytes = Vec::new();
    while let Some(high) = rest.next_if(char::is_ascii_hexdigit) {
        let low = rest.next().ok_or(MALFORMED)?;
        bytes.push(hex_pair(high, low)?);
    }
    if bytes.is_empty() {
        return Err(MALFORMED);
    }
    Ok(SubjectValue::Encoded(bytes.into()))
}

/// `quotation *( quotechar / pair ) quotation` of RFC 2253 §3, from which RFC 4514 went away.
fn read_quoted(rest: &mut Peekable<Chars<'_>>) -> Result<SubjectValue, IdentityError> {
    let mut bytes = Vec::new();
    loop {
        match rest.next().ok_or(MALFORMED)? {
            '"' => return text_value(bytes),
            '\\' => read_pair(rest, &mut bytes)?,
            c if c.is_control() => return Err(MALFORMED),
            c => push(&mut bytes, c),
        }
    }
}

/// `string` of RFC 4514 §3, up to a separator or to the end. White space at either end has to be
/// escaped: whoever trims it and whoever does not would read two names.
fn read_text(rest: &mut Peekable<Chars<'_>>) -> Result<SubjectValue, IdentityError> {
    let mut bytes = Vec::new();
    if rest.peek() == Some(&' ') {
        return Err(MALFORMED);
    }
    let mut ends_in_space = false;
    while let Some(c) = rest.next_if(|c| !matches!(c, ',' | '+')) {
        ends_in_space = c == ' ';
        match c {
            '\\' => read_pair(rest, &mut bytes)?,
            '"' | ';' | '<' | '>' => return Err(MALFORMED),
            c if c.is_control() => return Err(MALFORMED),
            c => push(&mut bytes, c),
        }
    }
    if ends_in_space {
        return Err(MALFORMED);
    }
    text_value(bytes)
}

/// `pair = ESC ( ESC / special / hexpair )`, after its backslash. A pair of digits is a byte of the
/// UTF-8 text, not a character.
fn read_pair(rest: &mut Peekable<Chars<'_>>, bytes: &mut Vec<u8>) -> Result<(), IdentityError> {
    let first = rest.next().ok_or(MALFORMED)?;
    if is_special(first) {
        push(bytes, first);
        return Ok(());
    }
    let second = rest.next().ok_or(MALFORMED)?;
    bytes.push(hex_pair(first, second)?);
    Ok(())
}

const fn is_special(c: char) -> bool {
    matches!(
        c,
        '\\' | '"' | '+' | ',' | ';' | '<' | '>' | ' ' | '#' | '='
    )
}

fn hex_pair(high: char, low: char) -> Result<u8, IdentityError> {
    let digit = |c: char| u8::try_from(c).ok().and_then(hex_digit).ok_or(MALFORMED);
    Ok(digit(high)? << 4 | digit(low)?)
}

fn push(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn text_value(bytes: Vec<u8>) -> Result<SubjectValue, IdentityError> {
    let text = String::from_utf8(bytes).map_err(|_| MALFORMED)?;
    Ok(SubjectValue::Text(text.into()))
}

/// Writes `text` so that [`parse`] reads it again, and every other reader of RFC 4514 with it.
pub(crate) fn write_value(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let last = text.char_indices().next_back().map(|(at, _)| at);
    for (at, c) in text.char_indices() {
        let at_an_end = at == 0 || Some(at) == last;
        match c {
            '\\' | '"' | '+' | ',' | ';' | '<' | '>' => write!(f, "\\{c}")?,
            ' ' if at_an_end => f.write_str("\\ ")?,
            '#' if at == 0 => f.write_str("\\#")?,
            c if c.is_control() => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    write!(f, "\\{byte:02X}")?;
                }
            }
            c => f.write_char(c)?,
        }
    }
    Ok(())
}
