//! What a permit still owes, in the answer's context.

use ringwall_core::classification::Obligation;

use super::json::JsonValue;

/// The key of a request's context under which an enforcement point says which obligations it handles: a list of their
/// types.
pub const HANDLED_OBLIGATIONS: &str = "handled_obligations";

const MASK_ABOVE: &str = "mask_above";
const REDACT: &str = "redact";
const REASON_REQUIRED: &str = "reason_required";

/// Which obligations an enforcement point handles. By default none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct HandledObligations {
    mask_above: bool,
    redact: bool,
    reason_required: bool,
}

impl HandledObligations {
    /// None: what is permitted under an obligation is answered with `false`.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            mask_above: false,
            redact: false,
            reason_required: false,
        }
    }

    /// It masks what is more sensitive than the answer says.
    #[must_use]
    pub const fn mask_above(mut self) -> Self {
        self.mask_above = true;
        self
    }

    /// It removes the fields that the answer names.
    #[must_use]
    pub const fn redact(mut self) -> Self {
        self.redact = true;
        self
    }

    /// It has a reason stated, and audits it.
    #[must_use]
    pub const fn reason_required(mut self) -> Self {
        self.reason_required = true;
        self
    }

    /// With one type more. One that is unknown here is ignored.
    pub(super) fn and(self, kind: &str) -> Self {
        match kind {
            MASK_ABOVE => self.mask_above(),
            REDACT => self.redact(),
            REASON_REQUIRED => self.reason_required(),
            _ => self,
        }
    }

    /// Whether it handles every one of them.
    pub(super) fn handles(self, owed: &[Obligation]) -> bool {
        owed.iter().all(|obligation| match obligation {
            Obligation::MaskAbove(_) => self.mask_above,
            Obligation::Redact(_) => self.redact,
            Obligation::ReasonRequired => self.reason_required,
        })
    }
}

/// As the answer tells them.
pub(super) fn told(owed: &[Obligation]) -> JsonValue {
    let told = owed.iter().map(|obligation| {
        let (kind, detail) = match obligation {
            Obligation::MaskAbove(level) => (MASK_ABOVE, Some(("level", level.as_str().into()))),
            Obligation::Redact(fields) => {
                let fields = fields.iter().map(|field| JsonValue::from(field.as_str()));
                (REDACT, Some(("fields", JsonValue::Array(fields.collect()))))
            }
            Obligation::ReasonRequired => (REASON_REQUIRED, None),
        };
        let members = core::iter::once(("type", JsonValue::from(kind))).chain(detail);
        JsonValue::Object(
            members
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        )
    });
    JsonValue::Array(told.collect())
}
