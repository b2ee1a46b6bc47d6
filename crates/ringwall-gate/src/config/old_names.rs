//! Names from before this configuration.

use std::sync::Arc;

use super::environment::{NotUtf8, Variables};
use super::fault::{Faults, SettingSource};
use super::tree::{self, Entry, Node, Table};

/// An environment variable of an older service, and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldName {
    name: &'static str,
    becomes: Becomes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Becomes {
    /// A setting, whose value is written in this form.
    Setting(&'static str, Form),
    Nothing(&'static str),
}

/// How an old value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As the setting is.
    Same,
    /// Words between spaces or commas.
    Words,
    /// A number with a unit, such as `24h`.
    Duration,
}

impl OldName {
    /// The variable.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The setting that took its place. `None` when it has no counterpart.
    #[must_use]
    pub const fn setting(&self) -> Option<&'static str> {
        match self.becomes {
            Becomes::Setting(setting, _) => Some(setting),
            Becomes::Nothing(_) => None,
        }
    }

    /// Why it has no counterpart. `None` when it has one.
    #[must_use]
    pub const fn because(&self) -> Option<&'static str> {
        match self.becomes {
            Becomes::Setting(..) => None,
            Becomes::Nothing(because) => Some(because),
        }
    }
}

const fn setting(name: &'static str, setting: &'static str) -> OldName {
    OldName {
        name,
        becomes: Becomes::Setting(setting, Form::Same),
    }
}

const fn words(name: &'static str, setting: &'static str) -> OldName {
    OldName {
        name,
        becomes: Becomes::Setting(setting, Form::Words),
    }
}

const fn nothing(name: &'static str, because: &'static str) -> OldName {
    OldName {
        name,
        becomes: Becomes::Nothing(because),
    }
}

const ONE_ENVIRONMENT: &str = "each environment has its own JWT_SECRET, and one process knows one";

/// The names that [`ConfigSources::old_names`](crate::config::ConfigSources::old_names) reads.
pub const OLD_NAMES: &[OldName] = &[
    words("TGEFD_AUTH_MODE", "modes"),
    setting("TGEFD_JWT_SECRET", "tokens.hmac_secret"),
    setting("TGEFD_JWT_HEADER", "tokens.header"),
    setting("TGEFD_JWT_BEARER_PREFIX", "tokens.bearer_prefix"),
    setting("TGEFD_JWT_ISSUER", "tokens.issuer"),
    setting("TGEFD_JWT_AUDIENCE", "tokens.audience"),
    setting("TGEFD_JWT_SUB_CLAIM", "tokens.subject_claim"),
    setting("TGEFD_JWT_CLOCK_SKEW_SEC", "tokens.clock_skew_seconds"),
    words("TGEFD_JWT_ALLOWED_ALGS", "tokens.algorithms"),
    words("TGEFD_JWT_SCOPES_CLAIM", "tokens.scopes_claims"),
    words("TGEFD_ROLE_CLAIM", "tokens.roles_claims"),
    words("TGEFD_ROLES_CLAIM", "tokens.roles_claims"),
    setting("TGEFD_JWKS_URL", "tokens.jwks_url"),
    setting("TGEFD_JWKS_TTL_SEC", "tokens.jwks_ttl_seconds"),
    setting("TGEFD_JWKS_TIMEOUT_SEC", "tokens.jwks_timeout_seconds"),
    setting("TGEFD_JWKS_MAX_ATTEMPTS", "tokens.jwks_max_attempts"),
    setting("TGEFD_JWKS_BACKOFF_SEC", "tokens.jwks_backoff_seconds"),
    setting(
        "TGEFD_JWKS_MAX_BACKOFF_SEC",
        "tokens.jwks_max_backoff_seconds",
    ),
    setting("TGEFD_MTLS_IDENTITY_HEADER", "certificates.header"),
    setting("TGEFD_MTLS_SCOPES_HEADER", "certificates.scopes_header"),
    setting("TGEFD_MTLS_ROLE_HEADER", "certificates.roles_header"),
    setting("TGEFD_RBAC_ENABLED", "check_scopes"),
    words("TGEFD_API_KEY_SCOPES", "api_keys.static.scopes"),
    setting("TGEFD_SCOPE_DISCOVER", "scopes.discover"),
    setting("TGEFD_SCOPE_EVALUATE", "scopes.evaluate"),
    setting("TGEFD_SCOPE_METRICS", "scopes.metrics"),
    setting("TGEFD_SCOPE_JOBS", "scopes.jobs"),
    words("TGEFD_ROLE_ADMIN_SCOPES", "role_scopes.admin"),
    words("TGEFD_ROLE_ANALYST_SCOPES", "role_scopes.analyst"),
    words("TGEFD_ROLE_READER_SCOPES", "role_scopes.reader"),
    setting("TGEFD_IDENTITY_HEADER", "rate_limits.identity_header"),
    setting(
        "TGEFD_HEAVY_RATE_LIMIT_PER_MINUTE",
        "rate_limits.limits.heavy.count",
    ),
    setting("TGEFD_HEAVY_BURST_LIMIT", "rate_limits.limits.heavy.burst"),
    setting("IDENTITY_HEADER", "rate_limits.identity_header"),
    setting(
        "HEAVY_RATE_LIMIT_PER_MINUTE",
        "rate_limits.limits.heavy.count",
    ),
    setting("HEAVY_BURST_LIMIT", "rate_limits.limits.heavy.burst"),
    setting("JWT_SECRET", "tokens.hmac_secret"),
    OldName {
        name: "JWT_EXPIRES_IN",
        becomes: Becomes::Setting("tokens.max_lifetime_seconds", Form::Duration),
    },
    nothing("JWT_SECRET_DEV", ONE_ENVIRONMENT),
    nothing("JWT_SECRET_STAGING", ONE_ENVIRONMENT),
    nothing("JWT_SECRET_PROD", ONE_ENVIRONMENT),
    setting("API_KEYS", "api_keys.static.keys"),
    nothing(
        "NODE_ENV",
        "the profile is said by its own name, and is production otherwise: RINGWALL__PROFILE",
    ),
    nothing(
        "CORS_ORIGIN",
        "which pages may read answers is the CORS policy's: see ringwall-browser",
    ),
];

/// A variable of an old name that was set, for the log of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldNameUse(OldName);

impl OldNameUse {
    /// The name, and what became of it.
    #[must_use]
    pub const fn old_name(&self) -> &OldName {
        &self.0
    }
}

impl core::fmt::Display for OldNameUse {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let name = self.0.name;
        match self.0.becomes {
            Becomes::Setting(setting, _) => write!(f, "{name} is an old name of {setting}"),
            Becomes::Nothing(because) => write!(f, "{name} has no effect: {because}"),
        }
    }
}

/// Puts what old names say into `table`, where nothing says otherwise.
pub(super) fn apply(
    table: &mut Table,
    variables: &Variables,
    faults: &mut Faults,
) -> Vec<OldNameUse> {
    let mut used = Vec::new();
    for old in OLD_NAMES {
        let Some(value) = variables.get(old.name) else {
            continue;
        };
        used.push(OldNameUse(*old));
        let Becomes::Setting(setting, form) = old.becomes else {
            continue;
        };
        let name = Arc::from(old.name);
        let source = SettingSource::OldName { name };
        let node = match value {
            Ok(text) => match form.convert(text) {
                Some(text) => Node::Raw(text),
                None => {
                    let remedy = "write it as before, such as 24h, or use the new name";
                    faults.add(setting, source, "cannot be understood", remedy);
                    continue;
                }
            },
            Err(NotUtf8) => {
                faults.add(setting, source, "is not UTF-8", "write it as text");
                continue;
            }
        };
        let path: Vec<&str> = setting.split('.').collect();
        if let Some(there) = tree::find(table, &path) {
            let is_same = there
                .node
                .words()
                .is_some_and(|there| node.words() == Some(there));
            if !is_same {
                let problem = format!("is set to something else by {}", there.source);
                faults.add(setting, source, problem, "leave one of the two out");
            }
            continue;
        }
        let path: Vec<String> = path.into_iter().map(str::to_owned).collect();
        let entry = Entry {
            node,
            source: source.clone(),
        };
        if let Err(problem) = tree::put(table, &path, entry) {
            faults.add(setting, source, problem, "use the new name");
        }
    }
    used
}

impl Form {
    /// As the setting is written.
    fn convert(self, text: String) -> Option<String> {
        match self {
            Self::Same => Some(text),
            Self::Words => {
                let words = text.split(|c: char| c == ',' || c.is_whitespace());
                let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
                Some(words.join(","))
            }
            Self::Duration => seconds(text.trim()).map(|seconds| seconds.to_string()),
        }
    }
}

/// `90`, `90s`, `15m`, `24h`, `7d`: a number alone is of seconds.
fn seconds(text: &str) -> Option<u64> {
    let (digits, unit) = match text.char_indices().next_back()? {
        (_, last) if last.is_ascii_digit() => (text, 1),
        (at, 's') => (text.get(..at)?, 1),
        (at, 'm') => (text.get(..at)?, 60),
        (at, 'h') => (text.get(..at)?, 3600),
        (at, 'd') => (text.get(..at)?, 86_400),
        _ => return None,
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_durations_are_seconds() {
        for (text, wanted) in [
            ("24h", Some(86_400)),
            ("15m", Some(900)),
            ("7d", Some(604_800)),
            ("3600", Some(3600)),
            ("60s", Some(60)),
            ("", None),
            ("h", None),
            ("1.5h", None),
            ("-1h", None),
            ("1w", None),
            ("1 day", None),
            ("99999999999999999999h", None),
            ("18446744073709551615d", None),
        ] {
            assert_eq!(seconds(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn each_name_is_there_once() {
        let mut names: Vec<_> = OLD_NAMES.iter().map(OldName::name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
