//! What a database session is told of the subject, for row-level security.
//!
//! Each setting begins with a `v`, so that an empty text is told from one that was never set: after the transaction
//! in which it was set, PostgreSQL answers an empty text for it.

use ringwall_core::clock::Timestamp;

use crate::compile::Parts;
use crate::context::Context;
use crate::document::Effect;
use crate::filter::postgres_time;
use crate::subject::Subject;
use crate::value::{Datum, uuid_text};

/// One setting of a database session, for the transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSetting {
    /// Its name, such as `ringwall.org`.
    pub name: String,
    /// Its value. Empty when nothing is known.
    pub value: String,
}

/// The subject cannot be told to a database: its statements would see nothing, so they are not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// It acts in no tenant.
    #[error("the subject acts in no tenant")]
    NoTenant,
    /// Its roles break a separation of duty.
    #[error("the roles of the subject break a separation of duty")]
    SeparationOfDuty,
    /// Its tenant or its project is no UUID, as the policy demands.
    #[error("the subject's tenant is not of the type that the policy demands")]
    TenantType,
    /// The context was made for another policy.
    #[error("the context was made for another policy")]
    OtherPolicy,
    /// An attribute of the context was told as what it is not, or as one that the policy does not have while a rule for
    /// rows asks whether another is set. The database would take it for one that nobody told.
    #[error(
        "an attribute of the context was told a value that is not of its type, or by a name that the policy does not have"
    )]
    Context,
    /// An attribute of the subject that a rule for rows asks for was told by hand, and not stated to stand in the
    /// [directory](crate::SubjectBuilder::in_directory_as) too; or one was told that the policy does not have, while a rule
    /// for rows asks whether another is set. The database would take it for one that nobody told.
    #[error(
        "an attribute of the subject that rules for rows ask for was told by hand, and the database does not know it"
    )]
    AttributeByHand,
}

/// The settings that the policies of [row-level security](crate::Policy::row_level_security) read.
///
/// All of them are given each time, so that nothing of another subject stays.
///
/// # Errors
///
/// [`SessionError`] for a subject that may do nothing at all.
pub fn session_settings(
    subject: &Subject,
    context: &Context<'_>,
) -> Result<Vec<SessionSetting>, SessionError> {
    let known = subject.known();
    if !context.policy().is(&known.policy) {
        return Err(SessionError::OtherPolicy);
    }
    let asked = &known.policy.compiled().asked;
    if context.is_broken() || context.has_perhaps(&asked.context_is_set) {
        return Err(SessionError::Context);
    }
    if known.has_by_hand(&asked.subject) || known.has_perhaps(&asked.subject_is_set) {
        return Err(SessionError::AttributeByHand);
    }
    if known.broken_separation.is_some() {
        return Err(SessionError::SeparationOfDuty);
    }
    let tenant = known.tenant().ok_or(SessionError::NoTenant)?;
    let parts = &known.policy.compiled().parts;
    let tenant_text = |text: &str| {
        if parts.subject.tenant == crate::value::Type::Uuid {
            crate::value::parse_uuid(text)
                .map(uuid_text)
                .ok_or(SessionError::TenantType)
        } else {
            Ok(text.to_owned())
        }
    };
    let project = tenant
        .project
        .as_ref()
        .map(|project| tenant_text(project.as_str()))
        .transpose()?;
    let roles_for = |effect| {
        let mut roles = String::from(" ");
        for role in known.roles_for(effect).iter() {
            roles.push_str(parts.roles.name(role));
            roles.push(' ');
        }
        roles
    };
    let mut relations = String::from(" ");
    for (place, relation) in (0_u16..).zip(&parts.relations) {
        if known.has_pairs_in_database(place) {
            relations.push_str(&relation.name);
            relations.push(' ');
        }
    }
    let scopes_for = |effect| {
        let mut scopes = String::from(" ");
        for scope in known.scopes_for(effect).iter() {
            scopes.push_str(parts.scopes.name(scope));
            scopes.push(' ');
        }
        scopes
    };
    let mut settings = Vec::new();
    let mut set = |name: &str, value: Option<String>| {
        settings.push(SessionSetting {
            name: format!("ringwall.{name}"),
            value: value.map_or_else(String::new, |value| format!("v{value}")),
        });
    };
    set("policy", Some(known.policy.document().name.clone()));
    // Of whom nothing was asked in the process, nothing is asked in the database.
    let directory_name = known.directory_name();
    set(
        "directory_org",
        directory_name.map(|_| tenant.org.as_str().to_owned()),
    );
    set("directory_subject", directory_name.map(str::to_owned));
    set("org", Some(tenant_text(tenant.org.as_str())?));
    set("project", project);
    set("subject_id", text(known.id(), &[]));
    set("subject_kind", Some(known.kind().as_str().to_owned()));
    set("on_behalf_of", text(known.on_behalf_of(), &[]));
    set("delegated", Some(known.is_on_behalf().to_string()));
    set("relations", Some(relations));
    set("roles", Some(roles_for(Effect::Permit)));
    set("all_roles", Some(roles_for(Effect::Forbid)));
    set("scopes", Some(scopes_for(Effect::Permit)));
    set("all_scopes", Some(scopes_for(Effect::Forbid)));
    set("limited", Some(known.is_limited().to_string()));
    set("now", Some(postgres_time(context.now())));
    set("now_micros", Some(context.now().unix_micros().to_string()));
    for (place, attribute) in (0_u16..).zip(&parts.context) {
        let members = match attribute.kind {
            crate::value::Type::Level(level) => parts
                .levels
                .get(usize::from(level))
                .map_or(&[][..], |level| &level.members),
            crate::value::Type::Text
            | crate::value::Type::Integer
            | crate::value::Type::Boolean
            | crate::value::Type::Timestamp
            | crate::value::Type::Uuid
            | crate::value::Type::TextSet => &[],
        };
        set(
            &format!("context_{}", attribute.name),
            text(context.value(place), members),
        );
    }
    Ok(settings)
}

/// The names of all settings that [`session_settings`] gives.
pub(crate) fn setting_names(parts: &Parts) -> Vec<String> {
    let known = [
        "policy",
        "directory_org",
        "directory_subject",
        "org",
        "project",
        "subject_id",
        "subject_kind",
        "on_behalf_of",
        "delegated",
        "relations",
        "roles",
        "all_roles",
        "scopes",
        "all_scopes",
        "limited",
        "now",
        "now_micros",
    ];
    let context = parts
        .context
        .iter()
        .map(|attribute| format!("ringwall.context_{}", attribute.name));
    known
        .into_iter()
        .map(|name| format!("ringwall.{name}"))
        .chain(context)
        .collect()
}

/// The text of a value, as the functions of the database read it.
fn text(value: Datum<'_>, members: &[Box<str>]) -> Option<String> {
    Some(match value {
        Datum::Unknown => return None,
        Datum::Text(text) => text.to_owned(),
        Datum::Integer(number) => number.to_string(),
        Datum::Boolean(value) => value.to_string(),
        Datum::Timestamp(micros) => postgres_time(Timestamp::from_unix_micros(micros)),
        Datum::Uuid(uuid) => uuid_text(uuid),
        Datum::Level(place) => members.get(usize::from(place))?.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use ringwall_core::attest::Attest;
    use ringwall_core::clock::Timestamp;
    use ringwall_core::principal::{
        Authentication, AuthenticationMethod, OrgId, Principal, PrincipalKind,
        Subject as SubjectId, Tenant,
    };

    use super::*;
    use crate::{Policy, ready};

    #[test]
    fn the_settings_that_are_looked_for_are_those_that_are_told() {
        let policy = Policy::from_toml(ready::ROWS_AND_CLEARANCE).expect("a policy");
        let mut principal = Principal::new(
            PrincipalKind::User,
            SubjectId::new("ada").expect("valid"),
            Authentication::new(AuthenticationMethod::Token),
        );
        principal.tenant = Some(Tenant {
            org: OrgId::new("acme").expect("valid"),
            project: None,
        });
        let subject = policy.subject_of(&principal, Attest::i_have_verified_this());
        let context = policy.context(Timestamp::UNIX_EPOCH);
        let told = session_settings(&subject.build(), &context).expect("it can be told");
        let told: Vec<String> = told.into_iter().map(|setting| setting.name).collect();
        assert_eq!(told, setting_names(&policy.compiled().parts));
    }
}
