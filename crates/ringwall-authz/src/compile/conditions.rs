//! Conditions: names become places, constants get the types of what they are compared with.

use super::names::there_are;
use super::shapes::{Named, Relation, ResourceType, SubjectShape, find};
use crate::condition::{Condition, Constant, Operand, SetOperand};
use crate::fault::Faults;
use crate::node::{Attribute, Comparison, Node, Term};
use crate::truth::Truth;
use crate::value::{Datum, Level, Mismatch, OwnedDatum, Type, Value};

/// How deep conditions may be nested.
pub const MAX_CONDITION_DEPTH: usize = 32;
/// The most parts that the condition of one rule may have.
pub const MAX_CONDITION_PARTS: usize = 1024;
/// The most members of a set of constants.
pub const MAX_SET_MEMBERS: usize = 10_000;

/// What the conditions of one rule can name.
pub(super) struct World<'a> {
    pub(super) levels: &'a [Level],
    pub(super) subject: &'a SubjectShape,
    pub(super) context: &'a [Named],
    pub(super) relations: &'a [Relation],
    pub(super) resource: &'a ResourceType,
}

/// One side of a comparison, before the other is known.
enum Side<'a> {
    Attribute(Attribute, Type),
    /// It takes the type of the other side.
    Text(&'a str),
    Constant(OwnedDatum, Type),
}

/// Compiles conditions, and says what is wrong with them.
pub(super) struct Conditions<'a> {
    pub(super) world: World<'a>,
    pub(super) faults: &'a mut Faults,
    pub(super) parts: usize,
}

impl<'a> Conditions<'a> {
    /// The condition as it is evaluated. A part that is refused is unknown: with its fault, the policy is too.
    pub(super) fn compile(&mut self, path: &str, condition: &Condition, depth: usize) -> Node {
        self.parts = self.parts.saturating_add(1);
        if depth > MAX_CONDITION_DEPTH {
            self.faults.add(
                path,
                format!("conditions are nested {MAX_CONDITION_DEPTH} deep at most"),
            );
            return Node::Known(Truth::Unknown);
        }
        if self.parts > MAX_CONDITION_PARTS {
            if self.parts == MAX_CONDITION_PARTS.saturating_add(1) {
                self.faults.add(
                    path,
                    format!("a condition has {MAX_CONDITION_PARTS} parts at most"),
                );
            }
            return Node::Known(Truth::Unknown);
        }
        match condition {
            Condition::All(parts) => {
                if parts.is_empty() {
                    self.faults.add(
                        format!("{path}.all"),
                        "it is empty, so it would be true for everything: say what is demanded, or leave the condition out",
                    );
                }
                Node::All(self.parts_of(&format!("{path}.all"), parts, depth))
            }
            Condition::Any(parts) => Node::Any(self.parts_of(&format!("{path}.any"), parts, depth)),
            Condition::Not(inner) => Node::Not(Box::new(self.compile(
                &format!("{path}.not"),
                inner,
                depth.saturating_add(1),
            ))),
            Condition::Eq(left, right) => self.comparison(path, "eq", Comparison::Eq, left, right),
            Condition::Ne(left, right) => self.comparison(path, "ne", Comparison::Ne, left, right),
            Condition::Lt(left, right) => self.comparison(path, "lt", Comparison::Lt, left, right),
            Condition::Le(left, right) => self.comparison(path, "le", Comparison::Le, left, right),
            Condition::Gt(left, right) => self.comparison(path, "gt", Comparison::Gt, left, right),
            Condition::Ge(left, right) => self.comparison(path, "ge", Comparison::Ge, left, right),
            Condition::In(left, SetOperand::Constants(members)) => {
                self.one_of(&format!("{path}.in"), left, members)
            }
            Condition::In(left, SetOperand::Path(set)) => {
                self.member(&format!("{path}.in"), left, set)
            }
            Condition::IsSet(operand) => {
                let path = format!("{path}.is_set");
                match self.side(&path, operand) {
                    Some(Side::Attribute(attribute, kind)) if kind != Type::TextSet => {
                        Node::IsSet(attribute)
                    }
                    Some(Side::Attribute(..)) => {
                        self.faults
                            .add(path, "a set is never null; ask for a member of it");
                        Node::Known(Truth::Unknown)
                    }
                    Some(Side::Text(_) | Side::Constant(..)) => {
                        self.faults
                            .add(path, "a constant is always set; name an attribute");
                        Node::Known(Truth::Unknown)
                    }
                    None => Node::Known(Truth::Unknown),
                }
            }
            Condition::Related(relation, operand) => {
                self.related(&format!("{path}.related"), relation, operand)
            }
        }
    }

    fn parts_of(&mut self, path: &str, parts: &[Condition], depth: usize) -> Box<[Node]> {
        parts
            .iter()
            .enumerate()
            .map(|(index, part)| {
                self.compile(&format!("{path}[{index}]"), part, depth.saturating_add(1))
            })
            .collect()
    }

    fn comparison(
        &mut self,
        path: &str,
        name: &str,
        comparison: Comparison,
        left: &Operand,
        right: &Operand,
    ) -> Node {
        let path = format!("{path}.{name}");
        let sides = (
            self.side(&format!("{path}[0]"), left),
            self.side(&format!("{path}[1]"), right),
        );
        let (Some(left), Some(right)) = sides else {
            return Node::Known(Truth::Unknown);
        };
        let Some((left, right, kind)) = self.typed(&path, left, right) else {
            return Node::Known(Truth::Unknown);
        };
        let needs_order = !matches!(comparison, Comparison::Eq | Comparison::Ne);
        if kind == Type::TextSet {
            self.faults
                .add(path, "a set is not compared; ask for a member with in");
        } else if needs_order && !kind.is_ordered() {
            let kind = self.name_of(kind);
            self.faults
                .add(path, format!("values of the type {kind} have no order"));
        }
        Node::Compare(comparison, left, right)
    }

    /// Both sides in the one type that they have.
    fn typed(&mut self, path: &str, left: Side<'_>, right: Side<'_>) -> Option<(Term, Term, Type)> {
        let kind = match (&left, &right) {
            (Side::Attribute(_, kind) | Side::Constant(_, kind), _)
            | (Side::Text(_), Side::Attribute(_, kind) | Side::Constant(_, kind)) => *kind,
            (Side::Text(_), Side::Text(_)) => Type::Text,
        };
        let left = self.term(path, left, kind);
        let right = self.term(path, right, kind);
        Some((left?, right?, kind))
    }

    fn term(&mut self, path: &str, side: Side<'_>, kind: Type) -> Option<Term> {
        match side {
            Side::Attribute(attribute, own) => {
                if own != kind {
                    // The type of the left side is the one that was taken.
                    self.clash(path, kind, own);
                    return None;
                }
                Some(Term::Attribute(attribute))
            }
            Side::Constant(value, own) => {
                if own != kind {
                    // The type of the left side is the one that was taken.
                    self.clash(path, kind, own);
                    return None;
                }
                Some(Term::Constant(value))
            }
            Side::Text(text) => self.constant(path, text, kind).map(Term::Constant),
        }
    }

    fn clash(&mut self, path: &str, left: Type, right: Type) {
        let (left, right) = (self.name_of(left), self.name_of(right));
        self.faults.add(
            path,
            format!("a value of the type {left} is not comparable with one of the type {right}"),
        );
    }

    /// A constant text in the type of what it is compared with.
    fn constant(&mut self, path: &str, text: &str, kind: Type) -> Option<OwnedDatum> {
        let value = if kind == Type::Timestamp {
            match text.parse() {
                Ok(time) => Value::Timestamp(time),
                Err(error) => {
                    self.faults.add(path, format!("{text:?}: {error}"));
                    return None;
                }
            }
        } else {
            Value::Text(text)
        };
        match Datum::new(value, kind, self.world.levels) {
            Ok(Datum::Unknown) => {
                let name = self.name_of(kind);
                let members = match kind {
                    Type::Level(level) => self
                        .world
                        .levels
                        .get(usize::from(level))
                        .map(|level| format!(": {}", level.members.join(", ")))
                        .unwrap_or_default(),
                    Type::Text
                    | Type::Integer
                    | Type::Boolean
                    | Type::Timestamp
                    | Type::Uuid
                    | Type::TextSet => String::new(),
                };
                self.faults.add(
                    path,
                    format!("{text:?} is none of the type {name}{members}"),
                );
                None
            }
            Ok(value) => Some(value.to_owned()),
            Err(Mismatch::Type) => {
                let name = self.name_of(kind);
                self.faults
                    .add(path, format!("the text {text:?} is not of the type {name}"));
                None
            }
            Err(mismatch @ (Mismatch::Nul | Mismatch::TooMany)) => {
                self.faults.add(path, format!("the text {mismatch}"));
                None
            }
        }
    }

    fn one_of(&mut self, path: &str, left: &Operand, members: &[Constant]) -> Node {
        let Some(side) = self.side(&format!("{path}[0]"), left) else {
            return Node::Known(Truth::Unknown);
        };
        if members.len() > MAX_SET_MEMBERS {
            self.faults
                .add(path, format!("a set has {MAX_SET_MEMBERS} members at most"));
            return Node::Known(Truth::Unknown);
        }
        let kind = match &side {
            Side::Attribute(_, kind) | Side::Constant(_, kind) => *kind,
            Side::Text(_) => Type::Text,
        };
        if kind == Type::TextSet {
            self.faults.add(path, "the left side of in is one value");
        }
        let mut set = Vec::with_capacity(members.len());
        for (index, member) in members.iter().enumerate() {
            let path = format!("{path}[1][{index}]");
            let (value, own) = match member {
                Constant::Text(text) if looks_like_path(text) => {
                    let message = format!(
                        "{text:?} is a constant in a list, and no attribute: compare with eq, or with a set of the subject"
                    );
                    self.faults.add(path, message);
                    continue;
                }
                Constant::Text(text) => {
                    set.extend(self.constant(&path, text, kind));
                    continue;
                }
                Constant::Integer(number) => (OwnedDatum::Integer(*number), Type::Integer),
                Constant::Boolean(value) => (OwnedDatum::Boolean(*value), Type::Boolean),
            };
            if own == kind {
                set.push(value);
            } else {
                self.clash(&path, kind, own);
            }
        }
        set.sort_unstable();
        set.dedup();
        let term = self.term(path, side, kind);
        match term {
            // Databases have no sets of these that they share.
            Some(term) if matches!(kind, Type::Boolean | Type::Timestamp) && !set.is_empty() => {
                let each = set.into_iter().map(|member| {
                    Node::Compare(Comparison::Eq, term.clone(), Term::Constant(member))
                });
                Node::Any(each.collect())
            }
            Some(term) => Node::OneOf(term, set.into()),
            None => Node::Known(Truth::Unknown),
        }
    }

    fn member(&mut self, path: &str, left: &Operand, set: &str) -> Node {
        let side = self.side(&format!("{path}[0]"), left);
        let (Some(side), Some(set)) = (side, self.set(&format!("{path}[1]"), set)) else {
            return Node::Known(Truth::Unknown);
        };
        match self.term(path, side, Type::Text) {
            Some(term) => Node::Member(term, set),
            None => Node::Known(Truth::Unknown),
        }
    }

    fn set(&mut self, path: &str, set: &str) -> Option<u16> {
        match self.attribute(path, set)? {
            (Attribute::Subject(place), Type::TextSet) => Some(place),
            _ => {
                self.faults.add(
                    path,
                    format!("{set:?} is no set: a list of constants, or an attribute of the subject of the type text_set"),
                );
                None
            }
        }
    }

    fn related(&mut self, path: &str, name: &str, operand: &Operand) -> Node {
        let found = (0_u16..)
            .zip(self.world.relations)
            .find(|(_, relation)| &*relation.name == name);
        let side = self.side(&format!("{path}[1]"), operand);
        let Some((place, relation)) = found else {
            self.faults.add(
                format!("{path}[0]"),
                format!(
                    "there is no relation {name:?}{}",
                    there_are(self.world.relations.iter().map(|relation| &*relation.name))
                ),
            );
            return Node::Known(Truth::Unknown);
        };
        match side.and_then(|side| self.term(path, side, relation.value)) {
            Some(term) => Node::Related(place, term),
            None => Node::Known(Truth::Unknown),
        }
    }

    fn side<'o>(&mut self, path: &str, operand: &'o Operand) -> Option<Side<'o>> {
        Some(match operand {
            Operand::Path(name) => {
                let (attribute, kind) = self.attribute(path, name)?;
                Side::Attribute(attribute, kind)
            }
            Operand::Text(text) => Side::Text(text),
            Operand::Integer(number) => Side::Constant(OwnedDatum::Integer(*number), Type::Integer),
            Operand::Boolean(value) => Side::Constant(OwnedDatum::Boolean(*value), Type::Boolean),
            Operand::Timestamp(time) => {
                Side::Constant(OwnedDatum::Timestamp(time.unix_micros()), Type::Timestamp)
            }
        })
    }

    fn attribute(&mut self, path: &str, name: &str) -> Option<(Attribute, Type)> {
        let world = &self.world;
        let found = match name.split_once('.') {
            Some(("subject", "id")) => Some((Attribute::SubjectId, world.subject.id)),
            Some(("subject", "on_behalf_of")) => Some((Attribute::OnBehalfOf, world.subject.id)),
            Some(("subject", "kind")) => Some((Attribute::SubjectKind, Type::Text)),
            Some(("subject", name)) => find(&world.subject.attributes, name)
                .map(|(place, kind)| (Attribute::Subject(place), kind)),
            Some(("context", "now")) => Some((Attribute::Now, Type::Timestamp)),
            Some(("context", name)) => {
                find(world.context, name).map(|(place, kind)| (Attribute::Context(place), kind))
            }
            Some(("resource", "id")) => Some((Attribute::ResourceId, world.resource.id)),
            Some(("resource", name)) => world
                .resource
                .attribute(name)
                .map(|(place, attribute)| (Attribute::Resource(place), attribute.kind)),
            Some(_) | None => {
                self.faults.add(
                    path,
                    format!(
                        "{name:?} is no path: it begins with subject., resource. or context. (a constant is written {{ text = {name:?} }})"
                    ),
                );
                return None;
            }
        };
        if found.is_none() {
            let known = self.known(name);
            self.faults.add(
                path,
                format!("unknown attribute {name:?}; there are {known}"),
            );
        }
        found
    }

    /// What could have been meant.
    fn known(&self, name: &str) -> String {
        let world = &self.world;
        let (whose, always, names): (&str, &[&str], Vec<&str>) = if name.starts_with("subject.") {
            let own = world.subject.attributes.iter().map(|one| &*one.name);
            ("subject", &["id", "kind", "on_behalf_of"], own.collect())
        } else if name.starts_with("context.") {
            let own = world.context.iter().map(|one| &*one.name);
            ("context", &["now"], own.collect())
        } else {
            let own = world.resource.attributes.iter().map(|one| &*one.name);
            ("resource", &["id"], own.collect())
        };
        let all: Vec<String> = always
            .iter()
            .copied()
            .chain(names)
            .map(|name| format!("{whose}.{name}"))
            .collect();
        all.join(", ")
    }

    fn name_of(&self, kind: Type) -> String {
        match kind {
            Type::Text => "text".to_owned(),
            Type::Integer => "integer".to_owned(),
            Type::Boolean => "boolean".to_owned(),
            Type::Timestamp => "timestamp".to_owned(),
            Type::Uuid => "uuid".to_owned(),
            Type::TextSet => "text_set".to_owned(),
            Type::Level(level) => self
                .world
                .levels
                .get(usize::from(level))
                .map_or_else(|| "level".to_owned(), |level| level.name.to_string()),
        }
    }
}

/// Whether somebody meant an attribute.
fn looks_like_path(text: &str) -> bool {
    let path = text.split_once('.');
    path.is_some_and(|(whose, _)| matches!(whose, "subject" | "resource" | "context"))
}
