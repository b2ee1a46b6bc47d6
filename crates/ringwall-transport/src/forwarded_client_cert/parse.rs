//! From the text of the field to its elements.

use crate::certificate::{IdentityError, hex_digit};
use crate::forwarded_client_cert::{ForwardedClientCert, ForwardedElement};

const MALFORMED: IdentityError = IdentityError::ForwardedMalformed;

pub(crate) fn parse(text: &[u8]) -> Result<Vec<ForwardedElement>, IdentityError> {
    let mut elements = Vec::new();
    let mut element = ForwardedElement::default();
    let mut last_key = None;
    let mut rest = text;
    loop {
        let pair = Pair::read(rest)?;
        // The order of Envoy. A key that comes too late came with a name that has no quotes.
        if last_key.is_some_and(|last| last > pair.key) {
            return Err(MALFORMED);
        }
        last_key = Some(pair.key);
        pair.put_into(&mut element)?;
        match pair.rest {
            [] => {
                elements.push(element);
                return Ok(elements);
            }
            [b',', after @ ..] => {
                elements.push(core::mem::take(&mut element));
                if elements.len() >= ForwardedClientCert::MAX_ELEMENTS {
                    return Err(MALFORMED);
                }
                last_key = None;
                rest = after;
            }
            [b';', after @ ..] => rest = after,
            _ => return Err(MALFORMED),
        }
    }
}

/// The keys, in the order of Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    By,
    Hash,
    Cert,
    Chain,
    Subject,
    Uri,
    Dns,
}

impl Key {
    /// An unknown key is refused: what it means for the identity, nobody here can know.
    fn from_text(text: &[u8]) -> Option<Self> {
        const ALL: [(&[u8], Key); 7] = [
            (b"By", Key::By),
            (b"Hash", Key::Hash),
            (b"Cert", Key::Cert),
            (b"Chain", Key::Chain),
            (b"Subject", Key::Subject),
            (b"URI", Key::Uri),
            (b"DNS", Key::Dns),
        ];
        ALL.into_iter()
            .find(|(name, _)| text.eq_ignore_ascii_case(name))
            .map(|(_, key)| key)
    }
}

/// One `key=value`, and what follows it: nothing, or text that begins with a separator.
struct Pair<'a> {
    key: Key,
    value: &'a str,
    rest: &'a [u8],
}

impl<'a> Pair<'a> {
    fn read(text: &'a [u8]) -> Result<Self, IdentityError> {
        let equals = text
            .iter()
            .position(|byte| *byte == b'=')
            .ok_or(MALFORMED)?;
        let (key, value) = text.split_at_checked(equals).ok_or(MALFORMED)?;
        let key = Key::from_text(key).ok_or(MALFORMED)?;
        let (value, rest) = match value {
            // Envoy writes names as they are: a quote is a part of the certificate's name, and who took
            // it off would make `"spiffe://…"` the workload that it is not.
            [b'=', b'"', ..] if matches!(key, Key::Uri | Key::Dns) => return Err(MALFORMED),
            [b'=', b'"', value @ ..] => split_quoted(value, key)?,
            [b'=', value @ ..] => split_bare(value)?,
            _ => return Err(MALFORMED),
        };
        // Both hold printable ASCII alone.
        let value = str::from_utf8(value).map_err(|_| MALFORMED)?;
        Ok(Self { key, value, rest })
    }

    fn put_into(&self, element: &mut ForwardedElement) -> Result<(), IdentityError> {
        let value = self.value;
        match self.key {
            Key::By => add(&mut element.by, value),
            Key::Hash => {
                let hash = hash(value).ok_or(MALFORMED)?;
                put(&mut element.hash, hash)
            }
            Key::Cert => put(&mut element.certificate, not_empty(value)?.into()),
            Key::Chain => put(&mut element.chain, not_empty(value)?.into()),
            // An empty subject and no URI are stated as they are.
            Key::Subject => put(&mut element.subject, value.into()),
            Key::Uri => add(&mut element.uris, value),
            Key::Dns => add(&mut element.dns, not_empty(value)?),
        }
    }
}

fn not_empty(value: &str) -> Result<&str, IdentityError> {
    if value.is_empty() {
        Err(MALFORMED)
    } else {
        Ok(value)
    }
}

fn put<T>(place: &mut Option<T>, value: T) -> Result<(), IdentityError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(MALFORMED),
    }
}

fn add(names: &mut Vec<Box<str>>, name: &str) -> Result<(), IdentityError> {
    if names.len() >= ForwardedClientCert::MAX_NAMES {
        return Err(MALFORMED);
    }
    names.push(name.into());
    Ok(())
}

/// Splits after the closing quote. A backslash and what follows it belong together. Only the escapes
/// of a subject have a meaning, which its own grammar knows; elsewhere there is nothing to escape.
fn split_quoted(text: &[u8], key: Key) -> Result<(&[u8], &[u8]), IdentityError> {
    let mut bytes = text.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => {
                let (value, rest) = text.split_at_checked(at).ok_or(MALFORMED)?;
                return match rest {
                    [_] => Ok((value, &[])),
                    [_, rest @ ..] if matches!(rest, [b',' | b';', ..]) => Ok((value, rest)),
                    _ => Err(MALFORMED),
                };
            }
            b'\\' if key == Key::Subject => {
                let (_, escaped) = bytes.next().ok_or(MALFORMED)?;
                if !is_printable(*escaped) {
                    return Err(MALFORMED);
                }
            }
            byte if *byte != b'\\' && is_printable(*byte) => {}
            _ => return Err(MALFORMED),
        }
    }
    Err(MALFORMED) // not closed
}

/// Splits before the next separator.
fn split_bare(text: &[u8]) -> Result<(&[u8], &[u8]), IdentityError> {
    let end = text
        .iter()
        .position(|byte| matches!(byte, b',' | b';'))
        .unwrap_or(text.len());
    let (value, rest) = text.split_at_checked(end).ok_or(MALFORMED)?;
    let is_bare = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    if value.iter().all(is_bare) {
        Ok((value, rest))
    } else {
        Err(MALFORMED)
    }
}

const fn is_printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

fn hash(text: &str) -> Option<[u8; 32]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != 32 || !rest.is_empty() {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
        *byte = hex_digit(*high)? << 4 | hex_digit(*low)?;
    }
    Some(hash)
}
