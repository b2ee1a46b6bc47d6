//! Random policies, subjects and rows, the same for the same seed.

use ringwall_authz::{
    AttributeDefinition, Commands, Condition, Constant, Operand, PolicyDocument,
    RelationDefinition, ResourceDefinition, RoleDefinition, Rule, SetOperand, TableDefinition,
};

/// A small generator of numbers (SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("it fits")
    }

    /// True `percent` times of a hundred.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

pub(crate) const TEXTS: [&str; 9] = ["a", "b", "B", "ä", "", "a b", "o'x", "%", "\\"];
pub(crate) const LEVELS: [&str; 4] = ["public", "internal", "confidential", "restricted"];
pub(crate) const NUMBERS: [i64; 5] = [-1, 0, 1, 7, i64::MAX];
pub(crate) const TIMES: [&str; 4] = [
    "1969-12-31T23:59:59.999999Z",
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00.000001Z",
    "2030-06-01T12:00:00Z",
];
pub(crate) const UUIDS: [&str; 3] = [
    "00000000-0000-0000-0000-000000000000",
    "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
];
pub(crate) const ROLES: [&str; 4] = ["admin", "manager", "analyst", "viewer"];
pub(crate) const ACTIONS: [&str; 4] = ["read", "create", "update", "delete"];
pub(crate) const SUBJECTS: [&str; 3] = ["u1", "u2", "o'x"];

fn text() -> [&'static str; 5] {
    [
        "resource.owner",
        "resource.department",
        "resource.region",
        "subject.id",
        "subject.team",
    ]
}

/// The policy without its rules.
fn base() -> PolicyDocument {
    let attribute = |kind: &str| AttributeDefinition::new(kind);
    let table = TableDefinition::new("cases")
        .project_column("project_id")
        .commands(
            Commands::new()
                .select("read")
                .insert("create")
                .update("update")
                .delete("delete"),
        );
    PolicyDocument::new("random")
        .role("admin", RoleDefinition::new().rank(4).scopes(["*"]))
        .role(
            "manager",
            RoleDefinition::new().rank(3).inherits(["analyst"]),
        )
        .role(
            "analyst",
            RoleDefinition::new().rank(2).scopes(["cases:read"]),
        )
        .role("viewer", RoleDefinition::new().rank(1))
        .subject_attribute("clearance", "sensitivity")
        .subject_attribute("team", "text")
        .subject_attribute("limit", "integer")
        .subject_attribute("trusted", "boolean")
        .subject_attribute("since", "timestamp")
        .subject_attribute("device", "uuid")
        .subject_attribute("regions", "text_set")
        .context_attribute("purpose", "text")
        .context_attribute("amount", "integer")
        .relation(
            "departments",
            RelationDefinition::new("text").table("user_departments", "department"),
        )
        .relation(
            "assignments",
            RelationDefinition::new("text").table("case_assignments", "case_id"),
        )
        .resource(
            "case",
            ResourceDefinition::new(ACTIONS)
                .attribute("owner", AttributeDefinition::in_column("text", "owner_id"))
                .attribute("department", attribute("text"))
                .attribute("region", attribute("text"))
                .attribute("sensitivity", attribute("sensitivity"))
                .attribute("amount", attribute("integer"))
                .attribute("flag", attribute("boolean"))
                .attribute("opened", attribute("timestamp"))
                .attribute("device", attribute("uuid"))
                .table(table),
        )
}

/// A policy with one to six rules.
pub(crate) fn policy(dice: &mut Dice) -> PolicyDocument {
    let mut document = base();
    let number = 1 + dice.below(6);
    for index in 0..number {
        let mut actions: Vec<&str> = ACTIONS.into_iter().filter(|_| dice.chance(50)).collect();
        if actions.is_empty() {
            actions.push(*dice.of(&ACTIONS));
        }
        let id = format!("rule{index}");
        let mut rule = if dice.chance(70) {
            Rule::permit(id, "case", actions)
        } else {
            Rule::forbid(id, "case", actions)
        };
        if dice.chance(40) {
            let roles: Vec<&str> = ROLES.into_iter().filter(|_| dice.chance(40)).collect();
            rule = rule.roles(roles);
        }
        if dice.chance(15) {
            rule = rule.scopes(["cases:read"]);
        }
        if dice.chance(85) {
            rule = rule.when(condition(dice, 0));
        }
        if rule.effect == ringwall_authz::Effect::Permit
            && rule.roles.is_empty()
            && rule.scopes.is_empty()
            && rule.when.is_none()
        {
            rule = rule.anyone();
        }
        document = document.rule(rule);
    }
    document
}

fn condition(dice: &mut Dice, depth: usize) -> Condition {
    if depth < 3 && dice.chance(45) {
        let number = 1 + dice.below(3);
        let parts = |dice: &mut Dice| -> Vec<Condition> {
            (0..number).map(|_| condition(dice, depth + 1)).collect()
        };
        return match dice.below(3) {
            0 => Condition::all(parts(dice)),
            1 => Condition::any(parts(dice)),
            _ => Condition::not(condition(dice, depth + 1)),
        };
    }
    match dice.below(11) {
        0 => equal(dice, text_side, "text"),
        1 => compared(dice, text_side),
        2 => compared(dice, |dice| {
            let path = ["resource.sensitivity", "subject.clearance"];
            if dice.chance(40) {
                Operand::text(*dice.of(&LEVELS))
            } else {
                Operand::path(*dice.of(&path))
            }
        }),
        3 => compared(dice, |dice| {
            let path = ["resource.amount", "subject.limit", "context.amount"];
            if dice.chance(40) {
                Operand::from(*dice.of(&NUMBERS))
            } else {
                Operand::path(*dice.of(&path))
            }
        }),
        4 => equal(
            dice,
            |dice| {
                let path = ["resource.flag", "subject.trusted"];
                if dice.chance(30) {
                    Operand::from(dice.chance(50))
                } else {
                    Operand::path(*dice.of(&path))
                }
            },
            "boolean",
        ),
        5 => compared(dice, |dice| {
            let path = ["resource.opened", "subject.since", "context.now"];
            if dice.chance(30) {
                Operand::Timestamp(dice.of(&TIMES).parse().expect("a time"))
            } else {
                Operand::path(*dice.of(&path))
            }
        }),
        6 => equal(
            dice,
            |dice| {
                let path = ["resource.device", "subject.device"];
                if dice.chance(30) {
                    Operand::text(*dice.of(&UUIDS))
                } else {
                    Operand::path(*dice.of(&path))
                }
            },
            "uuid",
        ),
        7 => {
            let number = dice.below(4);
            let (operand, members): (Operand, Vec<Constant>) = match dice.below(4) {
                0 => (
                    "resource.sensitivity".into(),
                    (0..number)
                        .map(|_| Constant::from(*dice.of(&LEVELS)))
                        .collect(),
                ),
                1 => (
                    "resource.amount".into(),
                    (0..number)
                        .map(|_| Constant::from(*dice.of(&NUMBERS)))
                        .collect(),
                ),
                2 => (
                    "resource.device".into(),
                    (0..number)
                        .map(|_| Constant::from(*dice.of(&UUIDS)))
                        .collect(),
                ),
                _ => (
                    text_side(dice),
                    (0..number)
                        .map(|_| Constant::from(*dice.of(&TEXTS)))
                        .collect(),
                ),
            };
            Condition::In(operand, SetOperand::Constants(members))
        }
        8 => Condition::member(text_side(dice), "subject.regions"),
        9 => Condition::is_set(*dice.of(&[
            "resource.owner",
            "resource.sensitivity",
            "resource.flag",
            "resource.opened",
            "subject.clearance",
            "subject.team",
            "context.purpose",
        ])),
        _ => {
            if dice.chance(50) {
                Condition::related("assignments", "resource.id")
            } else {
                Condition::related("departments", text_side(dice))
            }
        }
    }
}

fn text_side(dice: &mut Dice) -> Operand {
    if dice.chance(25) {
        Operand::text(*dice.of(&TEXTS))
    } else if dice.chance(8) {
        Operand::path("context.purpose")
    } else if dice.chance(8) {
        Operand::path("resource.id")
    } else {
        Operand::path(*dice.of(&text()))
    }
}

fn equal(dice: &mut Dice, side: impl Fn(&mut Dice) -> Operand, _kind: &str) -> Condition {
    let (left, right) = (side(dice), side(dice));
    if dice.chance(70) {
        Condition::eq(left, right)
    } else {
        Condition::ne(left, right)
    }
}

fn compared(dice: &mut Dice, side: impl Fn(&mut Dice) -> Operand) -> Condition {
    let (left, right) = (side(dice), side(dice));
    match dice.below(6) {
        0 => Condition::eq(left, right),
        1 => Condition::ne(left, right),
        2 => Condition::lt(left, right),
        3 => Condition::le(left, right),
        4 => Condition::gt(left, right),
        _ => Condition::ge(left, right),
    }
}
