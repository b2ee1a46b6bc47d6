//! What an enforcement point says of a resource and of the circumstances, in the policy's types.

use ringwall_core::clock::Timestamp;
use ringwall_core::principal::Tenant;

use super::entity::ResourceEntity;
use super::error::{InvalidRequest, RequestFault};
use super::evaluator::{ORG_PROPERTY, PROJECT_PROPERTY};
use super::json::{JsonObject, JsonValue, Place};
use crate::context::Context;
use crate::policy::Policy;
use crate::resource::Resource;
use crate::value::{Level, Type, Value, parse_uuid};

/// Why a resource cannot be asked about.
#[derive(Debug)]
pub(super) enum Unanswerable {
    /// The policy has no such type: the answer is no.
    UnknownResourceType,
    /// No resource of the type can have this id: the answer is no.
    ImpossibleId,
    /// What is said of it is wrong.
    Invalid(InvalidRequest),
}

/// The resource in the words of `policy`. What is not said of its tenant is that of whoever asks.
pub(super) fn resource<'a>(
    policy: &Policy,
    entity: &'a ResourceEntity,
    tenant: Option<&'a Tenant>,
) -> Result<Resource<'a>, Unanswerable> {
    let compiled = policy.compiled();
    let shape = compiled
        .find_type(&entity.kind)
        .and_then(|number| compiled.resource_type(number))
        .ok_or(Unanswerable::UnknownResourceType)?;
    let mut resource = policy
        .resource(&entity.kind)
        .map_err(|_| Unanswerable::UnknownResourceType)?;
    let of = |key: &str| entity.properties.get(key);
    let org = tenant.map(|tenant| tenant.org.as_str());
    if let Some(org) = said_or(of(ORG_PROPERTY), ORG_PROPERTY, org)? {
        resource = resource.org(org);
    }
    let project = tenant.and_then(|tenant| tenant.project.as_ref());
    let project = project.map(|project| project.as_str());
    if let Some(project) = said_or(of(PROJECT_PROPERTY), PROJECT_PROPERTY, project)? {
        resource = resource.project(project);
    }
    let levels = &compiled.parts.levels;
    for attribute in &shape.attributes {
        if let Some(said) = of(&attribute.name) {
            let value = value(said, attribute.kind, levels)
                .ok_or_else(|| wrong_type("/resource/properties", &attribute.name))?;
            resource = resource.attribute(&attribute.name, value);
        }
    }
    let id = id(&entity.id, shape.id).ok_or(Unanswerable::ImpossibleId)?;
    Ok(resource.id(id))
}

/// The circumstances in the words of `policy`.
pub(super) fn context<'a>(
    policy: &Policy,
    said: Option<&'a JsonObject>,
    now: Timestamp,
) -> Result<Context<'a>, InvalidRequest> {
    let parts = &policy.compiled().parts;
    let mut context = policy.context(now);
    let Some(said) = said else {
        return Ok(context);
    };
    for attribute in &parts.context {
        if let Some(said) = said.get(&*attribute.name) {
            let value = value(said, attribute.kind, &parts.levels)
                .ok_or_else(|| wrong_attribute("/context", &attribute.name))?;
            context = context.attribute(&attribute.name, value);
        }
    }
    Ok(context)
}

/// A value of this type. What could not be told from an attribute that is not set (a text that is no UUID, no member of its
/// level) is none: a permit may demand that one is not set.
fn value<'a>(said: &'a JsonValue, kind: Type, levels: &[Level]) -> Option<Value<'a>> {
    match (kind, said) {
        (_, JsonValue::Null) => Some(Value::Null),
        (Type::Text, JsonValue::Text(text)) => (!text.contains('\0')).then_some(Value::Text(text)),
        (Type::Integer, JsonValue::Integer(number)) => Some(Value::Integer(*number)),
        (Type::Boolean, JsonValue::Boolean(value)) => Some(Value::Boolean(*value)),
        (Type::Timestamp, JsonValue::Text(text)) => text.parse().ok().map(Value::Timestamp),
        (Type::Uuid, JsonValue::Text(text)) => parse_uuid(text).map(|_| Value::Text(text)),
        (Type::Level(level), JsonValue::Text(text)) => {
            let level = levels.get(usize::from(level))?;
            level.place_of(text).map(|_| Value::Text(text))
        }
        (
            Type::Text
            | Type::Integer
            | Type::Boolean
            | Type::Timestamp
            | Type::Uuid
            | Type::Level(_)
            | Type::TextSet,
            _,
        ) => None,
    }
}

/// The id of a resource, when one of its type can have it.
fn id(text: &str, kind: Type) -> Option<Value<'_>> {
    match kind {
        Type::Text => {
            let is_one = !text.is_empty() && !text.contains('\0');
            is_one.then_some(Value::Text(text))
        }
        Type::Uuid => parse_uuid(text).map(|_| Value::Text(text)),
        Type::Integer => {
            let number = text.parse::<i64>().ok()?;
            // One spelling for one row.
            (number.to_string() == text).then_some(Value::Integer(number))
        }
        Type::Boolean | Type::Timestamp | Type::Level(_) | Type::TextSet => None,
    }
}

/// What is said of the tenant; `null` says that there is none.
fn said_or<'a>(
    said: Option<&'a JsonValue>,
    key: &str,
    otherwise: Option<&'a str>,
) -> Result<Option<&'a str>, Unanswerable> {
    match said {
        None => Ok(otherwise),
        Some(JsonValue::Null) => Ok(None),
        Some(JsonValue::Text(text)) => Ok(Some(text)),
        Some(
            JsonValue::Boolean(_)
            | JsonValue::Integer(_)
            | JsonValue::Number(_)
            | JsonValue::Array(_)
            | JsonValue::Object(_),
        ) => Err(wrong_type("/resource/properties", key)),
    }
}

fn wrong_type(at: &str, attribute: &str) -> Unanswerable {
    Unanswerable::Invalid(wrong_attribute(at, attribute))
}

fn wrong_attribute(at: &str, attribute: &str) -> InvalidRequest {
    let place = Place::Member(&Place::Root, attribute);
    InvalidRequest::at(format_args!("{at}{place}"), RequestFault::AttributeType)
}
