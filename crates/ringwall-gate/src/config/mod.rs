#![doc = include_str!("guide.md")]

mod api_keys;
mod assemble;
mod authorization;
mod certificates;
mod claim_names;
mod dpop;
mod effective;
mod environment;
mod fault;
mod file;
mod front;
mod introspection;
mod issuer_names;
mod judge;
mod key_guard;
mod limit_faults;
mod limit_place;
mod modes;
mod old_names;
mod organisation;
mod provider;
mod rate_limits;
mod remote_keys;
mod resource;
mod rights;
mod secret;
mod section;
mod services;
mod settings;
mod sources;
mod token_place;
mod tokens;
mod tree;

use core::fmt;

use core::time::Duration;
use std::sync::Arc;

use ringwall_authn::api_key::ApiKeyStore;
use ringwall_authn::{ApiKeysBuilder, CertificateAuthenticatorBuilder, ProtectedResource};
use ringwall_core::principal::{Principal, Scope};
use ringwall_core::profile::Profile;
use ringwall_rate_limit::LimitRules;

pub use effective::EffectiveConfig;
pub use fault::{ConfigFault, ConfigFaults, SettingSource};
pub use modes::AuthenticationMode;
pub use old_names::{OLD_NAMES, OldName, OldNameUse};
pub use section::Section as SettingsSection;
pub use services::{AssembledGate, KeyUpkeep, Services};
pub use settings::{SETTINGS, Setting};
pub use sources::{ConfigSources, MAX_CONFIG_BYTES};

use crate::organisation::OrganisationRules;
use crate::role_scopes::RoleScopes;
use api_keys::ApiKeysConfig;
use authorization::AuthorizationConfig;
use dpop::DpopConfig;
use front::Front;
use introspection::Introspection;
use rate_limits::RateLimitsConfig;
use rights::Names;
use tokens::Tokens;

/// A configuration that was read and judged: nothing in it is missing or wrong.
pub struct GateConfig {
    profile: Profile,
    realm: String,
    modes: Vec<AuthenticationMode>,
    checks_scopes: bool,
    revocations: RevocationChoice,
    tokens: Vec<Tokens>,
    dpop: Option<DpopConfig>,
    introspection: Option<Introspection>,
    api_keys: Option<ApiKeysConfig>,
    certificates: Option<CertificateAuthenticatorBuilder>,
    unchecked: Option<Principal>,
    front: Front,
    resource: Option<ProtectedResource>,
    names: Names,
    role_scopes: RoleScopes,
    organisations: OrganisationRules,
    rate_limits: Option<RateLimitsConfig>,
    authorization: Option<AuthorizationConfig>,
    effective: EffectiveConfig,
    old_names: Vec<OldNameUse>,
    notices: Vec<String>,
}

/// The times of all issuers' tokens together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenTimes {
    /// The largest clock skew that is accepted.
    pub clock_skew: Duration,
    /// The longest life of a token that is accepted.
    pub longest_life: Duration,
}

/// Who knows which tokens were taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RevocationChoice {
    /// [`Services::revocations`].
    Service,
    /// Nobody: tokens are short-lived.
    None,
}

impl GateConfig {
    /// Reads and judges a configuration, and the files and variables that it names.
    ///
    /// # Errors
    ///
    /// [`ConfigFaults`]: everything that is missing or wrong, at once. What stands in a file that is no
    /// TOML is not judged.
    pub fn load(sources: ConfigSources) -> Result<Self, ConfigFaults> {
        Self::load_with(sources, |_| Some(())).map(|(config, ())| config)
    }

    /// As [`load`](Self::load), with settings of the service's own in the same file, under the same prefix and
    /// with the same faults: `own` takes them out of the top of the configuration before the gate reads it,
    /// and may say what the service defaults to. It is called once, unless nothing could be read at all, and
    /// answers `None` when something is wrong, for which it noted a fault.
    ///
    /// ```
    /// use ringwall_gate::config::{ConfigSources, GateConfig};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sources = ConfigSources::new().text("cases.toml", "profile = \"development\"\nmodes = [\"none\"]\n");
    /// let (gate, workers) = GateConfig::load_with(sources, |own| {
    ///     own.default_to("realm", "cases");
    ///     Some(own.within("limits", |limits| limits.number("workers", 1..=64, 4)))
    /// })?;
    /// # assert_eq!((gate.realm(), workers), ("cases", 4));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load); faults of `own` are among them, and then its answer is dropped.
    pub fn load_with<T>(
        sources: ConfigSources,
        own: impl FnOnce(&mut SettingsSection<'_>) -> Option<T>,
    ) -> Result<(Self, T), ConfigFaults> {
        let (written, faults) = sources.read()?;
        judge::read(written, faults, own)
    }

    /// Puts the configuration and what the service gives together. Files of keys are opened, and the
    /// fetching of remote keys begins, for which it is called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`ConfigFaults`]: a mode needs what the service did not give, or a file of keys changed since it
    /// was judged.
    pub fn into_builder(self, services: Services) -> Result<AssembledGate, ConfigFaults> {
        assemble::assemble(self, services)
    }

    /// Whether the gate guards something real.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// The name that challenges show.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// By what callers are authenticated: one way at least, each once.
    #[must_use]
    pub fn modes(&self) -> &[AuthenticationMode] {
        &self.modes
    }

    /// The scope that the section `scopes` has under this name, for the
    /// [`Access`](crate::Access) of a route. `None` when it has none: the route is then not to be
    /// registered, or to be left to nobody.
    #[must_use]
    pub fn scope(&self, name: &str) -> Option<&Scope> {
        self.names.get(name)
    }

    /// The issuers whose tokens are accepted, those that are asked about tokens too.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        let asked = self.introspection.iter().map(|one| one.issuer.as_str());
        let tokens = self.tokens.iter().map(|one| one.issuer.as_str());
        tokens.chain(asked)
    }

    /// How long a token can be accepted after now, at most, and how far ahead of ours the clock of its issuer
    /// may be: for how long a revocation has to be remembered. `None` without tokens that we verify.
    #[must_use]
    pub fn token_times(&self) -> Option<TokenTimes> {
        let times = self.tokens.iter().map(Tokens::times);
        times
            .reduce(|(skew, life), (other_skew, other_life)| {
                (skew.max(other_skew), life.max(other_life))
            })
            .map(|(clock_skew, longest_life)| TokenTimes {
                clock_skew,
                longest_life,
            })
    }

    /// The API keys of the service in `store`, for whoever makes keys beside it: with the same peppers,
    /// prefix, scopes and longest life, so that the service accepts what is made. `None` without the mode
    /// `api_key`.
    #[must_use]
    pub fn into_api_keys(self, store: Arc<dyn ApiKeyStore>) -> Option<ApiKeysBuilder> {
        self.api_keys.map(|config| config.into_builder(store))
    }

    /// What is limited by what: for the store that counts it, where it is not this process
    /// ([`Services::limit_store`]), and for whoever changes quotas. `None` without the section `rate_limits`.
    #[must_use]
    pub fn limit_rules(&self) -> Option<&LimitRules> {
        self.rate_limits.as_ref().map(|limits| &limits.rules)
    }

    /// What the configuration comes to, secrets redacted.
    #[must_use]
    pub const fn effective(&self) -> &EffectiveConfig {
        &self.effective
    }

    /// The variables of old names that are set, with and without a counterpart.
    #[must_use]
    pub fn old_names(&self) -> &[OldNameUse] {
        &self.old_names
    }

    /// What an operator should know, for the log of a start: old names that are in use, and what was
    /// loosened that the gate itself does not know of. [`into_builder`](Self::into_builder) logs them at
    /// WARN.
    #[must_use]
    pub fn notices(&self) -> &[String] {
        &self.notices
    }
}

impl fmt::Debug for GateConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateConfig")
            .field("profile", &self.profile)
            .field("realm", &self.realm)
            .field("modes", &self.modes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
