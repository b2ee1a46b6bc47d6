//! In which claims of a token things are.

use ringwall_authn::{ClaimPath, PrincipalMapping};

use super::section::Section;

/// Where in the claims things are, as far as it was said.
#[derive(Debug, Default)]
pub(super) struct ClaimNames {
    subject: Option<ClaimPath>,
    scopes: Option<Vec<ClaimPath>>,
    roles: Option<Vec<ClaimPath>>,
    pub(super) org: Option<ClaimPath>,
    project: Option<ClaimPath>,
}

impl ClaimNames {
    /// `None` when one of them is no source of identity or rights.
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let mut is_good = true;
        let mut one = |key, section: &mut Section<'_>| {
            let path = claim_path(&section.text(key)?);
            match path {
                Ok(path) => Some(path),
                Err(error) => {
                    section.fault(key, error.to_string(), CLAIMS);
                    is_good = false;
                    None
                }
            }
        };
        let subject = one("subject_claim", section);
        let org = one("org_claim", section);
        let project = one("project_claim", section);
        let mut several = |key, section: &mut Section<'_>| {
            let paths: Result<Vec<_>, _> = section
                .texts(key)?
                .iter()
                .map(|text| claim_path(text))
                .collect();
            match paths {
                Ok(paths) => Some(paths),
                Err(error) => {
                    section.fault(key, error.to_string(), CLAIMS);
                    is_good = false;
                    None
                }
            }
        };
        let scopes = several("scopes_claims", section);
        let roles = several("roles_claims", section);
        is_good.then_some(Self {
            subject,
            scopes,
            roles,
            org,
            project,
        })
    }

    /// Changes a mapping to what was said.
    pub(super) fn apply(&self, mut mapping: PrincipalMapping) -> PrincipalMapping {
        if let Some(path) = &self.subject {
            mapping = mapping.subject(path.clone());
        }
        if let Some(paths) = &self.scopes {
            mapping = mapping.scopes(paths.iter().cloned());
        }
        if let Some(paths) = &self.roles {
            mapping = mapping.roles(paths.iter().cloned());
        }
        if let Some(path) = &self.org {
            mapping = mapping.org(path.clone());
        }
        if let Some(path) = &self.project {
            mapping = mapping.project(path.clone());
        }
        mapping
    }
}

const CLAIMS: &str = "name a claim that the issuer writes, such as realm_access.roles";

/// Dots lead into objects, but for a name with a colon, whose dots are its own.
fn claim_path(text: &str) -> Result<ClaimPath, ringwall_authn::PolicyError> {
    if text.contains(':') {
        ClaimPath::named(text)
    } else {
        ClaimPath::nested(text)
    }
}
