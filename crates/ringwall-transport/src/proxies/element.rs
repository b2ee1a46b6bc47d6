//! Elements of `Forwarded` (RFC 7239 §4): what one proxy says.

use core::net::IpAddr;

use super::authority::authority;
use super::hops::Hop;
use super::node::Node;
use super::scheme::scheme;

/// The most parameters of an element. RFC 7239 defines four.
const MAX_PARAMETERS: usize = 16;

/// The longest node or scheme in bytes, without quotes and escapes: RFC 7239 sets no bound to the names
/// that proxies make up, and theirs are a few letters.
const MAX_VALUE: usize = 256;

/// An element whose form RFC 7239 permits.
pub(super) struct Element<'a> {
    node: Option<Node>,
    proto: Option<Value<'a>>,
    host: Option<Value<'a>>,
}

impl<'a> Element<'a> {
    /// The scheme that it says: `own` when it says none, `None` when that can be no scheme.
    pub(super) fn scheme(&self, own: Option<&'a str>) -> Option<&'a str> {
        match &self.proto {
            None => own,
            Some(value) => scheme(value.unescaped(&mut [0; MAX_VALUE])?),
        }
    }

    /// The host that it says: `own` when it says none, `None` when that can be no host. No character of a
    /// host needs an escape, so a host with one is none.
    pub(super) fn authority(&self, own: Option<&'a str>) -> Option<&'a str> {
        match &self.host {
            None => own,
            Some(value) => authority(value.text),
        }
    }
}

impl<'a> Hop<'a> for Element<'a> {
    /// A host of 253 bytes, two nodes, and room for what proxies define themselves.
    const MAX_BYTES: usize = 1024;

    /// A comma may stand in a quoted string. Whether it does is decided from the right end, where the last
    /// proxy wrote, and not from the left: there the client can open a string that swallows the element
    /// by which the proxy names it.
    fn comma(tail: &[u8]) -> Option<usize> {
        let mut is_quoted = false;
        let mut rest = tail;
        while let Some((byte, before)) = rest.split_last() {
            match byte {
                b'"' if !is_quoted => is_quoted = true,
                // Behind a backslash it is part of the string. That the backslash might be escaped itself
                // need not be asked: then the quote closes the string, and was met first.
                b'"' => is_quoted = before.ends_with(b"\\"),
                b',' if !is_quoted => return Some(before.len()),
                _ => {}
            }
            rest = before;
        }
        None
    }

    fn read(text: &'a [u8]) -> Option<Self> {
        let mut element = Self {
            node: None,
            proto: None,
            host: None,
        };
        let mut names: [&[u8]; MAX_PARAMETERS] = [&[]; MAX_PARAMETERS];
        let mut count: usize = 0;
        let mut rest = text;
        while let Some((first, after)) = rest.split_first() {
            // Pairs may be empty.
            if *first == b';' {
                rest = after;
                continue;
            }
            let (name, after) = token(rest)?;
            let (value, after) = Value::read(after.strip_prefix(b"=")?)?;
            if !(after.is_empty() || after.starts_with(b";")) {
                return None;
            }
            // Which one of two counts is not for us to guess.
            if names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                return None;
            }
            *names.get_mut(count)? = name;
            count = count.saturating_add(1);
            if name.eq_ignore_ascii_case(b"for") {
                let mut space = [0; MAX_VALUE];
                let text = core::str::from_utf8(value.unescaped(&mut space)?).ok()?;
                element.node = Some(Node::read(text)?);
            } else if name.eq_ignore_ascii_case(b"proto") {
                element.proto = Some(value);
            } else if name.eq_ignore_ascii_case(b"host") {
                element.host = Some(value);
            }
            rest = after;
        }
        (count > 0).then_some(element)
    }

    fn address(&self) -> Option<IpAddr> {
        match self.node? {
            Node::Address(address) => Some(address),
            Node::Hidden => None,
        }
    }
}

/// The value of a parameter: a token, or what stands between quotes, with its escapes.
struct Value<'a> {
    text: &'a [u8],
}

impl<'a> Value<'a> {
    /// Reads a value from the beginning of `text`. Answers what follows it too.
    fn read(text: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let Some(inner) = text.strip_prefix(b"\"") else {
            let (text, after) = token(text)?;
            return Some((Self { text }, after));
        };
        let mut rest = inner;
        loop {
            let (byte, after) = rest.split_first()?;
            rest = match byte {
                b'"' => {
                    let (text, _) = inner.split_at_checked(inner.len().checked_sub(rest.len())?)?;
                    return Some((Self { text }, after));
                }
                b'\\' => {
                    let (escaped, after) = after.split_first()?;
                    is_text(*escaped).then_some(after)?
                }
                _ => is_text(*byte).then_some(after)?,
            };
        }
    }

    /// Without its escapes. `None` when that does not fit into `space`.
    fn unescaped<'b>(&self, space: &'b mut [u8; MAX_VALUE]) -> Option<&'b [u8]> {
        let mut length: usize = 0;
        let mut rest = self.text;
        while let Some((byte, after)) = rest.split_first() {
            let (byte, after) = match byte {
                b'\\' => after.split_first()?,
                _ => (byte, after),
            };
            *space.get_mut(length)? = *byte;
            length = length.saturating_add(1);
            rest = after;
        }
        space.get(..length)
    }
}

/// Splits a token off the beginning (RFC 9110 §5.6.2).
fn token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text
        .iter()
        .position(|byte| !is_token(*byte))
        .unwrap_or(text.len());
    (end > 0).then(|| text.split_at_checked(end))?
}

const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// What may stand in a quoted string (RFC 9110 §5.6.4): no control characters but the tab.
const fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}
