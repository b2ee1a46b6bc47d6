//! From text to nodes.

use std::borrow::Cow;
use std::sync::OnceLock;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Document, JsonError, Limits, Node, mark, member_bit};

/// The name under which `serde_json` hands over a number when some crate of the program has
/// switched its feature `arbitrary_precision` on.
const NUMBER_MEMBER: &str = "$serde_json::private::Number";

pub(super) fn parse(text: Box<str>, limits: Limits) -> Result<Document, JsonError> {
    let mut builder = Builder {
        text: &text,
        unescaped: String::new(),
        // A claim takes two nodes and about twenty bytes; a wrong guess costs a reallocation.
        nodes: Vec::with_capacity(text.len().div_euclid(8).clamp(8, 64)),
        members: 0,
        depth: 0,
        limits,
        fault: None,
    };
    let mut deserializer = serde_json::Deserializer::from_str(&text);
    let parsed = Seed(&mut builder)
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    if parsed.is_err() {
        return Err(builder.fault.unwrap_or(JsonError::Syntax));
    }
    let unescaped = builder.unescaped.into_boxed_str();
    let (nodes, members) = (builder.nodes, builder.members);
    Ok(Document {
        text,
        unescaped,
        nodes,
        members,
    })
}

struct Builder<'t> {
    text: &'t str,
    unescaped: String,
    nodes: Vec<Node>,
    /// See [`Document::members`].
    members: u64,
    depth: usize,
    limits: Limits,
    fault: Option<JsonError>,
}

impl<'t> Builder<'t> {
    fn fail<E: Error>(&mut self, fault: JsonError) -> E {
        self.fault = Some(fault);
        E::custom("refused")
    }

    fn push<E: Error>(&mut self, node: Node) -> Result<u32, E> {
        let index = position(self.nodes.len());
        if self.nodes.len() >= self.limits.nodes {
            return Err(self.fail(JsonError::TooLarge));
        }
        self.nodes.push(node);
        Ok(index)
    }

    /// A string as it stands in the text.
    fn push_borrowed<E: Error>(&mut self, value: &str) -> Result<u32, E> {
        let start = (value.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        let end = start.wrapping_add(value.len());
        if self
            .text
            .get(start..end)
            .is_some_and(|found| core::ptr::eq(found, value))
        {
            return self.push(Node::Text {
                start: position(start),
                end: position(end),
                escaped: false,
                mark: 0,
            });
        }
        self.push_unescaped(value)
    }

    /// A string whose escapes were resolved.
    fn push_unescaped<E: Error>(&mut self, value: &str) -> Result<u32, E> {
        let start = position(self.unescaped.len());
        self.unescaped.push_str(value);
        let end = position(self.unescaped.len());
        self.push(Node::Text {
            start,
            end,
            escaped: true,
            mark: 0,
        })
    }

    /// Notes that the string at `index` is the name of a member.
    fn mark_name(&mut self, index: u32, name: &str) {
        if let Some(Node::Text { mark: field, .. }) = self.nodes.get_mut(index as usize) {
            *field = mark(name);
            // The first name of an object within the outermost one counts too, since its depth is
            // not counted yet. A bit too many costs a search, one too few would hide a member.
            if self.depth <= 1 {
                self.members |= member_bit(*field);
            }
        }
    }

    /// Whether the object at `object` has a member before `name` with the same name.
    fn is_duplicate(&self, object: u32, name: u32) -> bool {
        let Some(Node::Text {
            start,
            end,
            escaped,
            mark: sought,
        }) = self.nodes.get(name as usize).copied()
        else {
            return false;
        };
        let text = self.slice(start, end, escaped);
        let mut index = object.saturating_add(1);
        while index < name {
            if let Some(Node::Text {
                start,
                end,
                escaped,
                mark,
            }) = self.nodes.get(index as usize).copied()
                && mark == sought
                && self.slice(start, end, escaped) == text
            {
                return true;
            }
            let value = index.saturating_add(1);
            let Some(node) = self.nodes.get(value as usize) else {
                return false;
            };
            index = node.after(value);
        }
        false
    }

    fn name(&self, index: u32) -> &str {
        let Some(Node::Text {
            start,
            end,
            escaped,
            ..
        }) = self.nodes.get(index as usize).copied()
        else {
            return "";
        };
        self.slice(start, end, escaped)
    }

    fn slice(&self, start: u32, end: u32, escaped: bool) -> &str {
        let source = if escaped { &self.unescaped } else { self.text };
        source.get(start as usize..end as usize).unwrap_or_default()
    }

    fn descend<E: Error>(&mut self) -> Result<(), E> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > self.limits.depth {
            Err(self.fail(JsonError::TooLarge))
        } else {
            Ok(())
        }
    }

    fn ascend(&mut self, index: u32, close: impl FnOnce(u32) -> Node) {
        self.depth = self.depth.saturating_sub(1);
        let next = position(self.nodes.len());
        if let Some(node) = self.nodes.get_mut(index as usize) {
            *node = close(next);
        }
    }

    /// A number that `serde_json` left as text (`arbitrary_precision`), read as it would have
    /// read it itself.
    fn push_number<E: Error>(&mut self, literal: &str) -> Result<u32, E> {
        let node = if let Ok(number) = literal.parse::<u64>() {
            Node::Unsigned(number)
        } else if let Some(number) = literal.parse().ok().filter(|_| literal != "-0") {
            Node::Signed(number)
        } else {
            match literal.parse::<f64>() {
                Ok(number) if number.is_finite() => Node::Float(number),
                Ok(_) | Err(_) => return Err(self.fail(JsonError::Syntax)),
            }
        };
        self.push(node)
    }
}

/// No text has more bytes than `u32` can count, and none has more nodes or more resolved escapes
/// than bytes.
fn position(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

struct Seed<'b, 't>(&'b mut Builder<'t>);

impl<'de> DeserializeSeed<'de> for Seed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.push(Node::Null).map(drop)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.0.push(Node::Bool(value)).map(drop)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.0.push(Node::Unsigned(value)).map(drop)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.0.push(Node::Signed(value)).map(drop)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.0.push(Node::Float(value)).map(drop)
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<(), E> {
        self.0.push_borrowed(value).map(drop)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.0.push_unescaped(value).map(drop)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let builder = self.0;
        builder.descend()?;
        let index = builder.push(Node::Array { next: 0 })?;
        let mut len: u32 = 0;
        while sequence.next_element_seed(Seed(builder))?.is_some() {
            len = len.saturating_add(1);
            if len as usize > builder.limits.members {
                return Err(builder.fail(JsonError::TooLarge));
            }
        }
        builder.ascend(index, |next| Node::Array { next });
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let builder = self.0;
        let index = builder.push(Node::Object { next: 0 })?;
        let unescaped = builder.unescaped.len();
        let mut len: u32 = 0;
        // A number in disguise is not a level of nesting, so the depth is counted at the first
        // real member or at the end.
        let mut descended = false;
        while let Some(name) = map.next_key_seed(NameSeed(builder))? {
            if len == 0 && builder.name(name) == NUMBER_MEMBER && numbers_come_as_maps() {
                let Literal(literal) = map.next_value()?;
                builder.nodes.truncate(index as usize);
                builder.unescaped.truncate(unescaped);
                return builder.push_number(&literal).map(drop);
            }
            if !descended {
                builder.descend()?;
                descended = true;
            }
            if builder.is_duplicate(index, name) {
                return Err(builder.fail(JsonError::DuplicateMember));
            }
            len = len.saturating_add(1);
            if len as usize > builder.limits.members {
                return Err(builder.fail(JsonError::TooLarge));
            }
            map.next_value_seed(Seed(builder))?;
        }
        if !descended {
            builder.descend()?;
        }
        builder.ascend(index, |next| Node::Object { next });
        Ok(())
    }
}

/// A member's name: a string, pushed as a node.
struct NameSeed<'b, 't>(&'b mut Builder<'t>);

impl<'de> DeserializeSeed<'de> for NameSeed<'_, '_> {
    type Value = u32;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u32, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NameSeed<'_, '_> {
    type Value = u32;

    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("a member name")
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<u32, E> {
        let index = self.0.push_borrowed(value)?;
        self.0.mark_name(index, value);
        Ok(index)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<u32, E> {
        let index = self.0.push_unescaped(value)?;
        self.0.mark_name(index, value);
        Ok(index)
    }
}

/// The text of a number in disguise.
struct Literal<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Literal<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Cow::Owned(text)))
    }
}

/// Whether numbers arrive as maps in this program.
///
/// Features of a dependency are the union of what all crates of a program ask for, so somebody
/// else's `arbitrary_precision` changes how `serde_json` hands numbers to every visitor: today
/// those with a fraction, an exponent or too many digits, in earlier versions all of them. Without
/// this, one such crate would turn numbers into objects.
fn numbers_come_as_maps() -> bool {
    struct Probe;

    impl<'de> Visitor<'de> for Probe {
        type Value = bool;

        fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            f.write_str("a number")
        }

        fn visit_f64<E: Error>(self, _: f64) -> Result<bool, E> {
            Ok(false)
        }

        fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<bool, A::Error> {
            Ok(true)
        }
    }

    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let mut deserializer = serde_json::Deserializer::from_str("0.5");
        (&mut deserializer).deserialize_any(Probe).unwrap_or(false)
    })
}
