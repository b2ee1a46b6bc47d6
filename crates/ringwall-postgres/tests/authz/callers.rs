//! Random subjects, with all that is known of them in the process and in the database.

use ringwall_authz::{Context, Policy, StoredAttribute, Subject, SubjectFacts};
use ringwall_core::attest::Attest;
use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, OrgId, Principal, PrincipalKind, ProjectId, Scope,
    Subject as SubjectId, Tenant,
};

use crate::dice::{Dice, KINDS, NUMBERS, PLAIN_TIMES, ROLES, TEXTS, TIERS, TIMES, UUIDS};
use crate::shape::{Key, Shape};

/// The most ids that rows have.
pub(crate) const IDS: usize = 24;

/// A value of an attribute: its name, its text, and when it ends.
pub(crate) type Told = (&'static str, String, Option<Timestamp>);

/// What is known of a subject, in the process and in the database.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// As rows know it.
    pub(crate) id: String,
    /// As its credential names it, and the directory.
    pub(crate) credential: String,
    pub(crate) kind: PrincipalKind,
    pub(crate) on_behalf_of: Option<&'static str>,
    pub(crate) org: String,
    pub(crate) project: Option<String>,
    /// Whether its tenant and its id are what the policy demands.
    pub(crate) has_tenant: bool,
    pub(crate) has_id: bool,
    pub(crate) roles: Vec<&'static str>,
    /// The roles that it uses, if not all.
    pub(crate) in_use: Option<Vec<&'static str>>,
    pub(crate) scopes: Vec<&'static str>,
    /// Whether these scopes limit it, instead of adding to those of its roles.
    pub(crate) is_limited: bool,
    pub(crate) attributes: Vec<Told>,
    pub(crate) departments: Vec<&'static str>,
    pub(crate) assignments: Vec<String>,
    purpose: Option<&'static str>,
    amount: Option<i64>,
    tier: Option<&'static str>,
    pub(crate) until: Option<i64>,
    /// Whether the process is told all pairs of the relations, or the database has to be asked.
    pub(crate) is_told: bool,
    /// Whether the process takes what is known from a directory.
    pub(crate) is_of_directory: bool,
    /// Whether nobody asked for its attributes. The database holds those of somebody under its name.
    pub(crate) is_unasked: bool,
    /// Whether nobody told its pairs, nor that the database knows them, which holds some.
    pub(crate) is_untold: bool,
    /// Whether its issuer gives names of its own: then whoever bears the same in the database is somebody else.
    pub(crate) is_foreign: bool,
}

/// The time of all decisions.
pub(crate) fn now() -> Timestamp {
    "2026-06-01T00:00:00.000001Z".parse().expect("a time")
}

/// What a directory may hold, and is none of the attribute's type.
const ILL_FORMED: [(&str, &str); 14] = [
    ("limit", "007"),
    ("limit", "+7"),
    ("limit", "-0"),
    ("limit", "9223372036854775808"),
    ("trusted", "TRUE"),
    ("trusted", "1"),
    ("since", "infinity"),
    ("since", "2026-02-29T00:00:00Z"),
    // PostgreSQL has no year 0, and no offset of sixteen hours.
    ("since", "0000-01-01T00:00:00Z"),
    ("since", "2026-01-01T00:00:00+16:00"),
    ("since", "2026-01-01t00:00:00z"),
    ("device", "f81d4fae7dec11d0a76500a0c91e6bf6"),
    ("device", "none"),
    ("tier", "LOW"),
];

impl Caller {
    pub(crate) fn random(dice: &mut Dice, shape: Shape, number: usize) -> Self {
        let has_id = shape.subject != Key::Uuid || dice.chance(92);
        let has_tenant = shape.tenant != Key::Uuid || dice.chance(94);
        let id = if has_id {
            shape.subjects()[number].to_owned()
        } else {
            format!("nobody{number}")
        };
        let id = loud(dice, id, shape.subject);
        let [org, _] = shape.orgs();
        let project = dice.chance(30).then(|| shape.projects()[0].to_owned());
        let is_of_directory = dice.chance(40);
        let has_pairs = dice.chance(65);
        let is_foreign = dice.chance(20);
        let is_untold = dice.chance(15);
        let is_unasked = is_foreign || dice.chance(15);
        let roles: Vec<&str> = if dice.chance(20) {
            // Whom a separation of duty is about.
            vec!["manager", "viewer"]
        } else {
            ROLES.into_iter().filter(|_| dice.chance(40)).collect()
        };
        Self {
            credential: if dice.chance(35) {
                format!("credential {number}")
            } else {
                id.clone()
            },
            id,
            kind: *dice.of(&[
                PrincipalKind::User,
                PrincipalKind::User,
                PrincipalKind::Service,
                PrincipalKind::Agent,
                PrincipalKind::ApiKey,
            ]),
            on_behalf_of: dice.chance(40).then(|| *dice.of(&shape.subjects())),
            org: if has_tenant {
                loud(dice, org.to_owned(), shape.tenant)
            } else {
                "o1".to_owned()
            },
            project: project.map(|project| loud(dice, project, shape.tenant)),
            has_tenant,
            has_id,
            in_use: dice
                .chance(40)
                .then(|| ROLES.into_iter().filter(|_| dice.chance(50)).collect()),
            roles,
            scopes: ["cases:read", "cases:export", "*", "cases:*"]
                .into_iter()
                .filter(|_| dice.chance(20))
                .collect(),
            is_limited: dice.chance(25),
            attributes: attributes(dice, is_of_directory),
            // To nothing at all quite often: then NULL is a member of nothing, which is unknown.
            departments: TEXTS
                .into_iter()
                .filter(|_| has_pairs && dice.chance(30))
                .collect(),
            assignments: (0..IDS)
                .filter(|_| has_pairs && dice.chance(40))
                .map(|number| shape.id_of(number))
                .collect(),
            purpose: dice.chance(60).then(|| *dice.of(&TEXTS)),
            amount: dice.chance(60).then(|| *dice.of(&NUMBERS)),
            tier: dice.chance(60).then(|| *dice.of(&TIERS)),
            until: dice.chance(70).then(|| {
                let times = TIMES.into_iter().map(|(micros, _)| micros);
                let times: Vec<i64> = times.chain([i64::MIN, i64::MAX]).collect();
                *dice.of(&times)
            }),
            is_told: dice.chance(50),
            is_of_directory,
            is_unasked,
            is_untold,
            is_foreign,
        }
    }

    /// Whether a value of this name is none of its type.
    pub(crate) fn is_ill_formed(&self) -> bool {
        let ill = |told: &Told| ILL_FORMED.contains(&(told.0, told.1.as_str()));
        self.attributes.iter().any(ill)
    }

    pub(crate) fn subject(&self, policy: &Policy, shape: Shape) -> Subject {
        let mut principal = Principal::new(
            self.kind,
            SubjectId::new(self.credential.as_str()).expect("a subject"),
            Authentication::new(AuthenticationMethod::Token),
        );
        principal.tenant = Some(Tenant {
            org: OrgId::new(self.org.as_str()).expect("an organisation"),
            project: self
                .project
                .as_ref()
                .map(|project| ProjectId::new(project.as_str()).expect("a project")),
        });
        principal.on_behalf_of = self
            .on_behalf_of
            .map(|subject| SubjectId::new(subject).expect("a subject"));
        let scopes = self.scopes.iter().copied();
        principal.scopes = scopes
            .map(|scope| Scope::new(scope).expect("a scope"))
            .collect();
        let mut subject = policy.subject_of(&principal, Attest::i_have_verified_this());
        subject = if self.is_limited {
            subject.limited_to_scopes_of_credential()
        } else {
            subject.scopes_of_credential()
        };
        if self.credential != self.id {
            subject = subject.known_as(self.id.as_str());
        }
        if let Some(in_use) = &self.in_use {
            subject = subject.use_roles(in_use.iter().copied());
        }
        if self.is_foreign {
            subject = subject.of_foreign_issuer();
        }
        if self.is_unasked {
            subject = subject.roles(&self.roles);
        } else if self.is_of_directory {
            let mut facts = SubjectFacts::new(1);
            facts.roles = self.roles.iter().copied().map(Into::into).collect();
            let stored = self.attributes.iter();
            facts.attributes = stored
                .map(|(name, value, ends)| StoredAttribute::new(*name, value.as_str(), *ends))
                .collect();
            subject = subject.facts(&facts);
        } else {
            subject = subject
                .roles(&self.roles)
                .in_directory_as(self.credential.as_str())
                .attribute_is_complete("regions");
            for (name, value, ends) in &self.attributes {
                subject = match *name {
                    "limit" => {
                        subject.attribute(name, value.parse::<i64>().expect("a number"), *ends)
                    }
                    "trusted" => subject.attribute(name, value == "true", *ends),
                    "since" => {
                        let time = value.parse::<Timestamp>().expect("a time");
                        subject.attribute(name, time, *ends)
                    }
                    _ => subject.attribute(name, value.as_str(), *ends),
                };
            }
        }
        subject = if self.is_untold {
            subject
        } else if self.is_unrelated() {
            // Whoever asks the database would ask for those of somebody else.
            subject.related_in_database("departments")
        } else if self.is_told || !self.has_id {
            let assigned = self.assignments.iter().filter(|_| self.is_findable());
            let departments = self.departments.iter().filter(|_| self.is_findable());
            let subject = subject.related("departments", departments.copied());
            match shape.id {
                Key::Integer => subject.related(
                    "assignments",
                    assigned.map(|id| id.parse::<i64>().expect("a number")),
                ),
                Key::Text | Key::Uuid => {
                    subject.related("assignments", assigned.map(String::as_str))
                }
            }
        } else {
            self.pairs(subject, shape)
        };
        let subject = subject.build();
        assert_eq!(subject.errors(), []);
        subject
    }

    /// Whether nobody knows its pairs: nobody told, or under which id the database holds them.
    pub(crate) fn is_unrelated(&self) -> bool {
        self.is_untold || (self.is_foreign && self.credential == self.id)
    }

    /// Whether a database with columns of UUIDs can hold pairs of it.
    pub(crate) const fn is_findable(&self) -> bool {
        self.has_id && self.has_tenant
    }

    /// The database knows the pairs; the process is told of those that it is asked about.
    fn pairs(
        &self,
        subject: ringwall_authz::SubjectBuilder,
        shape: Shape,
    ) -> ringwall_authz::SubjectBuilder {
        let mut subject = subject
            .related_in_database("departments")
            .related_in_database("assignments");
        let ids = (0..IDS).map(|number| shape.id_of(number));
        let texts = TEXTS.into_iter().chain(KINDS).chain(shape.subjects());
        let texts = texts.map(str::to_owned).chain([self.id.clone()]);
        for text in texts.chain(["b".to_owned()]).chain(ids.clone()) {
            let is_of = self.is_findable() && self.departments.contains(&text.as_str());
            subject = subject.is_related("departments", text.as_str(), is_of);
        }
        for id in ids {
            let is_assigned = self.is_findable() && self.assignments.contains(&id);
            subject = match shape.id {
                Key::Integer => {
                    let id = id.parse::<i64>().expect("a number");
                    subject.is_related("assignments", id, is_assigned)
                }
                Key::Text | Key::Uuid => {
                    subject.is_related("assignments", id.as_str(), is_assigned)
                }
            };
        }
        subject
    }

    pub(crate) fn context<'a>(&self, policy: &Policy) -> Context<'a> {
        let context = policy
            .context(now())
            .attribute("purpose", self.purpose)
            .attribute("amount", self.amount)
            .attribute("tier", self.tier)
            .attribute("until", self.until.map(Timestamp::from_unix_micros));
        assert_eq!(context.errors(), []);
        context
    }
}

/// A UUID comes in either case of letters.
fn loud(dice: &mut Dice, text: String, key: Key) -> String {
    if key == Key::Uuid && dice.chance(25) {
        text.to_uppercase()
    } else {
        text
    }
}

fn attributes(dice: &mut Dice, is_of_directory: bool) -> Vec<Told> {
    let mut attributes: Vec<Told> = Vec::new();
    for _ in 0..2 {
        let (since, _) = TIMES[dice.below(PLAIN_TIMES)];
        let levels = ["public", "internal", "confidential", "restricted", "cosmic"];
        let all = [
            ("clearance", (*dice.of(&levels)).to_owned()),
            ("tier", (*dice.of(&TIERS)).to_owned()),
            ("team", (*dice.of(&TEXTS)).to_owned()),
            ("limit", dice.of(&NUMBERS).to_string()),
            ("trusted", dice.chance(50).to_string()),
            ("since", Timestamp::from_unix_micros(since).to_string()),
            ("device", (*dice.of(&UUIDS)).to_owned()),
            ("regions", (*dice.of(&TEXTS)).to_owned()),
        ];
        for (name, value) in all {
            if dice.chance(40) {
                let value = value.clone();
                give(dice, &mut attributes, name, value);
            }
        }
    }
    if is_of_directory && dice.chance(50) {
        let (name, value) = *dice.of(&ILL_FORMED);
        attributes.retain(|(other, ..)| *other != name || dice.chance(20));
        give(dice, &mut attributes, name, value.to_owned());
    }
    attributes
}

/// One value more, unless it is there: that would be one value in two rows of the directory.
fn give(dice: &mut Dice, attributes: &mut Vec<Told>, name: &'static str, value: String) {
    let ends = match dice.below(6) {
        // At this very moment it is over.
        0 => Some(now()),
        1 => Some(Timestamp::from_unix_micros(now().unix_micros() + 1)),
        _ => None,
    };
    if !attributes
        .iter()
        .any(|(other, own, _)| *other == name && *own == value)
    {
        attributes.push((name, value, ends));
    }
}
