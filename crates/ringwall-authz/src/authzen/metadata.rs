//! Where the policy decision point is (§9).

use serde::Serialize;

use super::evaluator::Evaluator;

/// The longest identifier in bytes.
const MAX_IDENTIFIER_BYTES: usize = 1024;

/// The metadata of a policy decision point.
///
/// It names the endpoints at their default paths (§10.1), and of the searches those that the evaluator offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PdpMetadata {
    policy_decision_point: String,
    access_evaluation_endpoint: String,
    access_evaluations_endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    search_subject_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    search_resource_endpoint: Option<String>,
    search_action_endpoint: String,
    #[serde(skip)]
    path: String,
}

/// The text identifies no policy decision point: that is a URL of the scheme `https` without user, query and fragment
/// (§9.1.1), of 1,024 bytes at most, and without empty or dot segments in its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no https URL without user, query and fragment")]
pub struct InvalidIdentifier;

impl PdpMetadata {
    /// The path of the evaluations of one question.
    pub const EVALUATION: &'static str = "/access/v1/evaluation";
    /// The path of the evaluations of several questions.
    pub const EVALUATIONS: &'static str = "/access/v1/evaluations";
    /// The path of the search for subjects.
    pub const SEARCH_SUBJECT: &'static str = "/access/v1/search/subject";
    /// The path of the search for resources.
    pub const SEARCH_RESOURCE: &'static str = "/access/v1/search/resource";
    /// The path of the search for actions.
    pub const SEARCH_ACTION: &'static str = "/access/v1/search/action";
    /// The well-known URI (RFC 8615) of the metadata, behind which the identifier's own path stands.
    pub const WELL_KNOWN: &'static str = "/.well-known/authzen-configuration";

    /// The metadata of `evaluator` under this identifier, such as `https://pdp.example.com`.
    ///
    /// # Errors
    ///
    /// [`InvalidIdentifier`].
    pub fn new(identifier: &str, evaluator: &Evaluator) -> Result<Self, InvalidIdentifier> {
        let path = path(identifier).ok_or(InvalidIdentifier)?;
        let base = identifier.trim_end_matches('/');
        let at = |path: &str| format!("{base}{path}");
        Ok(Self {
            policy_decision_point: identifier.to_owned(),
            access_evaluation_endpoint: at(Self::EVALUATION),
            access_evaluations_endpoint: at(Self::EVALUATIONS),
            search_subject_endpoint: evaluator
                .searches_subjects()
                .then(|| at(Self::SEARCH_SUBJECT)),
            search_resource_endpoint: evaluator
                .searches_resources()
                .then(|| at(Self::SEARCH_RESOURCE)),
            search_action_endpoint: at(Self::SEARCH_ACTION),
            path: format!("{}{path}", Self::WELL_KNOWN),
        })
    }

    /// The path at which it is served (§9.2).
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// The path of an identifier, without a slash at its end.
fn path(identifier: &str) -> Option<&str> {
    if identifier.len() > MAX_IDENTIFIER_BYTES {
        return None;
    }
    let rest = identifier.strip_prefix("https://")?;
    let is_plain = |c: char| {
        c.is_ascii_graphic()
            && !matches!(
                c,
                '?' | '#' | '@' | '%' | '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}' | '*'
            )
    };
    if !rest.chars().all(is_plain) {
        return None;
    }
    let (host, path) = match rest.find('/') {
        Some(start) => rest.split_at_checked(start)?,
        None => (rest, ""),
    };
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut segments = path.split('/').skip(1);
    let is_path = segments.all(|segment| !matches!(segment, "" | "." | ".."));
    (!host.is_empty() && is_path).then_some(path)
}
