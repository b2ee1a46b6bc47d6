//! `ringwall subject`.

use ringwall_authz::directory::FactChange;
use ringwall_authz::{StoredAttribute, SubjectDirectory, SubjectFacts};
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
        SubjectCommand::Show(subject) => (subject, Vec::new()),
        SubjectCommand::Grant(facts) => {
            let changes = granted(&facts)?;
            (facts.subject, changes)
        }
        SubjectCommand::Revoke(facts) => {
            let changes = revoked(&facts)?;
            (facts.subject, changes)
        }
        SubjectCommand::Forget(arguments) => {
            let SubjectArguments { org, subject, .. } = &arguments.subject;
            if !arguments.yes {
                let what = format!("all that is known of {subject} in {org} will be forgotten");
                confirm_by(&what, subject.as_str())?;
            }
            (arguments.subject, vec![FactChange::forget()])
        }
    };
    let place = Place::of_store(&subject.store)?;
    if !place.holds_subjects() {
        return Err(Failure::Arguments(NOT_A_DIRECTORY));
    }
    store::refuse_unused(&[&place], &subject.store.connection, None)?;
    let store = place.open().await?;
    let done = change(&store, &subject, changes).await;
    store.close().await;
    answer(&subject, &done?, output)
}

async fn change(
    store: &Store,
    SubjectArguments { org, subject, .. }: &SubjectArguments,
    changes: Vec<FactChange>,
) -> Result<SubjectFacts, Failure> {
    let directory = store.directory().await?;
    let directory: &dyn SubjectDirectory = &*directory;
    for change in changes {
        directory.change(org, subject, change).await?;
    }
    Ok(directory.facts(org, subject).await?)
}

fn granted(facts: &FactArguments) -> Result<Vec<FactChange>, Failure> {
    check_roles(facts)?;
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
    check_roles(facts)?;
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

/// A role that no policy has does nothing, and whoever mistyped one believes that it does.
fn check_roles(facts: &FactArguments) -> Result<(), Failure> {
    let Some(path) = &facts.policy else {
        return Ok(());
    };
    let policy = policy::sound(path)?;
    let roles = &policy.document().roles;
    if facts.role.iter().all(|role| roles.contains_key(role)) {
        Ok(())
    } else {
        Err(Failure::Arguments(
            "the policy does not have all of these roles: `ringwall policy check` names those that it has",
        ))
    }
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
