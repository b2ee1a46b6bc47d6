//! What an enforcement point states in a request's context, beside the attributes of the policy.

use std::sync::Arc;

use ringwall_core::principal::Scope;

use super::document::wrong;
use super::error::{InvalidRequest, RequestFault};
use super::json::{JsonObject, JsonValue, Place};
use super::obligations::{HANDLED_OBLIGATIONS, HandledObligations};

/// The key of a request's context under which an enforcement point says which scopes the subject's credential names: a list
/// of texts, one scope in each.
pub const CREDENTIAL_SCOPES: &str = "credential_scopes";

/// The most scopes that a credential is said to name.
pub const MAX_CREDENTIAL_SCOPES: usize = 256;

/// What was stated.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    /// Which obligations the enforcement point handles.
    pub(super) handled: HandledObligations,
    /// The scopes that the subject's credential names. `None` when nothing was said of them.
    pub(super) scopes: Option<Arc<[Scope]>>,
}

impl Statement {
    /// What the context of a request states, by an enforcement point that handles `handled` anyway.
    pub(super) fn read(
        handled: HandledObligations,
        context: Option<&JsonObject>,
    ) -> Result<Self, InvalidRequest> {
        let mut handled = handled;
        texts(context, HANDLED_OBLIGATIONS, |kind, _| {
            handled = handled.and(kind);
            Ok(())
        })?;
        let mut scopes = Vec::new();
        let is_said = texts(context, CREDENTIAL_SCOPES, |scope, place| {
            if scopes.len() >= MAX_CREDENTIAL_SCOPES {
                let fault = RequestFault::TooMany(MAX_CREDENTIAL_SCOPES);
                return Err(InvalidRequest::at(place, fault));
            }
            let scope = Scope::new(scope).map_err(|_| {
                let expected = "one scope (RFC 6749 §3.3)";
                InvalidRequest::at(place, RequestFault::InvalidText(expected))
            })?;
            scopes.push(scope);
            Ok(())
        })?;
        Ok(Self {
            handled,
            scopes: is_said.then(|| scopes.into()),
        })
    }
}

impl Statement {
    /// With the scopes that were stated for all questions, where this one states none.
    pub(super) fn limited_as(self, of_all: &Self) -> Self {
        Self {
            scopes: self.scopes.or_else(|| of_all.scopes.clone()),
            ..self
        }
    }
}

/// Shows each text of the list that stands under `key`. Whether there is one.
fn texts(
    context: Option<&JsonObject>,
    key: &str,
    mut show: impl FnMut(&str, Place<'_>) -> Result<(), InvalidRequest>,
) -> Result<bool, InvalidRequest> {
    let Some(said) = context.and_then(|context| context.get(key)) else {
        return Ok(false);
    };
    let place = Place::Member(&Place::Root, "context");
    let place = Place::Member(&place, key);
    let JsonValue::Array(values) = said else {
        return Err(wrong(place, "an array"));
    };
    for (number, value) in values.iter().enumerate() {
        let place = Place::Element(&place, number);
        let JsonValue::Text(text) = value else {
            return Err(wrong(place, "a text"));
        };
        show(text, place)?;
    }
    Ok(true)
}
