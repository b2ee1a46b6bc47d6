//! Random rows with many NULLs.

use ringwall_authz::{Policy, Resource};
use ringwall_core::clock::Timestamp;
use serde_json::{Value, json};

use crate::callers::Caller;
use crate::dice::{Dice, LEVELS, NUMBERS, TEXTS, TIERS, TIMES, UUIDS};
use crate::shape::{Key, Shape};

/// A row of `cases`. What is `None` is NULL.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) org: Option<&'static str>,
    pub(crate) project: Option<&'static str>,
    pub(crate) owner: Option<&'static str>,
    pub(crate) department: Option<&'static str>,
    region: Option<&'static str>,
    sensitivity: Option<&'static str>,
    tier: Option<&'static str>,
    amount: Option<i64>,
    flag: Option<bool>,
    opened: Option<(i64, &'static str)>,
    device: Option<&'static str>,
    /// Whether the process reads its UUIDs in upper-case letters.
    is_loud: bool,
    /// Its organisation and its project, as the process reads them.
    read: (Option<String>, Option<String>, String),
}

impl Row {
    pub(crate) fn random(dice: &mut Dice, shape: Shape, number: usize) -> Self {
        // Levels that nobody knows stand in a column of text as well as others.
        let levels: Vec<&'static str> = LEVELS.into_iter().chain(["Public", "secret"]).collect();
        let tiers: Vec<&'static str> = TIERS.into_iter().chain(["Low", "top"]).collect();
        let [own, other] = shape.orgs();
        let row = Self {
            id: shape.id_of(number),
            org: dice.some(&[own, own, own, other]),
            project: dice.some(&shape.projects()),
            owner: dice.some(&owners(shape)),
            department: dice.some(&TEXTS),
            region: dice.some(&TEXTS),
            sensitivity: dice.some(&levels),
            tier: dice.some(&tiers),
            amount: dice.some(&NUMBERS),
            flag: dice.some(&[true, false]),
            opened: dice.some(&TIMES),
            device: dice.some(&UUIDS),
            is_loud: dice.chance(20),
            read: (None, None, String::new()),
        };
        row.with_read(shape)
    }

    /// The row as somebody could try to move it: to another organisation, project, owner or department.
    pub(crate) fn moved(&self, dice: &mut Dice, shape: Shape, caller: &Caller) -> Self {
        let mut row = self.clone();
        let [own, other] = shape.orgs();
        if dice.chance(35) {
            row.org = *dice.of(&[Some(own), Some(own), Some(other), None]);
        }
        if dice.chance(35) {
            row.project = dice.some(&shape.projects());
        }
        if dice.chance(60) {
            let owners = owners(shape);
            let own = owners.iter().find(|owner| **owner == caller.id);
            row.owner = match own {
                Some(own) if dice.chance(50) => Some(*own),
                Some(_) | None => dice.some(&owners),
            };
        }
        if dice.chance(60) {
            row.department = dice.some(&TEXTS);
        }
        row.with_read(shape)
    }

    /// The row with the four values of `other` by which rows are moved.
    pub(crate) fn moved_like(&self, other: &Self, shape: Shape) -> Self {
        let row = Self {
            org: other.org,
            project: other.project,
            owner: other.owner,
            department: other.department,
            ..self.clone()
        };
        row.with_read(shape)
    }

    fn with_read(mut self, shape: Shape) -> Self {
        let is_loud = self.is_loud;
        let read = |text: &str, key: Key| {
            if is_loud && key == Key::Uuid {
                text.to_uppercase()
            } else {
                text.to_owned()
            }
        };
        self.read = (
            self.org.map(|org| read(org, shape.tenant)),
            self.project.map(|project| read(project, shape.tenant)),
            read(&self.id, shape.id),
        );
        self
    }

    pub(crate) fn resource<'a>(&'a self, policy: &Policy, shape: Shape) -> Resource<'a> {
        let (org, project, id) = &self.read;
        let resource = policy.resource("case").expect("it is declared");
        let resource = match shape.id {
            Key::Integer => resource.id(id.parse::<i64>().expect("a number")),
            Key::Text | Key::Uuid => resource.id(id.as_str()),
        };
        let opened = self
            .opened
            .map(|(micros, _)| Timestamp::from_unix_micros(micros));
        let mut resource = resource
            .attribute("owner", self.owner)
            .attribute("department", self.department)
            .attribute("region", self.region)
            .attribute("sensitivity", self.sensitivity)
            .attribute("tier", self.tier)
            .attribute("amount", self.amount)
            .attribute("flag", self.flag)
            .attribute("opened", opened)
            .attribute("device", self.device);
        if let Some(org) = org {
            resource = resource.org(org);
        }
        if let Some(project) = project {
            resource = resource.project(project);
        }
        assert_eq!(resource.errors(), []);
        resource
    }

    /// Its columns, for either database.
    pub(crate) fn json(&self, shape: Shape) -> Value {
        json!({
            "id": id_json(&self.id, shape),
            "org_id": self.org,
            "project_id": self.project,
            "owner_id": self.owner,
            "department": self.department,
            "region": self.region,
            "sensitivity": self.sensitivity,
            "tier": self.tier,
            "amount": self.amount,
            "flag": self.flag,
            "opened": self.opened.map(|(_, text)| text),
            "opened_micros": self.opened.map(|(micros, _)| micros),
            "device": self.device,
        })
    }
}

/// Numbers stay numbers.
pub(crate) fn id_json(id: &str, shape: Shape) -> Value {
    match shape.id {
        Key::Integer => json!(id.parse::<i64>().expect("a number")),
        Key::Text | Key::Uuid => json!(id),
    }
}

fn owners(shape: Shape) -> Vec<&'static str> {
    let subjects = shape.subjects();
    match shape.subject {
        Key::Uuid => subjects.to_vec(),
        Key::Text | Key::Integer => subjects.into_iter().chain(["b", ""]).collect(),
    }
}
