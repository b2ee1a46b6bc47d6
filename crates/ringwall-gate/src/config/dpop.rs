//! Tokens that are bound to a key of their holder (RFC 9449, DPoP).

use core::time::Duration;
use std::sync::Arc;

use ringwall_authn::{DpopNonces, DpopPolicy, DpopPolicyError};
use ringwall_core::clock::Timestamp;
use ringwall_core::secret::SecretString;
use ringwall_jose::Algorithm;
use ringwall_replay::{MemoryReplay, ReplayStore, Restart};

use super::section::Section;

/// What else the section can say.
const SETTINGS: [&str; 10] = [
    "public_origins",
    "origin_from_request",
    "algorithms",
    "max_age_seconds",
    "max_lead_seconds",
    "nonces",
    "nonce_secret",
    "nonce_seconds",
    "replay",
    "replay_claims",
];

/// What is demanded of proofs.
#[derive(Debug)]
pub(super) struct DpopConfig {
    is_required: bool,
    /// Empty takes the origin of each request.
    origins: Vec<String>,
    algorithms: Option<Vec<Algorithm>>,
    age: Duration,
    lead: Duration,
    nonces: Option<DpopNonces>,
    pub(super) replay: Replay,
}

/// Where proofs that were used are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replay {
    /// [`Services::replay`](super::Services::replay).
    Service,
    /// In this process: so many of them.
    Memory(usize),
}

impl DpopConfig {
    /// Reads the section. `None` when no proofs are taken, or there is a fault. `resource` is the URL by
    /// which clients use the service.
    pub(super) fn read(mut section: Section<'_>, resource: Option<&str>) -> Option<Self> {
        let mode = section.text("mode");
        section.unless_set("mode", "off");
        let is_required = match mode.as_deref() {
            Some("accepted") => false,
            Some("required") => true,
            None | Some("off") => {
                let problem = "has no effect: no proofs are taken";
                section.refuse(&SETTINGS, problem, "write dpop.mode, or leave it out");
                section.finish();
                return None;
            }
            Some(_) => {
                let remedy = "write off, accepted or required";
                section.fault("mode", "is unknown", remedy);
                false
            }
        };
        let origins = origins(&mut section, resource);
        let algorithms = section.parsed_texts(
            "algorithms",
            |name| Algorithm::from_name(&name).ok_or(()),
            "algorithms, such as ES256 or EdDSA",
        );
        let age = section.seconds("max_age_seconds", 1..=300, 60);
        let lead = section.seconds("max_lead_seconds", 0..=60, 5);
        let nonces = nonces(&mut section);
        let replay = replay(&mut section);
        let config = || {
            Some(Self {
                is_required,
                origins: origins?,
                algorithms,
                age,
                lead,
                nonces: nonces.ok()?,
                replay,
            })
        };
        let config = config();
        // The library judges the rest. It remembers nothing for that.
        let problem = config
            .as_ref()
            .and_then(|config| config.policy(no_store()?).err());
        if let Some(error) = problem {
            let key = match error {
                DpopPolicyError::Algorithms => "algorithms",
                DpopPolicyError::NoOrigin
                | DpopPolicyError::Origin(_)
                | DpopPolicyError::ContradictoryOrigins
                | DpopPolicyError::TooManyOrigins => "public_origins",
                DpopPolicyError::Age
                | DpopPolicyError::Lead
                | DpopPolicyError::NonceStep
                | DpopPolicyError::NonceSecret
                | DpopPolicyError::Random
                | _ => "mode",
            };
            section.fault(key, error.to_string(), "correct the section");
        }
        section.finish();
        config
    }

    /// The policy, with this store.
    pub(super) fn policy(
        &self,
        store: Arc<dyn ReplayStore>,
    ) -> Result<DpopPolicy, DpopPolicyError> {
        let mut builder = DpopPolicy::builder(store)
            .max_age(self.age)
            .max_lead(self.lead);
        builder = if self.origins.is_empty() {
            builder.origin_from_request()
        } else {
            self.origins
                .iter()
                .fold(builder, |builder, origin| builder.public_origin(origin))
        };
        if let Some(algorithms) = &self.algorithms {
            builder = builder.algorithms(algorithms.iter().copied());
        }
        if let Some(nonces) = &self.nonces {
            builder = builder.nonces(nonces.clone());
        }
        if self.is_required {
            builder = builder.required();
        }
        builder.build()
    }
}

/// A store of this process. Proofs that may have been used before it started are refused.
pub(super) fn memory(
    claims: usize,
    started_at: Timestamp,
) -> Result<MemoryReplay, ringwall_replay::Error> {
    MemoryReplay::builder(Restart::Strict { started_at })
        .capacity(claims)
        .build()
}

/// Stands for a store while a policy is judged.
fn no_store() -> Option<Arc<dyn ReplayStore>> {
    let store = memory(1, Timestamp::UNIX_EPOCH).ok()?;
    Some(Arc::new(store))
}

/// What proofs are made for. `None` when there is a fault.
fn origins(section: &mut Section<'_>, resource: Option<&str>) -> Option<Vec<String>> {
    let has_origins = section.has("public_origins");
    let origins = section.texts("public_origins");
    let of_request = section.flag("origin_from_request", false);
    let problem = match (origins, of_request) {
        (Some(origins), false) if !origins.is_empty() => return Some(origins),
        (None, true) if !has_origins => return Some(Vec::new()),
        (None, false) if has_origins => return None,
        (None, false) => match resource.and_then(origin_of) {
            Some(origin) => {
                section.unless_set("public_origins", &origin);
                return Some(vec![origin]);
            }
            None => "is missing: proofs are made for a host, and whose it is was not said",
        },
        (Some(_), false) => "names none",
        (_, true) => "contradicts origin_from_request, by which any host would do",
    };
    let remedy =
        "write the origin by which clients use the service, such as https://api.example.com";
    section.fault("public_origins", problem, remedy);
    None
}

/// The scheme and the host of a URL.
fn origin_of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    Some(format!("{scheme}://{host}"))
}

/// The nonces, if proofs have to contain one.
fn nonces(section: &mut Section<'_>) -> Result<Option<DpopNonces>, ()> {
    let kind = section.text("nonces");
    section.unless_set("nonces", "none");
    if kind.as_deref() != Some("shared") {
        let remedy = "write nonces = \"shared\", or leave it out";
        section.refuse(&["nonce_secret"], "is for shared nonces", remedy);
    }
    let nonces = match kind.as_deref() {
        None | Some("none") => {
            let remedy = "write nonces = \"process\" or \"shared\", or leave it out";
            section.refuse(
                &["nonce_seconds"],
                "is for nonces, of which there are none",
                remedy,
            );
            return Ok(None);
        }
        Some("process") => DpopNonces::of_this_process(),
        Some("shared") => {
            let remedy = "name a secret of 32 random bytes that all processes of the service share";
            if !section.has("nonce_secret") {
                section.fault("nonce_secret", "is missing", remedy);
            }
            let secret = section.secret("nonce_secret").map(SecretString::into_bytes);
            let seconds = section.seconds("nonce_seconds", 10..=3600, 150);
            let nonces = DpopNonces::shared(&secret.ok_or(())?);
            return match nonces.and_then(|nonces| nonces.step(seconds)) {
                Ok(nonces) => Ok(Some(nonces)),
                Err(error) => {
                    section.fault("nonce_secret", error.to_string(), remedy);
                    Err(())
                }
            };
        }
        Some(_) => {
            section.fault("nonces", "is unknown", "write none, process or shared");
            section.number("nonce_seconds", 10..=3600, 150);
            return Err(());
        }
    };
    let seconds = section.seconds("nonce_seconds", 10..=3600, 150);
    match nonces.and_then(|nonces| nonces.step(seconds)) {
        Ok(nonces) => Ok(Some(nonces)),
        Err(error) => {
            section.fault("nonces", error.to_string(), "start again");
            Err(())
        }
    }
}

fn replay(section: &mut Section<'_>) -> Replay {
    let place = section.text("replay");
    section.unless_set("replay", "service");
    match place.as_deref() {
        Some("memory") => {
            let claims = section.number("replay_claims", 1..=67_108_864, 1_048_576);
            Replay::Memory(usize::try_from(claims).unwrap_or(usize::MAX))
        }
        other => {
            if !matches!(other, None | Some("service")) {
                section.fault("replay", "is unknown", "write service or memory");
            }
            let remedy = "write replay = \"memory\", or leave it out";
            section.refuse(&["replay_claims"], "is for proofs in memory", remedy);
            Replay::Service
        }
    }
}
