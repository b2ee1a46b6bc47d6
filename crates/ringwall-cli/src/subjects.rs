//! `ringwall subject`.

use ringwall_authz::directory::{FactChange, FactChangeKind};
use ringwall_authz::{Policy, StoredAttribute, SubjectDirectory, SubjectFacts};
use ringwall_core::clock::{SystemClock, WallClock as _};
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, OrgId, Principal, PrincipalKind, Subject, Tenant,
};
use serde_json::json;

use crate::arguments::{FactArguments, SubjectArguments, SubjectCommand};
use crate::confirmation::confirm_by;
use crate::failure::Failure;
use crate::output::Output;
use crate::policy;
use crate::store::{self, NOT_A_DIRECTORY, Place, Store};

/// Shows or changes what is known of a subject, and says what is known then.
pub(crate) async fn run(command: SubjectCommand, output: Output) -> Result<(), Failure> {
    let (subject, changes) = match command {
        SubjectCommand::Show(subject) => (subject, Changes::None),
        SubjectCommand::Grant(facts) => {
            let changes = Changes::Given(granted(&facts)?);
            (facts.subject, changes)
        }
        SubjectCommand::Revoke(facts) => {
            let changes = Changes::Taken(revoked(&facts)?);
            (facts.subject, changes)
        }
        SubjectCommand::Forget(arguments) => {
            let SubjectArguments { org, subject, .. } = &arguments.subject;
            if !arguments.yes {
                let what = format!("all that is known of {subject} in {org} will be forgotten");
                confirm_by(&what, subject.as_str())?;
            }
            let changes = Changes::Taken(vec![FactChange::forget()]);
            (arguments.subject, changes)
        }
    };
    let policy = subject.policy.as_deref().map(policy::sound).transpose()?;
    if let (Some(policy), Changes::Given(changes)) = (&policy, &changes) {
        check(policy, changes)?;
    }
    let subject = match policy.as_ref().and_then(|policy| spelled(policy, &subject)) {
        Some((org, name)) => SubjectArguments {
            org,
            subject: name,
            ..subject
        },
        None => subject,
    };
    let place = Place::of_store(&subject.store)?;
    if !place.holds_subjects() {
        return Err(Failure::Arguments(NOT_A_DIRECTORY));
    }
    store::refuse_unused(&[&place], &subject.store.connection, None)?;
    let store = place.open().await?;
    let done = change(&store, &subject, policy.as_ref(), changes).await;
    store.close().await;
    answer(&subject, &done?, output)
}

/// What is done to what is known.
enum Changes {
    None,
    Given(Vec<FactChange>),
    Taken(Vec<FactChange>),
}

async fn change(
    store: &Store,
    SubjectArguments { org, subject, .. }: &SubjectArguments,
    policy: Option<&Policy>,
    changes: Changes,
) -> Result<SubjectFacts, Failure> {
    let directory = store.directory().await?;
    let directory: &dyn SubjectDirectory = &*directory;
    let before = directory.facts(org, subject).await?;
    let (changes, is_taken) = match changes {
        Changes::None => return Ok(before),
        Changes::Given(changes) => (changes, false),
        Changes::Taken(changes) => (changes, true),
    };
    if let Some(policy) = policy.filter(|_| !is_taken) {
        check_values(policy, &before, &changes)?;
    }
    for change in changes {
        directory.change(org, subject, change).await?;
    }
    let after = directory.facts(org, subject).await?;
    // Whoever takes something away in a hurry has to hear that it was not there.
    let is_same = after.roles == before.roles
        && after.attributes == before.attributes
        && after.departments == before.departments;
    if is_taken && is_same {
        return Err(Failure::NothingTaken {
            org: org.to_string(),
            subject: subject.to_string(),
        });
    }
    Ok(after)
}

/// Organisation and subject as the services of this policy spell them.
fn spelled(policy: &Policy, of: &SubjectArguments) -> Option<(OrgId, Subject)> {
    let mut principal = Principal::new(
        PrincipalKind::User,
        of.subject.clone(),
        Authentication::new(AuthenticationMethod::Token),
    );
    principal.tenant = Some(Tenant {
        org: of.org.clone(),
        project: None,
    });
    let canonical = policy.canonical(&principal)?;
    Some((canonical.tenant?.org, canonical.subject))
}

fn granted(facts: &FactArguments) -> Result<Vec<FactChange>, Failure> {
    let mut changes = Vec::new();
    for role in &facts.role {
        changes.push(FactChange::grant_role(role)?);
    }
    for attribute in &facts.attribute {
        let (key, value) = pair(attribute)?;
        let attribute = StoredAttribute::new(key, value, facts.expires_at);
        changes.push(FactChange::grant_attribute(attribute)?);
    }
    for department in &facts.department {
        changes.push(FactChange::add_department(department)?);
    }
    Ok(changes)
}

fn revoked(facts: &FactArguments) -> Result<Vec<FactChange>, Failure> {
    if facts.expires_at.is_some() {
        return Err(Failure::Arguments("--expires-at is for what is given"));
    }
    let mut changes = Vec::new();
    for role in &facts.role {
        changes.push(FactChange::revoke_role(role)?);
    }
    for attribute in &facts.attribute {
        let (key, value) = pair(attribute)?;
        changes.push(FactChange::revoke_attribute(key, value)?);
    }
    for department in &facts.department {
        changes.push(FactChange::remove_department(department)?);
    }
    Ok(changes)
}

/// `clearance=internal`. A value may hold another `=`.
fn pair(text: &str) -> Result<(&str, &str), Failure> {
    text.split_once('=')
        .ok_or(Failure::Arguments("an attribute is written NAME=VALUE"))
}

/// What the policy does not know does nothing, and whoever mistyped it believes that it does.
fn check(policy: &Policy, changes: &[FactChange]) -> Result<(), Failure> {
    let document = policy.document();
    for change in changes {
        if let FactChangeKind::GrantRole(role) = change.kind()
            && !document.roles.contains_key(&**role)
        {
            let roles: Vec<&str> = document.roles.keys().map(String::as_str).collect();
            return Err(Failure::Undeclared {
                what: "role",
                name: role.to_string(),
                declared: roles.join(", "),
            });
        }
        if let FactChangeKind::GrantAttribute(attribute) = change.kind()
            && !document.subject.attributes.contains_key(&*attribute.key)
        {
            let attributes = document.subject.attributes.keys();
            let attributes: Vec<&str> = attributes.map(String::as_str).collect();
            return Err(Failure::Undeclared {
                what: "attribute of a subject",
                name: attribute.key.to_string(),
                declared: attributes.join(", "),
            });
        }
    }
    Ok(())
}

/// Of an attribute that is no set, two values at once are none: nobody knows which holds.
fn check_values(
    policy: &Policy,
    before: &SubjectFacts,
    changes: &[FactChange],
) -> Result<(), Failure> {
    let kinds = &policy.document().subject.attributes;
    let now = SystemClock::new().now()?;
    let holds = |own: &&StoredAttribute| own.expires_at.is_none_or(|end| end > now);
    let mut given: Vec<&StoredAttribute> = before.attributes.iter().filter(holds).collect();
    for change in changes {
        let FactChangeKind::GrantAttribute(attribute) = change.kind() else {
            continue;
        };
        let is_set = kinds
            .get(&*attribute.key)
            .is_some_and(|kind| kind == "text_set");
        let has_another = given
            .iter()
            .any(|own| own.key == attribute.key && own.value != attribute.value);
        if !is_set && has_another {
            return Err(Failure::SecondValue(attribute.key.to_string()));
        }
        given.push(attribute);
    }
    Ok(())
}

fn answer(
    SubjectArguments { org, subject, .. }: &SubjectArguments,
    facts: &SubjectFacts,
    output: Output,
) -> Result<(), Failure> {
    let attributes: Vec<_> = facts
        .attributes
        .iter()
        .map(|attribute| {
            json!({
                "key": attribute.key,
                "value": attribute.value,
                "expires_at": attribute.expires_at.map(|time| time.to_string()),
            })
        })
        .collect();
    let value = json!({
        "org": org.as_str(),
        "subject": subject.as_str(),
        "version": facts.version,
        "roles": facts.roles,
        "attributes": attributes,
        "departments": facts.departments,
    });
    let shown: Vec<String> = facts
        .attributes
        .iter()
        .map(|attribute| match attribute.expires_at {
            Some(time) => format!("{}={} (until {time})", attribute.key, attribute.value),
            None => format!("{}={}", attribute.key, attribute.value),
        })
        .collect();
    let list = |texts: &[Box<str>]| none_or(texts.join(", "));
    let text = format!(
        "roles        {}\nattributes   {}\ndepartments  {}",
        list(&facts.roles),
        none_or(shown.join(", ")),
        list(&facts.departments),
    );
    output.answer(&value, &text)
}

fn none_or(text: String) -> String {
    if text.is_empty() {
        "-".to_owned()
    } else {
        text
    }
}
