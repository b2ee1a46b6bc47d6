//! Random policies, in which every attribute that is compared is one that every request states.

use ringwall_authz::{
    AttributeDefinition, Condition, Constant, Operand, PolicyDocument, RelationDefinition,
    ResourceDefinition, RoleDefinition, Rule, SetOperand,
};

use crate::{
    dice::Dice,
    words::{
        KINDS, Kind, MAY_BE_ABSENT, ROLES, SCOPES, Type, Value, name_of, of_context, of_subject,
        time,
    },
};

/// A policy with one to eight rules; of more, a decision would not name all.
pub(crate) fn random(dice: &mut Dice, is_tenantless: bool) -> PolicyDocument {
    let mut document = without_rules(dice, is_tenantless);
    for number in 0..1 + dice.below(8) {
        let resource = if dice.chance(75) {
            Type::Case
        } else {
            Type::Report
        };
        let id = format!("rule{number}");
        let actions = actions(dice, resource);
        let mut rule = if dice.chance(75) {
            Rule::permit(id, resource.name(), actions)
        } else {
            Rule::forbid(id, resource.name(), actions)
        };
        if dice.chance(45) {
            rule = rule.roles(dice.some(&ROLES, 40));
        }
        if dice.chance(20) {
            rule = rule.scopes(dice.some(&SCOPES, 40));
        }
        if dice.chance(85) {
            rule = rule.when(condition(dice, resource, 0));
        }
        if rule.roles.is_empty() && rule.scopes.is_empty() && rule.when.is_none() {
            rule = rule.anyone();
        }
        document = document.rule(rule);
    }
    document
}

fn actions(dice: &mut Dice, resource: Type) -> Vec<&'static str> {
    let some = dice.some(resource.actions(), 50);
    if some.is_empty() { vec!["*"] } else { some }
}

fn without_rules(dice: &mut Dice, is_tenantless: bool) -> PolicyDocument {
    let mut document = PolicyDocument::new("random")
        .subject_attribute("nickname", "text")
        .subject_attribute("regions", "text_set")
        .context_attribute("ticket", "text")
        .relation("departments", RelationDefinition::new("text"))
        .relation("assignments", RelationDefinition::new("text"));
    document.scopes = SCOPES.map(str::to_owned).into();
    for (number, role) in ROLES.into_iter().enumerate() {
        // Of those before it, so that there are no circles.
        let inherits = dice.some(&ROLES[..number], 30);
        let scopes = dice.some(&["*", "cases:*", "cases:read", "reports:*", "x"], 15);
        let role_of = RoleDefinition::new().inherits(inherits).scopes(scopes);
        document = document.role(role, role_of);
    }
    for (path, kind) in of_subject() {
        document = document.subject_attribute(name_of(path), kind.name());
    }
    for (path, kind) in of_context() {
        document = document.context_attribute(name_of(path), kind.name());
    }
    for resource in Type::ALL {
        let mut definition = ResourceDefinition::new(resource.actions().iter().copied());
        definition = definition.attribute("note", AttributeDefinition::new("text"));
        for (path, kind) in resource.attributes() {
            let attribute = AttributeDefinition::new(kind.name());
            definition = definition.attribute(name_of(path), attribute);
        }
        definition.tenantless = is_tenantless && resource == Type::Report;
        document = document.resource(resource.name(), definition);
    }
    document
}

fn condition(dice: &mut Dice, resource: Type, depth: usize) -> Condition {
    if depth < 3 && dice.chance(45) {
        let connective = dice.below(3);
        let mut parts = |least: usize| -> Vec<Condition> {
            let number = least + dice.below(3);
            (0..number)
                .map(|_| condition(dice, resource, depth + 1))
                .collect()
        };
        return match connective {
            0 => Condition::all(parts(1)),
            1 => Condition::any(parts(0)),
            _ => Condition::not(condition(dice, resource, depth + 1)),
        };
    }
    match dice.below(10) {
        0..5 => compared(dice, resource),
        5 | 6 => {
            let kind = dice.of(&KINDS);
            let members = (0..dice.below(4)).map(|_| constant(dice, kind));
            let members = members.collect();
            let side = path(dice, resource, kind);
            Condition::In(side, SetOperand::Constants(members))
        }
        7 => Condition::member(side(dice, resource, Kind::Text), "subject.regions"),
        8 if dice.chance(50) => Condition::related("assignments", "resource.id"),
        8 => Condition::related("departments", side(dice, resource, Kind::Text)),
        _ if dice.chance(80) => Condition::is_set(dice.of(&MAY_BE_ABSENT)),
        _ => {
            let kind = dice.of(&KINDS);
            Condition::is_set(dice.of(&resource.paths(kind)))
        }
    }
}

fn compared(dice: &mut Dice, resource: Type) -> Condition {
    let kind = dice.of(&KINDS);
    let left = path(dice, resource, kind);
    let right = side(dice, resource, kind);
    let (left, right) = if dice.chance(50) {
        (left, right)
    } else {
        (right, left)
    };
    match dice.below(if kind.is_ordered() { 6 } else { 2 }) {
        0 => Condition::eq(left, right),
        1 => Condition::ne(left, right),
        2 => Condition::lt(left, right),
        3 => Condition::le(left, right),
        4 => Condition::gt(left, right),
        _ => Condition::ge(left, right),
    }
}

fn path(dice: &mut Dice, resource: Type, kind: Kind) -> Operand {
    Operand::path(dice.of(&resource.paths(kind)))
}

fn side(dice: &mut Dice, resource: Type, kind: Kind) -> Operand {
    if dice.chance(60) {
        return path(dice, resource, kind);
    }
    match Value::random(dice, kind) {
        Value::Text(text) | Value::Level(text) | Value::Uuid(text) => Operand::text(text),
        Value::Integer(number) => Operand::from(number),
        Value::Boolean(value) => Operand::from(value),
        Value::Time(text) => Operand::Timestamp(time(text)),
    }
}

fn constant(dice: &mut Dice, kind: Kind) -> Constant {
    match Value::random(dice, kind) {
        Value::Text(text) | Value::Level(text) | Value::Uuid(text) | Value::Time(text) => {
            Constant::from(text)
        }
        Value::Integer(number) => Constant::from(number),
        Value::Boolean(value) => Constant::Boolean(value),
    }
}
