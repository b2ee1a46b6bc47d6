//! The questions (§6.1, §7.1, §8).

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::document::{Members, RequestDocument, array, object, text};
use super::entity::{ActionEntity, EntityType, ResourceEntity, SubjectEntity};
use super::error::{InvalidRequest, RequestFault};
use super::json::{JsonObject, JsonValue, Place};
use super::page::PageRequest;

/// The most evaluations of one request. Each may need a look into the directory.
pub const MAX_EVALUATIONS: usize = 256;

/// May this subject do this to this resource (§6.1)?
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EvaluationRequest {
    /// About whom.
    pub subject: SubjectEntity,
    /// What.
    pub action: ActionEntity,
    /// Upon what.
    pub resource: ResourceEntity,
    /// Under which circumstances.
    #[serde(skip_serializing_if = "JsonObject::is_empty")]
    pub context: JsonObject,
}

/// Several questions at once (§7.1). What one of them leaves out is taken from `defaults`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EvaluationsRequest {
    /// What stands at the top.
    #[serde(flatten)]
    pub defaults: Evaluation,
    /// The questions. When there are none, the defaults are the one question, and it is answered like one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evaluations: Vec<Evaluation>,
    /// When to stop.
    #[serde(rename = "options", with = "options")]
    pub semantic: EvaluationsSemantic,
}

/// One of several questions.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Evaluation {
    /// About whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectEntity>,
    /// What.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionEntity>,
    /// Upon what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceEntity>,
    /// Under which circumstances.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<JsonObject>,
}

/// When a batch stops (§7.1.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EvaluationsSemantic {
    /// Every question is answered.
    #[default]
    ExecuteAll,
    /// The first denial is the last answer.
    DenyOnFirstDeny,
    /// The first permit is the last answer.
    PermitOnFirstPermit,
}

impl EvaluationsSemantic {
    const ALL: [(&'static str, Self); 3] = [
        ("execute_all", Self::ExecuteAll),
        ("deny_on_first_deny", Self::DenyOnFirstDeny),
        ("permit_on_first_permit", Self::PermitOnFirstPermit),
    ];

    /// Whether `decision` is the last.
    pub(super) const fn stops_at(self, decision: bool) -> bool {
        match self {
            Self::ExecuteAll => false,
            Self::DenyOnFirstDeny => !decision,
            Self::PermitOnFirstPermit => decision,
        }
    }
}

/// Who may do this to this resource (§8.4.1)?
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SubjectSearchRequest {
    /// Of which type.
    pub subject: EntityType,
    /// What.
    pub action: ActionEntity,
    /// Upon what.
    pub resource: ResourceEntity,
    /// Under which circumstances.
    #[serde(skip_serializing_if = "JsonObject::is_empty")]
    pub context: JsonObject,
    /// Which page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<PageRequest>,
}

/// Upon what may this subject do this (§8.5.1)?
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ResourceSearchRequest {
    /// About whom.
    pub subject: SubjectEntity,
    /// What.
    pub action: ActionEntity,
    /// Of which type.
    pub resource: EntityType,
    /// Under which circumstances.
    #[serde(skip_serializing_if = "JsonObject::is_empty")]
    pub context: JsonObject,
    /// Which page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<PageRequest>,
}

/// What may this subject do to this resource (§8.6.1)?
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ActionSearchRequest {
    /// About whom.
    pub subject: SubjectEntity,
    /// Upon what.
    pub resource: ResourceEntity,
    /// Under which circumstances.
    #[serde(skip_serializing_if = "JsonObject::is_empty")]
    pub context: JsonObject,
    /// Which page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<PageRequest>,
}

/// One question, wherever its parts stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct AskedEvaluation<'a> {
    pub(super) subject: &'a SubjectEntity,
    pub(super) action: &'a ActionEntity,
    pub(super) resource: &'a ResourceEntity,
    /// `None` says nothing of the circumstances.
    pub(super) context: Option<&'a JsonObject>,
}

impl EvaluationRequest {
    /// A question without circumstances.
    #[must_use]
    pub const fn new(
        subject: SubjectEntity,
        action: ActionEntity,
        resource: ResourceEntity,
    ) -> Self {
        Self {
            subject,
            action,
            resource,
            context: JsonObject::new(),
        }
    }

    pub(super) const fn asked(&self) -> AskedEvaluation<'_> {
        AskedEvaluation {
            subject: &self.subject,
            action: &self.action,
            resource: &self.resource,
            context: Some(&self.context),
        }
    }
}

impl EvaluationsRequest {
    /// The question of this number with its defaults, or the defaults alone.
    pub(super) fn asked(
        &self,
        number: Option<usize>,
    ) -> Result<AskedEvaluation<'_>, InvalidRequest> {
        let own = number.and_then(|number| self.evaluations.get(number));
        let missing = |part: &str| {
            let pointer = match number {
                Some(number) => format!("/evaluations/{number}/{part}"),
                None => format!("/{part}"),
            };
            InvalidRequest::at(pointer, RequestFault::Missing)
        };
        let defaults = &self.defaults;
        Ok(AskedEvaluation {
            subject: own
                .and_then(|own| own.subject.as_ref())
                .or(defaults.subject.as_ref())
                .ok_or_else(|| missing("subject"))?,
            action: own
                .and_then(|own| own.action.as_ref())
                .or(defaults.action.as_ref())
                .ok_or_else(|| missing("action"))?,
            resource: own
                .and_then(|own| own.resource.as_ref())
                .or(defaults.resource.as_ref())
                .ok_or_else(|| missing("resource"))?,
            context: own
                .and_then(|own| own.context.as_ref())
                .or(defaults.context.as_ref()),
        })
    }

    /// Whether every question is whole.
    fn check(&self) -> Result<(), InvalidRequest> {
        if self.evaluations.is_empty() {
            return self.asked(None).map(|_| ());
        }
        (0..self.evaluations.len()).try_for_each(|number| self.asked(Some(number)).map(|_| ()))
    }
}

impl Evaluation {
    fn read(members: &mut Members<'_>) -> Result<Self, InvalidRequest> {
        Ok(Self {
            subject: members.optional("subject", SubjectEntity::read)?,
            action: members.optional("action", ActionEntity::read)?,
            resource: members.optional("resource", ResourceEntity::read)?,
            context: members.optional("context", object)?,
        })
    }
}

impl RequestDocument for EvaluationRequest {
    fn from_value(value: JsonValue) -> Result<Self, InvalidRequest> {
        let mut members = Members::new(value, Place::Root)?;
        Ok(Self {
            subject: members.required("subject", SubjectEntity::read)?,
            action: members.required("action", ActionEntity::read)?,
            resource: members.required("resource", ResourceEntity::read)?,
            context: members.optional("context", object)?.unwrap_or_default(),
        })
    }
}

impl RequestDocument for EvaluationsRequest {
    fn from_value(value: JsonValue) -> Result<Self, InvalidRequest> {
        let mut members = Members::new(value, Place::Root)?;
        let request = Self {
            defaults: Evaluation::read(&mut members)?,
            evaluations: members
                .optional("evaluations", evaluations)?
                .unwrap_or_default(),
            semantic: members.optional("options", semantic)?.unwrap_or_default(),
        };
        request.check()?;
        Ok(request)
    }
}

fn evaluations(value: JsonValue, place: Place<'_>) -> Result<Vec<Evaluation>, InvalidRequest> {
    let values = array(value, place)?;
    if values.len() > MAX_EVALUATIONS {
        return Err(InvalidRequest::at(
            place,
            RequestFault::TooMany(MAX_EVALUATIONS),
        ));
    }
    let numbered = values.into_iter().enumerate();
    let read = numbered.map(|(number, value)| {
        let place = Place::Element(&place, number);
        Evaluation::read(&mut Members::new(value, place)?)
    });
    read.collect()
}

fn semantic(value: JsonValue, place: Place<'_>) -> Result<EvaluationsSemantic, InvalidRequest> {
    let mut members = Members::new(value, place)?;
    let semantic = members.optional("evaluations_semantic", |value, place| {
        let text = text(value, place)?;
        let found = EvaluationsSemantic::ALL
            .iter()
            .find(|(name, _)| *name == text);
        found.map(|(_, semantic)| *semantic).ok_or_else(|| {
            let expected = "execute_all, deny_on_first_deny or permit_on_first_permit";
            InvalidRequest::at(place, RequestFault::InvalidText(expected))
        })
    })?;
    Ok(semantic.unwrap_or_default())
}

mod options {
    use serde::{Serialize, Serializer};

    use super::EvaluationsSemantic;

    #[derive(Serialize)]
    struct Options {
        evaluations_semantic: EvaluationsSemantic,
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
    pub(super) fn serialize<S: Serializer>(
        semantic: &EvaluationsSemantic,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        Options {
            evaluations_semantic: *semantic,
        }
        .serialize(serializer)
    }
}

impl RequestDocument for SubjectSearchRequest {
    fn from_value(value: JsonValue) -> Result<Self, InvalidRequest> {
        let mut members = Members::new(value, Place::Root)?;
        Ok(Self {
            subject: members.required("subject", EntityType::read)?,
            action: members.required("action", ActionEntity::read)?,
            resource: members.required("resource", ResourceEntity::read)?,
            context: members.optional("context", object)?.unwrap_or_default(),
            page: members.optional("page", PageRequest::read)?,
        })
    }
}

impl RequestDocument for ResourceSearchRequest {
    fn from_value(value: JsonValue) -> Result<Self, InvalidRequest> {
        let mut members = Members::new(value, Place::Root)?;
        Ok(Self {
            subject: members.required("subject", SubjectEntity::read)?,
            action: members.required("action", ActionEntity::read)?,
            resource: members.required("resource", EntityType::read)?,
            context: members.optional("context", object)?.unwrap_or_default(),
            page: members.optional("page", PageRequest::read)?,
        })
    }
}

impl RequestDocument for ActionSearchRequest {
    fn from_value(value: JsonValue) -> Result<Self, InvalidRequest> {
        let mut members = Members::new(value, Place::Root)?;
        Ok(Self {
            subject: members.required("subject", SubjectEntity::read)?,
            resource: members.required("resource", ResourceEntity::read)?,
            context: members.optional("context", object)?.unwrap_or_default(),
            page: members.optional("page", PageRequest::read)?,
        })
    }
}

macro_rules! deserialized {
    ($($request:ident)+) => {$(
        impl<'de> Deserialize<'de> for $request {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = JsonValue::deserialize(deserializer)?;
                Self::from_value(value).map_err(D::Error::custom)
            }
        }
    )+};
}

deserialized! {
    EvaluationRequest EvaluationsRequest SubjectSearchRequest ResourceSearchRequest ActionSearchRequest
}
