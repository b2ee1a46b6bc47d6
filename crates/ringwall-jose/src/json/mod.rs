//! JSON that an attacker may have written.
//!
//! A [`Document`] is text that was parsed once, under bounds, with duplicate members refused
//! everywhere. What two parsers read differently is how signed data is made to say two things:
//! here there is one parse, and every later reading (registered claims, typed claims through
//! serde) walks its result.
//!
//! The grammar is `serde_json`'s. The result is a flat list of nodes that point into the text,
//! so a token's claims cost two or three allocations, however many they are.

mod deserialize;
mod parse;

pub use deserialize::ShapeError;

use core::fmt;

/// Bounds on a JSON document. All are checked while parsing, before anything larger is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest text in bytes.
    pub bytes: usize,
    /// The deepest nesting of arrays and objects.
    pub depth: usize,
    /// The most members of one object or elements of one array.
    pub members: usize,
    /// The most values, names included, in the whole document.
    pub nodes: usize,
}

impl Limits {
    /// For a token: 8 KiB of text bound everything else already; nesting of 16 is more than any
    /// provider uses.
    pub const TOKEN: Self = Self {
        bytes: 8 * 1024,
        depth: 16,
        members: 128,
        nodes: 2048,
    };

    /// For a set of keys: 256 KiB, as many members as the longest permitted set has keys.
    pub const KEY_SET: Self = Self {
        bytes: 256 * 1024,
        depth: 16,
        members: 1024,
        nodes: 32 * 1024,
    };
}

/// Why a text is not an acceptable document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Not JSON: broken syntax, a byte order mark, text after the end, a lone surrogate.
    #[error("the text is not JSON")]
    Syntax,
    /// The bytes are not UTF-8.
    #[error("the text is not UTF-8")]
    Encoding,
    /// An object has two members of the same name.
    #[error("an object has two members of the same name")]
    DuplicateMember,
    /// A bound of [`Limits`] is exceeded.
    #[error("the document is too long, too deep or has too many members")]
    TooLarge,
}

/// A parsed JSON document that owns its text.
#[derive(Clone)]
pub struct Document {
    text: Box<str>,
    /// Strings whose escapes had to be resolved, one after the other.
    unescaped: Box<str>,
    /// With a little room to spare until [`Document::shrink`].
    nodes: Vec<Node>,
    /// The [`member_bit`]s of the outermost object: what is not among them is not a member.
    members: u64,
}

/// One value in document order. Positions count bytes or nodes; a text that `u32` cannot measure
/// is refused whatever its [`Limits`].
#[derive(Clone, Copy, Debug)]
enum Node {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text {
        start: u32,
        end: u32,
        escaped: bool,
        /// For the name of a member, its [`mark`].
        mark: u32,
    },
    /// The elements follow; `next` is the first node after them.
    Array {
        next: u32,
    },
    /// Names and values follow in turn; `next` is the first node after them.
    Object {
        next: u32,
    },
}

impl Node {
    /// The index of the first node after this one, which is at `index`.
    const fn after(self, index: u32) -> u32 {
        match self {
            Self::Array { next, .. } | Self::Object { next, .. } => next,
            Self::Null
            | Self::Bool(_)
            | Self::Unsigned(_)
            | Self::Signed(_)
            | Self::Float(_)
            | Self::Text { .. } => index.saturating_add(1),
        }
    }
}

/// Tells most names apart at a glance: the length, and the bytes at both ends and in the middle.
/// Names of the same mark are compared whole, so nothing depends on who chose them.
const fn mark(name: &str) -> u32 {
    let bytes = name.as_bytes();
    let [length, ..] = bytes.len().to_le_bytes();
    match bytes {
        [] => 0,
        [only] => u32::from_le_bytes([length, *only, 0, 0]),
        [first, .., last] => {
            let (_, half) = bytes.split_at(bytes.len() / 2);
            let middle = match half {
                [middle, ..] => *middle,
                [] => 0,
            };
            u32::from_le_bytes([length, *first, middle, *last])
        }
    }
}

/// One of 64 bits for a [`mark`]. Verifiers ask for many claims that tokens do not have, and for
/// most of those one look at the bits is the whole answer.
const fn member_bit(mark: u32) -> u64 {
    // A multiplicative hash: the upper bits depend on all of the mark.
    1_u64.wrapping_shl(mark.wrapping_mul(0x9E37_79B1).wrapping_shr(26))
}

impl Document {
    /// Parses `bytes` once.
    ///
    /// # Errors
    ///
    /// [`JsonError`]; nothing of the text is repeated in it.
    pub fn parse(bytes: Vec<u8>, limits: Limits) -> Result<Self, JsonError> {
        if bytes.len() > limits.bytes || u32::try_from(bytes.len()).is_err() {
            return Err(JsonError::TooLarge);
        }
        let text = String::from_utf8(bytes).map_err(|_| JsonError::Encoding)?;
        parse::parse(text.into_boxed_str(), limits)
    }

    /// The outermost value.
    #[must_use]
    pub fn root(&self) -> Value<'_> {
        Value {
            document: self,
            index: 0,
        }
    }

    /// The text as received.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The bytes it occupies, for the accounting of a cache.
    #[must_use]
    pub fn footprint(&self) -> usize {
        size_of::<Self>()
            .saturating_add(self.text.len())
            .saturating_add(self.unescaped.len())
            .saturating_add(self.nodes.capacity().saturating_mul(size_of::<Node>()))
    }

    /// Gives back what was allocated in advance. Worth its time for a document that is kept.
    pub fn shrink(&mut self) {
        self.nodes.shrink_to_fit();
    }

    fn node(&self, index: u32) -> Node {
        self.nodes
            .get(index as usize)
            .copied()
            .unwrap_or(Node::Null)
    }

    fn slice(&self, start: u32, end: u32, escaped: bool) -> &str {
        let source = if escaped { &self.unescaped } else { &self.text };
        source.get(start as usize..end as usize).unwrap_or_default()
    }
}

impl fmt::Debug for Document {
    /// Shows no content: claims hold personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("bytes", &self.text.len())
            .field("nodes", &self.nodes.len())
            .finish()
    }
}

/// One value of a [`Document`].
///
/// The accessors answer `None` for another type: there is no conversion, since a verifier that
/// reads `"1700000000"` as a number accepts what another refuses.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    document: &'a Document,
    index: u32,
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").finish_non_exhaustive()
    }
}

impl<'a> Value<'a> {
    fn node(self) -> Node {
        self.document.node(self.index)
    }

    /// The index of the first node after this value.
    fn after(self) -> u32 {
        self.node().after(self.index)
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(self) -> Option<&'a str> {
        let Node::Text {
            start,
            end,
            escaped,
            ..
        } = self.node()
        else {
            return None;
        };
        Some(self.document.slice(start, end, escaped))
    }

    /// A non-negative integer, written without fraction and exponent.
    #[must_use]
    pub fn as_u64(self) -> Option<u64> {
        let Node::Unsigned(number) = self.node() else {
            return None;
        };
        Some(number)
    }

    /// A boolean.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        let Node::Bool(value) = self.node() else {
            return None;
        };
        Some(value)
    }

    /// The elements of an array.
    #[must_use]
    pub fn as_array(self) -> Option<Elements<'a>> {
        let Node::Array { next, .. } = self.node() else {
            return None;
        };
        Some(Elements {
            document: self.document,
            index: self.index.saturating_add(1),
            end: next,
        })
    }

    /// The members of an object, in the order written.
    #[must_use]
    pub fn as_object(self) -> Option<Members<'a>> {
        let Node::Object { next, .. } = self.node() else {
            return None;
        };
        Some(Members(Elements {
            document: self.document,
            index: self.index.saturating_add(1),
            end: next,
        }))
    }

    /// The member `name` of an object.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Value<'a>> {
        let document = self.document;
        let Node::Object { next: end } = self.node() else {
            return None;
        };
        let sought = mark(name);
        if self.index == 0 && document.members & member_bit(sought) == 0 {
            return None;
        }
        let mut index = self.index.saturating_add(1);
        let mut rest = document.nodes.get(index as usize..end as usize)?;
        while let [member, value, after @ ..] = rest {
            let place = index.saturating_add(1);
            if let Node::Text {
                start,
                end,
                escaped,
                mark,
            } = *member
                && mark == sought
                && document.slice(start, end, escaped) == name
            {
                return Some(Value {
                    document,
                    index: place,
                });
            }
            index = value.after(place);
            rest = match value {
                Node::Array { .. } | Node::Object { .. } => {
                    document.nodes.get(index as usize..end as usize)?
                }
                Node::Null
                | Node::Bool(_)
                | Node::Unsigned(_)
                | Node::Signed(_)
                | Node::Float(_)
                | Node::Text { .. } => after,
            };
        }
        None
    }
}

/// The elements of an array.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    document: &'a Document,
    index: u32,
    end: u32,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        if self.index >= self.end {
            return None;
        }
        let value = Value {
            document: self.document,
            index: self.index,
        };
        self.index = value.after();
        Some(value)
    }
}

/// The members of an object.
#[derive(Clone, Debug)]
pub struct Members<'a>(Elements<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.0.next()?.as_str()?;
        Some((name, self.0.next()?))
    }
}

#[cfg(test)]
mod tests;
