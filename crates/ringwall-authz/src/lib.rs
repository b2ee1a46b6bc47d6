#![doc = include_str!("../README.md")]

#[cfg(feature = "authzen")]
pub mod authzen;
mod bits;
mod cases;
mod compile;
mod condition;
mod context;
mod credential;
mod decide;
mod decision;
mod diff;
pub mod directory;
mod document;
mod explain;
mod fault;
mod filter;
mod handle;
mod json_lines;
mod node;
mod permit;
mod policy;
pub mod ready;
mod required;
mod resolve;
mod resource;
mod rls;
mod rowless;
mod session;
mod slots;
mod source;
mod subject;
mod tables;
mod toml_nesting;
mod truth;
mod value;

pub use cases::{
    Case, CaseOutcome, CaseResource, CaseSubject, CaseValue, CaseValues, Cases, CasesError,
    Expectation,
};
pub use compile::conditions::{MAX_CONDITION_DEPTH, MAX_CONDITION_PARTS, MAX_SET_MEMBERS};
pub use compile::roles::MAX_ROLES;
pub use compile::rules::MAX_RULES;
pub use compile::scopes::MAX_SCOPES;
pub use compile::shapes::{MAX_ACTIONS, MAX_ATTRIBUTES, MAX_RELATIONS, MAX_RESOURCE_TYPES};
pub use condition::{Condition, Constant, Operand, SetOperand};
pub use context::Context;
pub use credential::CredentialScopes;
pub use decision::{Cause, Decision, MAX_NAMED_RULES, Outcome};
pub use diff::{Change, Difference};
pub use directory::{
    DirectoryError, MemoryDirectory, PolicyInformationPoint, StoredAttribute, SubjectDirectory,
    SubjectFacts, SubjectListing,
};
pub use document::{
    AttributeDefinition, AttributePlace, Commands, Effect, PolicyDocument, RelationDefinition,
    ResourceDefinition, RoleDefinition, Rule, RuleObligations, SeparationKind, SeparationOfDuty,
    SubjectDefinition, TableDefinition,
};
pub use explain::{Explanation, RuleExplanation};
pub use fault::{PolicyFault, PolicyFaults};
pub use filter::{Dialect, FilterError, MAX_FILTER_RULES, RowFilter, Rows, SqlValue, SqlWriter};
pub use handle::{NoObserver, PolicyHandle, PolicyObserver, Question};
pub use permit::{Action, Duties, Permit, Refused, RowsPermit};
pub use policy::{Policy, PolicyHash};
pub use required::{RequiredRole, RequiredScope};
pub use resolve::{
    CredentialSubjects, DirectorySubjects, KnownSubject, RelatedValue, SubjectResolver, ToResource,
};
pub use resource::{Resource, UnknownResourceType};
pub use rls::{
    FunctionPath, InvalidIdentifier, RowLevelSecurityOptions, RowLevelSecurityParts, SecuredTable,
    SecurityFunction, SecurityPolicy,
};
pub use session::{SessionError, SessionSetting, session_settings};
pub use slots::AttributeError;
pub use source::MAX_POLICY_BYTES;
pub use subject::{MAX_SUBJECT_VALUES, Subject, SubjectBuilder};
pub use tables::{ColumnKind, PolicyColumn, PolicyTable, TableContent};
pub use truth::Truth;
pub use value::Value;
