//! The answers (§5.5, §7.2, §8.3).

use serde::{Deserialize, Serialize};

use super::error::InvalidRequest;
use super::json::{JsonObject, JsonValue};
use super::page::PageResponse;

/// A decision (§5.5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EvaluationResponse {
    /// Whether it is permitted.
    pub decision: bool,
    /// What goes with it: `obligations`; `reason` and `rules` where the operator wants them told; `error` in a batch.
    #[serde(default, skip_serializing_if = "JsonObject::is_empty")]
    pub context: JsonObject,
}

/// The answer to several questions (§7.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum EvaluationsResponse {
    /// The decisions, in the order of the questions; fewer when the semantic stops early.
    Batch {
        /// The decisions.
        evaluations: Vec<EvaluationResponse>,
    },
    /// The one decision, when there were no `evaluations` (§7.1).
    Single(EvaluationResponse),
}

/// What a search finds (§8.3): each would be permitted if it were asked for now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SearchResponse<T> {
    /// How it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<PageResponse>,
    /// What goes with all of it: `obligations` of a resource search.
    #[serde(
        default = "JsonObject::new",
        skip_serializing_if = "JsonObject::is_empty"
    )]
    pub context: JsonObject,
    /// What was found.
    pub results: Vec<T>,
}

impl EvaluationResponse {
    pub(super) const fn new(decision: bool) -> Self {
        Self {
            decision,
            context: JsonObject::new(),
        }
    }

    /// An evaluation of a batch that cannot be decided as it was asked (§7.2.1).
    pub(super) fn fault(fault: &InvalidRequest) -> Self {
        let error = JsonObject::from([
            ("status".to_owned(), JsonValue::Integer(400)),
            ("message".to_owned(), JsonValue::Text(fault.to_string())),
        ]);
        Self {
            decision: false,
            context: JsonObject::from([("error".to_owned(), JsonValue::Object(error))]),
        }
    }

    pub(super) fn with(mut self, key: &str, value: JsonValue) -> Self {
        self.context.insert(key.to_owned(), value);
        self
    }
}
