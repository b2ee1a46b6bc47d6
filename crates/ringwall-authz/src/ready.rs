//! Policies to begin with. Each is a file under `policies/` that can be copied and changed, with its cases.

use crate::document::PolicyDocument;
use crate::fault::PolicyFaults;
use crate::policy::Policy;
use crate::source::Language;

/// Rows by four roles: administrators act upon all of their organisation, managers upon those of their departments,
/// analysts upon their own, viewers upon those that are assigned to them.
pub const ROWS: &str = include_str!("../policies/rows.toml");

/// [`ROWS`], with a clearance and regions that hold for everybody, administrators too.
pub const ROWS_AND_CLEARANCE: &str = include_str!("../policies/rows_and_clearance.toml");

/// The five roles of an organisation (OWNER, ADMIN, DEV, BILLING, VIEWER) and the scopes of its API keys.
pub const ORGANISATION: &str = include_str!("../policies/organisation.toml");

/// The endpoints discover, evaluate, metrics and jobs, for the roles admin, analyst and reader.
pub const ENDPOINTS: &str = include_str!("../policies/endpoints.toml");

/// [`ROWS`] as a policy.
///
/// # Errors
///
/// None, as the tests show.
pub fn rows() -> Result<Policy, PolicyFaults> {
    Policy::from_toml(ROWS)
}

/// [`ROWS_AND_CLEARANCE`] as a policy.
///
/// # Errors
///
/// None, as the tests show.
pub fn rows_and_clearance() -> Result<Policy, PolicyFaults> {
    Policy::from_toml(ROWS_AND_CLEARANCE)
}

/// [`ORGANISATION`] as a policy.
///
/// # Errors
///
/// None, as the tests show.
pub fn organisation() -> Result<Policy, PolicyFaults> {
    Policy::from_toml(ORGANISATION)
}

/// [`ENDPOINTS`] as a policy.
///
/// # Errors
///
/// None, as the tests show.
pub fn endpoints() -> Result<Policy, PolicyFaults> {
    Policy::from_toml(ENDPOINTS)
}

/// A ready-made policy as a document, to be changed before it is judged.
///
/// # Errors
///
/// None for the texts of this module.
pub fn document(text: &str) -> Result<PolicyDocument, PolicyFaults> {
    Language::Toml.read(text)
}
