//! The OpenID AuthZEN Authorization API 1.0 (11 January 2026) before a policy, for any framework.
//!
//! A service in another language, a gateway, or any other policy enforcement point asks *may this subject do that to this
//! resource*, and hears what [`Policy::decide`](crate::Policy::decide) says.
//!
//! # What is there
//!
//! | section | what | here |
//! |---|---|---|
//! | 5 | subject, resource, action, context, decision | [`SubjectEntity`], [`ResourceEntity`], [`ActionEntity`], [`JsonObject`], [`EvaluationResponse`] |
//! | 6 | access evaluation | [`Evaluator::evaluate`] |
//! | 7 | access evaluations, defaults, the three semantics, errors of one evaluation | [`Evaluator::evaluate_all`] |
//! | 8.2 | pages with opaque tokens | [`PageRequest`], [`PageResponse`] |
//! | 8.4 | subject search, over a [`SubjectListing`](crate::SubjectListing) | [`Evaluator::search_subjects`] |
//! | 8.5 | resource search, over the row filter and a [`ResourceListing`] of the application | [`Evaluator::search_resources`] |
//! | 8.6 | action search | [`Evaluator::search_actions`] |
//! | 9 | metadata | [`PdpMetadata`] |
//! | 10 | HTTPS binding | `ringwall-axum`, feature `authzen` |
//! | 11.6, 11.8 | I-JSON, bounds | [`from_json`](RequestDocument::from_json) |
//!
//! Signed metadata (§9.1.3), capabilities (§9.1.2), `page.total` and transitive searches beyond what the policy's relations
//! say are not there.
//!
//! # Whom it believes
//!
//! The specification says that the policy decision point trusts the enforcement point (§11.4). An enforcement point often
//! copies what its own user sent, so it is trusted with what it owns and with nothing else:
//!
//! | what | from where |
//! |---|---|
//! | the organisation and the project | the authenticated enforcement point's own, never the request |
//! | who the subject is | `subject.id`, as a name of our own issuer: see [below](#whose-names) |
//! | the subject's roles, scopes, attributes, clearance, departments | the [`SubjectResolver`](crate::SubjectResolver): a directory, asked for the organisation and the id |
//! | the scopes of the subject's credential | `context.credential_scopes`, as a limit and never as a right: see [below](#the-scopes-of-a-credential) |
//! | for whom the subject acts | nobody told: see [below](#whoever-acts-for-somebody) |
//! | `subject.properties`, **all of them** | ignored, whatever they are called |
//! | the subject's kind | `subject.type`: `user`, `service`, `agent` or `api_key` |
//! | attributes of the resource | `resource.properties`, in the policy's types: the enforcement point owns the row |
//! | the resource's organisation and project | `resource.properties.org_id` and `project_id`; where they are left out, the enforcement point's own |
//! | `action.properties` | ignored |
//! | attributes of the context | `context`, in the policy's types |
//! | the time | the service's clock, never `context.time` |
//! | relations other than the departments | nobody told, so unknown: what needs them is denied. Where the resolver says that the database knows one ([`related_in_database`](crate::KnownSubject::related_in_database)), a resource search asks it, and finds what an evaluation denies |
//!
//! What the policy does not declare is ignored, as the specification demands of unknown fields (§10.1.1).
//!
//! Ids that the policy says are UUIDs are asked about in one spelling, in whichever case of letters they come.
//!
//! # The scopes of a credential
//!
//! At a gate the scopes of a person's token limit what its roles permit. The evaluator sees no token. So an enforcement point
//! that has one says which scopes it names, one text for each:
//!
//! ```json
//! { "context": { "credential_scopes": ["cases:read"] } }
//! ```
//!
//! They limit the subject as a person's credential does
//! ([`limited_to_scopes_of_credential`](crate::SubjectBuilder::limited_to_scopes_of_credential)), whatever the subject's type,
//! in evaluations and in searches: they can only take away. Hand on what the verified credential names, and never a value
//! that the caller chose: a list without a scope that speaks of rights (an empty one, `openid` alone) limits nothing.
//! **Where nothing is said, nothing is limited**: an enforcement point that says nothing has to hold the scopes against what
//! it does by itself. A machine has nothing by its scopes here, since nobody but a gate has verified them.
//!
//! In a batch, what the context of the defaults says of scopes holds for each question; one with a context of its own that
//! says nothing of them does not lift it, and one that says a list is limited to that one instead.
//!
//! # Whose names
//!
//! `subject.id` is a name that our own issuer gives, and the directory is asked under it. An enforcement point that also
//! takes tokens of a partner must not send their subjects as such: the partner's `alice` would be ours. Let it ask for those
//! of our own issuer alone, and refuse the others or decide about them by itself.
//!
//! # Whoever acts for somebody
//!
//! A rule may permit something *because* the subject acts for somebody, so an enforcement point's word for it would give
//! rights. There is no place for it: nobody is known to act for anybody, rules that permit for that reason do not apply, and
//! neither do those that forbid for it. Let an enforcement point refuse delegated callers, or ask about both and permit what
//! both may do.
//!
//! # What is false, and what is an error
//!
//! - An action, a type of resource or a type of subject that the policy does not know, an id that cannot be, a resource of
//!   another organisation: `{"decision": false}`, all alike. An error would tell what there is.
//! - A property that the policy declares and that has a value of another type: [`AuthzenError::Invalid`] (400), and an error
//!   of the one evaluation within a batch (§7.2.1). It does not count as unknown: a permit may demand that an attribute is
//!   *not* set, and a typing error would grant it. `null` and leaving out both say that the row has no value.
//! - A document that is too long, too deep or too wide, in which a key stands twice or a value has the wrong type:
//!   [`InvalidRequest`] (400) with the place as a JSON Pointer (RFC 6901). The whole batch is refused.
//! - A directory that does not answer: an error, never `false` and never a shorter list.
//!
//! # Obligations
//!
//! What a permit still owes is in the answer's `context.obligations`. An enforcement point that does not know them must
//! not get a bare `true`, and the specification lets it ignore what it does not understand (§5.5). So **it hears `false`
//! unless it said that it handles each of them**, with `"handled_obligations": ["mask_above", "redact", "reason_required"]`
//! in the request's `context`, or unless the operator says so for all ([`Evaluator::every_pep_handles`]).
//!
//! | obligation | in the answer |
//! |---|---|
//! | mask what is more sensitive | `{"type": "mask_above", "level": "internal"}` |
//! | remove fields (JSON Pointer) | `{"type": "redact", "fields": ["/ssn"]}` |
//! | have a reason stated, and audit it | `{"type": "reason_required"}` |
//!
//! # Other engines
//!
//! The documents, their bounds, the tokens and the router know nothing of a policy. [`Evaluator`] alone does, and it asks
//! [`Policy`](crate::Policy) itself: there is no trait with one implementation. An engine such as Cedar brings an evaluator
//! of its own with the same five questions.

mod attributes;
mod document;
mod entity;
mod error;
mod evaluator;
mod json;
mod metadata;
mod obligations;
mod page;
mod request;
mod resource_listing;
mod response;
mod search;
mod statement;

pub use document::{MAX_REQUEST_BYTES, RequestDocument};
pub use entity::{ActionEntity, EntityType, MAX_NAME_BYTES, ResourceEntity, SubjectEntity};
pub use error::{AuthzenError, InvalidRequest, RequestFault};
pub use evaluator::{Evaluator, ORG_PROPERTY, PROJECT_PROPERTY};
pub use json::{JsonObject, JsonValue, MAX_DEPTH, MAX_MEMBERS, MAX_VALUES};
pub use metadata::{InvalidIdentifier, PdpMetadata};
pub use obligations::{HANDLED_OBLIGATIONS, HandledObligations};
pub use page::{
    DEFAULT_PAGE_RESULTS, MAX_PAGE_RESULTS, MAX_TOKEN_BYTES, PageRequest, PageResponse,
};
pub use request::{
    ActionSearchRequest, Evaluation, EvaluationRequest, EvaluationsRequest, EvaluationsSemantic,
    MAX_EVALUATIONS, ResourceSearchRequest, SubjectSearchRequest,
};
pub use resource_listing::{
    ListingError, MAX_CURSOR_BYTES, ResourceListing, ResourcePage, ResourceQuery,
};
pub use response::{EvaluationResponse, EvaluationsResponse, SearchResponse};
pub use search::MAX_SEARCHED_SUBJECTS;
pub use statement::{CREDENTIAL_SCOPES, MAX_CREDENTIAL_SCOPES};
