//! By what callers are authenticated.

use core::fmt;

use super::section::Section;
use super::tree::Table;

/// One way to authenticate. Several may stand side by side; a request that presents two credentials is
/// refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuthenticationMode {
    /// By an API key in a header field: the section `api_keys`.
    ApiKey,
    /// By a signed token: the section `tokens`.
    Jwt,
    /// By a client certificate: the section `certificates`.
    Mtls,
    /// By a token that only its issuer can read: the section `introspection` (RFC 7662).
    Introspection,
    /// By nothing. Alone, and in the development profile only: the section `unchecked`.
    None,
}

impl AuthenticationMode {
    const ALL: [Self; 5] = [
        Self::ApiKey,
        Self::Jwt,
        Self::Mtls,
        Self::Introspection,
        Self::None,
    ];

    /// The name in a configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::Jwt => "jwt",
            Self::Mtls => "mtls",
            Self::Introspection => "introspection",
            Self::None => "none",
        }
    }

    /// The section of its settings.
    const fn section(self) -> &'static str {
        match self {
            Self::ApiKey => "api_keys",
            Self::Jwt => "tokens",
            Self::Mtls => "certificates",
            Self::Introspection => "introspection",
            Self::None => "unchecked",
        }
    }
}

impl fmt::Display for AuthenticationMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether what stands in the section of this name would be read: it is of no mode, or of one that is on.
pub(super) fn has_effect(top: &Table, section: &str) -> bool {
    let mut modes = AuthenticationMode::ALL.into_iter();
    let Some(mode) = modes.find(|mode| mode.section() == section) else {
        return true;
    };
    is_on(top, mode)
}

/// Whether `modes` names it, wherever that stands.
pub(super) fn is_on(top: &Table, mode: AuthenticationMode) -> bool {
    let words = top.get("modes").and_then(|entry| entry.node.words());
    words.is_some_and(|words| words.iter().any(|word| word == mode.as_str()))
}

/// Takes the modes, each once, and refuses the sections of the others.
pub(super) fn read(top: &mut Section<'_>) -> Vec<AuthenticationMode> {
    const REMEDY: &str = "name api_key, jwt, mtls or introspection, or several";
    let known = |name: String| {
        let modes = AuthenticationMode::ALL.into_iter();
        modes
            .into_iter()
            .find(|mode| mode.as_str() == name)
            .ok_or(())
    };
    if !top.has("modes") {
        top.fault(
            "modes",
            "is missing: nobody said how callers are authenticated",
            REMEDY,
        );
        return Vec::new();
    }
    let Some(mut modes) = top.parsed_texts(
        "modes",
        known,
        "modes: api_key, jwt, mtls, introspection or none",
    ) else {
        return Vec::new();
    };
    modes.sort_unstable();
    modes.dedup();
    if modes.is_empty() {
        top.fault("modes", "names no way to authenticate", REMEDY);
        return modes;
    }
    if modes.contains(&AuthenticationMode::None) {
        if modes.len() > 1 {
            let problem = "names none beside others, which would make the others worthless";
            top.fault("modes", problem, "leave none out, or the others");
        }
        if !top.profile().is_development() {
            let problem = "is none, which is for the development profile only";
            top.fault("modes", problem, REMEDY);
        }
    }
    for mode in AuthenticationMode::ALL {
        if !modes.contains(&mode) {
            let problem = format!("has no effect without the mode {mode}");
            let remedy = format!("add {mode} to modes, or leave the section out");
            top.refuse(&[mode.section()], &problem, &remedy);
        }
    }
    modes
}
