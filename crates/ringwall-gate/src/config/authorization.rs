//! Which authorization policy decides, and who tells what is known of callers.

use std::path::Path;
use std::sync::Arc;

use ringwall_authz::{
    CredentialScopes, CredentialSubjects, MAX_POLICY_BYTES, Policy, PolicyHandle, SubjectResolver,
};
use ringwall_core::event::EventSink;

use super::fault::{Faults, SettingSource};
use super::file;
use super::section::{Section, Taken};
use super::services::Services;
use crate::authorization::{Authorization, PolicyEvents};

/// The section, judged: its policies decide.
pub(super) struct AuthorizationConfig {
    policy: Policy,
    candidate: Option<Policy>,
    subjects: Subjects,
    /// Whether the owner says that no two issuers give one name to two people.
    pub(super) issuers_share_names: bool,
}

/// Whether the section believes the roles that credentials name, also where something else is wrong with it.
pub(super) fn believes_roles(section: Option<&Taken>) -> bool {
    section.is_some_and(|taken| taken.is_text("subjects", "credentials"))
}

/// Who tells what is known of callers.
enum Subjects {
    /// [`Services::subjects`].
    Service,
    Credentials(CredentialSubjects, CredentialScopes),
}

impl AuthorizationConfig {
    /// Reads the section and the policies that it names. `None` when there is a fault.
    pub(super) fn read(mut section: Section<'_>) -> Option<Self> {
        let policy = section.required(
            "policy_file",
            "name the file of the policy, in TOML or, as *.json, in JSON",
        );
        let policy = policy.and_then(|path| read_policy(&mut section, "policy_file", &path));
        let named = section.text("candidate_file");
        let is_named = named.is_some();
        let candidate = named.and_then(|path| read_policy(&mut section, "candidate_file", &path));
        let subjects = subjects(&mut section);
        let believes = matches!(subjects, Some(Subjects::Credentials(..)));
        let issuers_share_names = if believes || subjects.is_none() {
            section.flag("issuers_share_names", false)
        } else {
            false
        };
        section.finish();
        if is_named && candidate.is_none() {
            return None;
        }
        Some(Self {
            policy: policy?,
            candidate,
            subjects: subjects?,
            issuers_share_names,
        })
    }

    /// Whether what credentials say of callers is believed, their names too.
    pub(super) const fn believes_credentials(&self) -> bool {
        matches!(self.subjects, Subjects::Credentials(..))
    }

    /// What the scopes of credentials are to their subjects' rights. What the service's own resolver makes of them nobody
    /// knows here.
    pub(super) const fn credential_scopes(&self) -> CredentialScopes {
        match &self.subjects {
            Subjects::Service => CredentialScopes::ByKind,
            Subjects::Credentials(_, scopes) => *scopes,
        }
    }

    /// The policy with what the service gives.
    pub(super) fn authorization(
        &self,
        services: &Services,
        events: &Arc<dyn EventSink>,
        faults: &mut Faults,
    ) -> Option<Authorization> {
        let subjects: Arc<dyn SubjectResolver> = match (&self.subjects, &services.subjects) {
            (Subjects::Service, Some(subjects)) => Arc::clone(subjects),
            (Subjects::Credentials(subjects, _), None) => Arc::new(*subjects),
            (Subjects::Service, None) => {
                let problem = "are the service's, and it tells nothing of them";
                let remedy = "give Services::subjects, or write subjects = \"credentials\"";
                fault(faults, problem, remedy);
                return None;
            }
            (Subjects::Credentials(..), Some(_)) => {
                let problem = "are those of credentials, and the service tells of them too";
                fault(faults, problem, "leave one of the two out");
                return None;
            }
        };
        let observer = Arc::new(PolicyEvents::new(Arc::clone(events)));
        let handle = PolicyHandle::new(self.policy.clone(), observer);
        handle.shadow(self.candidate.clone());
        Some(Authorization::new(handle, subjects))
    }
}

/// What the service gives and no section takes: without a policy, what is known of callers decides nothing.
pub(super) fn check_unused(services: &Services, faults: &mut Faults) {
    if services.subjects.is_some() {
        let problem = "are told by the service, and there is no policy to ask about them";
        let remedy = "write the section authorization with a policy_file";
        fault(faults, problem, remedy);
    }
}

fn fault(faults: &mut Faults, problem: &str, remedy: &str) {
    let source = SettingSource::Services;
    faults.add("authorization.subjects", source, problem, remedy);
}

/// `None` when there is a fault.
fn subjects(section: &mut Section<'_>) -> Option<Subjects> {
    let subjects = section.text("subjects");
    section.unless_set("subjects", "service");
    let believes = match subjects.as_deref() {
        None | Some("service") => {
            let problem = "is for subjects = \"credentials\": the service says it of its own";
            let settings = ["credential_scopes", "issuers_share_names"];
            section.refuse(&settings, problem, "leave it out");
            return Some(Subjects::Service);
        }
        Some("credentials") => CredentialSubjects::scopes_and_roles(),
        Some(_) => {
            let remedy = "write service, or credentials to believe the roles that they name";
            section.fault("subjects", "is unknown", remedy);
            return None;
        }
    };
    let scopes = section.text("credential_scopes");
    section.unless_set("credential_scopes", "by_kind");
    let scopes = match scopes.as_deref() {
        None | Some("by_kind") => CredentialScopes::ByKind,
        Some("limit") => CredentialScopes::Limit,
        Some("grant") => CredentialScopes::Grant,
        Some("ignore") => CredentialScopes::Ignore,
        Some(_) => {
            let remedy = "write by_kind, limit, grant or ignore";
            section.fault("credential_scopes", "is unknown", remedy);
            return None;
        }
    };
    let believes = believes.with_scopes(scopes);
    Some(Subjects::Credentials(believes, scopes))
}

/// The policy in the file at `path`. What is wrong with it is told with the lines of that file.
fn read_policy(section: &mut Section<'_>, key: &str, path: &str) -> Option<Policy> {
    let longest = u64::try_from(MAX_POLICY_BYTES).unwrap_or(u64::MAX);
    let path = Path::new(path);
    let text = match file::read(path, longest) {
        Ok(text) => text,
        Err(error) => {
            let remedy = "name a policy that the service may read and others may not write";
            section.fault(key, format!("names a file that {error}"), remedy);
            return None;
        }
    };
    let is_json = path
        .extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("json"));
    let read = if is_json {
        Policy::from_json(&text)
    } else {
        Policy::from_toml(&text)
    };
    match read {
        Ok(policy) => Some(policy),
        Err(faults) => {
            for fault in faults.faults() {
                let source = SettingSource::File {
                    name: path.to_string_lossy().into(),
                    line: fault.line.and_then(|line| usize::try_from(line).ok()),
                };
                let place = match fault.path.as_str() {
                    "" => String::new(),
                    place => format!("at {place}, "),
                };
                let problem = format!("holds a policy that is refused: {place}{}", fault.message);
                let remedy = "correct the policy; `ringwall policy check` tells the same";
                section.fault_at(key, source, problem, remedy);
            }
            None
        }
    }
}
