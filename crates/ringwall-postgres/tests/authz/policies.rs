//! Random policies.

use ringwall_authz::{
    AttributeDefinition, Commands, Condition, Constant, Effect, Operand, PolicyDocument,
    RelationDefinition, ResourceDefinition, RoleDefinition, Rule, SeparationOfDuty, SetOperand,
    TableDefinition,
};
use ringwall_core::clock::Timestamp;

use crate::dice::{
    ACTIONS, Dice, KINDS, LEVELS, NUMBERS, PLAIN_TIMES, ROLES, TEXTS, TIERS, TIMES, UUIDS,
};
use crate::shape::{Key, Shape};

/// The policy without its rules.
fn base(dice: &mut Dice, shape: Shape) -> PolicyDocument {
    let attribute = |kind: &str| AttributeDefinition::new(kind);
    let mut table = TableDefinition::new(shape.cases()).commands(
        Commands::new()
            .select("read")
            .insert("create")
            .update("update")
            .delete("delete"),
    );
    if dice.chance(80) {
        table = table.project_column("project_id");
    }
    let mut case = ResourceDefinition::new(ACTIONS)
        .attribute(
            "owner",
            AttributeDefinition::in_column(shape.subject.name(), "owner_id"),
        )
        .attribute("department", attribute("text"))
        .attribute("region", attribute("text"))
        .attribute("sensitivity", attribute("sensitivity"))
        .attribute("tier", attribute("tier"))
        .attribute("amount", attribute("integer"))
        .attribute("flag", attribute("boolean"))
        .attribute("opened", attribute("timestamp"))
        .attribute("device", attribute("uuid"))
        .table(table);
    case.id = Some(shape.id.name().to_owned());
    let mut document = PolicyDocument::new("random")
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
        .subject_attribute("tier", "tier")
        .subject_attribute("team", "text")
        .subject_attribute("limit", "integer")
        .subject_attribute("trusted", "boolean")
        .subject_attribute("since", "timestamp")
        .subject_attribute("device", "uuid")
        .subject_attribute("regions", "text_set")
        .context_attribute("purpose", "text")
        .context_attribute("amount", "integer")
        .context_attribute("tier", "tier")
        .context_attribute("until", "timestamp")
        .relation(
            "departments",
            RelationDefinition::new("text").table(shape.departments(), "department"),
        )
        .relation(
            "assignments",
            RelationDefinition::new(shape.id.name()).table(shape.assignments(), "case_id"),
        )
        .resource("case", case);
    document.scopes.push("cases:export".to_owned());
    document.subject.id = Some(shape.subject.name().to_owned());
    document.subject.tenant = Some(shape.tenant.name().to_owned());
    let tiers = TIERS.map(str::to_owned).to_vec();
    document.levels.insert("tier".to_owned(), tiers);
    if dice.chance(35) {
        document = document.separate(SeparationOfDuty::dynamic("using", ["manager", "viewer"]));
    }
    if dice.chance(15) {
        document = document.separate(SeparationOfDuty::fixed("holding", ["admin", "analyst"]));
    }
    document
}

/// A policy with one to six rules.
pub(crate) fn policy(dice: &mut Dice, shape: Shape) -> PolicyDocument {
    let mut document = base(dice, shape);
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
            let scopes: &[&str] = match dice.below(3) {
                0 => &["cases:read", "cases:export"],
                1 => &["cases:export"],
                _ => &["cases:read"],
            };
            rule = rule.scopes(scopes.iter().copied());
        }
        if dice.chance(85) {
            rule = rule.when(condition(dice, shape, 0));
        }
        if rule.effect == Effect::Permit
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

fn condition(dice: &mut Dice, shape: Shape, depth: usize) -> Condition {
    if depth < 3 && dice.chance(45) {
        let number = 1 + dice.below(3);
        let parts = |dice: &mut Dice| -> Vec<Condition> {
            (0..number)
                .map(|_| condition(dice, shape, depth + 1))
                .collect()
        };
        return match dice.below(5) {
            0 | 1 => Condition::all(parts(dice)),
            2 => Condition::any(parts(dice)),
            _ => Condition::not(condition(dice, shape, depth + 1)),
        };
    }
    let side = |dice: &mut Dice| text_side(dice, shape);
    match dice.below(17) {
        0 => equal(dice, side),
        1 | 14 => compared(dice, side),
        2 => compared(dice, |dice| {
            let paths = ["resource.sensitivity", "subject.clearance"];
            constant_or(dice, 40, &paths, |dice| Operand::text(*dice.of(&LEVELS)))
        }),
        3 => compared(dice, |dice| {
            let paths = ["resource.tier", "subject.tier", "context.tier"];
            constant_or(dice, 40, &paths, |dice| Operand::text(*dice.of(&TIERS)))
        }),
        4 => compared(dice, |dice| {
            let mut paths = vec!["resource.amount", "subject.limit", "context.amount"];
            paths.extend((shape.id == Key::Integer).then_some("resource.id"));
            constant_or(dice, 40, &paths, |dice| Operand::from(*dice.of(&NUMBERS)))
        }),
        5 => equal(dice, |dice| {
            let paths = ["resource.flag", "subject.trusted"];
            constant_or(dice, 30, &paths, |dice| Operand::from(dice.chance(50)))
        }),
        6 => compared(dice, |dice| {
            let paths = [
                "resource.opened",
                "resource.opened",
                "subject.since",
                "context.until",
                "context.now",
            ];
            constant_or(dice, 30, &paths, |dice| {
                Operand::Timestamp(Timestamp::from_unix_micros(dice.of(&TIMES).0))
            })
        }),
        7 => equal(dice, |dice| {
            let mut paths = vec!["resource.device", "subject.device"];
            if shape.subject == Key::Uuid {
                paths.extend(["resource.owner", "subject.id", "subject.on_behalf_of"]);
            }
            paths.extend((shape.id == Key::Uuid).then_some("resource.id"));
            constant_or(dice, 25, &paths, |dice| Operand::text(uuid(dice)))
        }),
        8 => one_of(dice, shape),
        9 => Condition::member(text_side(dice, shape), "subject.regions"),
        10 => Condition::is_set(*dice.of(&[
            "resource.owner",
            "resource.sensitivity",
            "resource.tier",
            "resource.flag",
            "resource.opened",
            "subject.id",
            "subject.on_behalf_of",
            "subject.clearance",
            "subject.team",
            "context.purpose",
            "context.until",
        ])),
        11 | 15 => {
            // Who owns a row, and for whom somebody acts.
            let who = *dice.of(&["subject.id", "subject.on_behalf_of"]);
            if dice.chance(70) {
                Condition::eq("resource.owner", who)
            } else {
                Condition::ne("resource.owner", who)
            }
        }
        12 => match dice.below(3) {
            0 => Condition::eq("subject.kind", Operand::text(*dice.of(&KINDS))),
            1 => Condition::ne("subject.kind", Operand::text(*dice.of(&KINDS))),
            _ => Condition::one_of(
                "subject.kind",
                KINDS.into_iter().filter(|_| dice.chance(50)),
            ),
        },
        _ => {
            if dice.chance(50) {
                Condition::related("assignments", "resource.id")
            } else {
                Condition::related("departments", text_side(dice, shape))
            }
        }
    }
}

fn one_of(dice: &mut Dice, shape: Shape) -> Condition {
    let number = dice.below(4);
    let members = |dice: &mut Dice, one: &dyn Fn(&mut Dice) -> Constant| -> Vec<Constant> {
        (0..number).map(|_| one(dice)).collect()
    };
    let (operand, members): (Operand, Vec<Constant>) = match dice.below(8) {
        0 => (
            "resource.sensitivity".into(),
            members(dice, &|dice| Constant::from(*dice.of(&LEVELS))),
        ),
        1 => (
            (*dice.of(&["resource.tier", "subject.tier"])).into(),
            members(dice, &|dice| Constant::from(*dice.of(&TIERS))),
        ),
        2 => (
            "resource.amount".into(),
            members(dice, &|dice| Constant::from(*dice.of(&NUMBERS))),
        ),
        3 => (
            "resource.device".into(),
            members(dice, &|dice| Constant::Text(uuid(dice))),
        ),
        4 => (
            "resource.flag".into(),
            members(dice, &|dice| Constant::Boolean(dice.chance(50))),
        ),
        5 => (
            "resource.opened".into(),
            members(dice, &|dice| {
                let (micros, _) = TIMES[dice.below(PLAIN_TIMES)];
                Constant::Text(Timestamp::from_unix_micros(micros).to_string())
            }),
        ),
        6 => (
            "resource.id".into(),
            members(dice, &|dice| match shape.id {
                Key::Integer => Constant::Integer(dice.of(&NUMBERS).saturating_add(1)),
                Key::Text | Key::Uuid => {
                    let number = dice.below(20);
                    Constant::Text(shape.id_of(number))
                }
            }),
        ),
        _ => (
            text_side(dice, shape),
            members(dice, &|dice| Constant::from(*dice.of(&TEXTS))),
        ),
    };
    Condition::In(operand, SetOperand::Constants(members))
}

/// A UUID in either case of letters.
fn uuid(dice: &mut Dice) -> String {
    let uuid = *dice.of(&UUIDS);
    if dice.chance(30) {
        uuid.to_uppercase()
    } else {
        uuid.to_owned()
    }
}

fn constant_or(
    dice: &mut Dice,
    percent: usize,
    paths: &[&str],
    constant: impl Fn(&mut Dice) -> Operand,
) -> Operand {
    if dice.chance(percent) {
        constant(dice)
    } else {
        Operand::path(*dice.of(paths))
    }
}

fn text_side(dice: &mut Dice, shape: Shape) -> Operand {
    if dice.chance(25) {
        return Operand::text(*dice.of(&TEXTS));
    }
    let mut paths = vec!["resource.department", "resource.region", "subject.team"];
    if shape.subject == Key::Text {
        paths.extend(["resource.owner", "resource.owner", "subject.id"]);
        paths.extend(dice.chance(30).then_some("subject.on_behalf_of"));
    }
    paths.extend((shape.id == Key::Text && dice.chance(40)).then_some("resource.id"));
    paths.extend(dice.chance(30).then_some("context.purpose"));
    paths.extend(dice.chance(20).then_some("subject.kind"));
    Operand::path(*dice.of(&paths))
}

fn equal(dice: &mut Dice, side: impl Fn(&mut Dice) -> Operand) -> Condition {
    let (left, right) = (side(dice), side(dice));
    if dice.chance(70) {
        Condition::eq(left, right)
    } else {
        Condition::ne(left, right)
    }
}

fn compared(dice: &mut Dice, side: impl Fn(&mut Dice) -> Operand) -> Condition {
    let (mut left, mut right) = (side(dice), side(dice));
    // Mostly constants stand on the right, as people write them.
    let is_path = |side: &Operand| matches!(side, Operand::Path(_));
    if is_path(&right) && !is_path(&left) && dice.chance(60) {
        core::mem::swap(&mut left, &mut right);
    }
    match dice.below(6) {
        0 => Condition::eq(left, right),
        1 => Condition::ne(left, right),
        2 => Condition::lt(left, right),
        3 => Condition::le(left, right),
        4 => Condition::gt(left, right),
        _ => Condition::ge(left, right),
    }
}
