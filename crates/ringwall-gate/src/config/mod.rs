#![doc = include_str!("guide.md")]

mod api_keys;
mod certificates;
mod effective;
mod environment;
mod fault;
mod file;
mod front;
mod modes;
mod old_names;
mod organisation;
mod provider;
mod remote_keys;
mod resource;
mod rights;
mod secret;
mod section;
mod services;
mod settings;
mod sources;
mod tokens;
mod tree;

use core::fmt;

use ringwall_authn::{CertificateAuthenticatorBuilder, ProtectedResource};
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, Principal, PrincipalKind, Scope, Subject,
};
use ringwall_core::profile::Profile;

pub use effective::EffectiveConfig;
pub use fault::{ConfigFault, ConfigFaults, SettingSource};
pub use modes::AuthenticationMode;
pub use old_names::{OLD_NAMES, OldName, OldNameUse};
pub use services::{AssembledGate, KeyUpkeep, Services};
pub use settings::{SETTINGS, Setting};
pub use sources::{ConfigSources, MAX_CONFIG_BYTES};

use crate::organisation::OrganisationRules;
use crate::role_scopes::RoleScopes;
use api_keys::ApiKeysConfig;
use fault::Faults;
use front::Front;
use rights::Names;
use section::{Reader, Section, Several, Taken};
use sources::Written;
use tokens::Tokens;

/// A configuration that was read and judged: nothing in it is missing or wrong.
pub struct GateConfig {
    profile: Profile,
    realm: String,
    modes: Vec<AuthenticationMode>,
    checks_scopes: bool,
    revocations: RevocationChoice,
    tokens: Vec<Tokens>,
    api_keys: Option<ApiKeysConfig>,
    certificates: Option<CertificateAuthenticatorBuilder>,
    unchecked: Option<Principal>,
    front: Front,
    resource: Option<ProtectedResource>,
    names: Names,
    role_scopes: RoleScopes,
    organisations: OrganisationRules,
    effective: EffectiveConfig,
    old_names: Vec<OldNameUse>,
    notices: Vec<String>,
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
        let (written, faults) = sources.read()?;
        Self::read(written, faults)
    }

    fn read(written: Written, faults: Faults) -> Result<Self, ConfigFaults> {
        let Written {
            table,
            variables,
            old_names,
        } = written;
        let mut reader = Reader {
            faults,
            effective: EffectiveConfig::default(),
            variables: &variables,
            profile: Profile::Production,
        };
        let mut top = Section::top(table, &mut reader);
        let profile = top.parsed("profile", "production or development");
        top.unless_set("profile", "production");
        let profile = profile.unwrap_or_default();
        top.set_profile(profile);
        let realm = realm(&mut top);
        let modes = modes::read(&mut top);
        let checks_scopes = checks_scopes(&mut top);
        let revocations = revocations(&mut top);
        let tokens = top.taken_list("tokens");
        let api_keys = top.taken("api_keys");
        let certificates = top.taken("certificates");
        let unchecked = top.taken("unchecked");
        let front = top.taken("front");
        let resource = top.taken_or_text("resource", "url");
        let names = top.taken("scopes");
        let role_scopes = top.taken("role_scopes");
        let organisations = top.taken("organisation");
        top.finish();

        let has = |mode| modes.contains(&mode);
        let names = Names::read(Section::new("scopes", names, &mut reader));
        let role_scopes = rights::role_scopes(
            Section::new("role_scopes", role_scopes, &mut reader),
            &names,
        );
        let front = Front::read(Section::new("front", front, &mut reader));
        let (tokens, issuers) = if has(AuthenticationMode::Jwt) {
            read_tokens(tokens, &mut reader)
        } else {
            (Vec::new(), Issuers::default())
        };
        let api_keys = if has(AuthenticationMode::ApiKey) {
            let section = Section::new("api_keys", api_keys, &mut reader);
            ApiKeysConfig::read(section, &names)
        } else {
            None
        };
        let certificates = if has(AuthenticationMode::Mtls) {
            let section = Section::new("certificates", certificates, &mut reader);
            certificates::read(section, &front, &names)
        } else {
            None
        };
        let unchecked = if has(AuthenticationMode::None) {
            read_unchecked(Section::new("unchecked", unchecked, &mut reader), &names)
        } else {
            None
        };
        let resource = resource.and_then(|taken| {
            let section = Section::new("resource", Some(taken), &mut reader);
            resource::read(section, &issuers, &realm, &names)
        });
        let organisations = organisation::read(
            Section::new("organisation", organisations, &mut reader),
            &issuers,
        );
        check_headers(&tokens, api_keys.as_ref(), &mut reader.faults);
        reader.faults.into_result()?;
        let is_peppered = api_keys.as_ref().is_none_or(ApiKeysConfig::is_peppered);
        let notices = notices(
            &old_names,
            !tokens.is_empty() && revocations == RevocationChoice::None,
            !is_peppered,
        );
        Ok(Self {
            profile,
            realm,
            modes,
            checks_scopes,
            revocations,
            tokens,
            api_keys,
            certificates,
            unchecked,
            front,
            resource,
            names,
            role_scopes,
            organisations,
            effective: reader.effective,
            old_names,
            notices,
        })
    }

    /// Puts the configuration and what the service gives together. Files of keys are opened, and the
    /// fetching of remote keys begins, for which it is called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`ConfigFaults`]: a mode needs what the service did not give, or a file of keys changed since it
    /// was judged.
    pub fn into_builder(self, services: Services) -> Result<AssembledGate, ConfigFaults> {
        services::assemble(self, services)
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

/// What the gate will ask of it, said here together with everything else.
fn realm(top: &mut Section<'_, '_>) -> String {
    let realm = top.text("realm");
    top.unless_set("realm", "api");
    let realm = realm.unwrap_or_else(|| "api".to_owned());
    let is_plain = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
    if realm.is_empty() || realm.len() > 128 || !realm.chars().all(is_plain) {
        top.fault(
            "realm",
            "is empty, longer than 128 characters, or not plain ASCII without quotes",
            "take a short name, such as cases",
        );
    }
    realm
}

fn checks_scopes(top: &mut Section<'_, '_>) -> bool {
    let checks_scopes = top.flag("check_scopes", true);
    if !checks_scopes && !top.profile().is_development() {
        let problem = "is false, which is for the development profile only";
        top.fault("check_scopes", problem, "leave it out");
    }
    checks_scopes
}

fn revocations(top: &mut Section<'_, '_>) -> RevocationChoice {
    let text = top.text("revocations");
    top.unless_set("revocations", "service");
    match text.as_deref() {
        None | Some("service") => RevocationChoice::Service,
        Some("none") => RevocationChoice::None,
        Some(_) => {
            top.fault("revocations", "is unknown", "write service or none");
            RevocationChoice::Service
        }
    }
}

/// The issuers whose tokens are accepted, for those who name them again.
#[derive(Debug, Default)]
struct Issuers {
    names: Vec<String>,
    /// Whether one of them could not be read, so that nobody can say of a name that it is not there.
    is_partial: bool,
}

fn read_tokens(several: Several, reader: &mut Reader<'_>) -> (Vec<Tokens>, Issuers) {
    let read: Vec<Option<Tokens>> = match several {
        Several::List(list) if !list.is_empty() => (0_usize..)
            .zip(list)
            .map(|(number, taken): (usize, Taken)| {
                Tokens::read(Section::element("tokens", number, taken, reader))
            })
            .collect(),
        Several::One(taken) => vec![Tokens::read(Section::new("tokens", Some(taken), reader))],
        Several::None | Several::List(_) => {
            vec![Tokens::read(Section::new("tokens", None, reader))]
        }
    };
    let is_partial = read.iter().any(Option::is_none);
    let tokens: Vec<Tokens> = read.into_iter().flatten().collect();
    let mut seen = std::collections::HashSet::new();
    for one in &tokens {
        let mut fault = |key: &str, problem: &str, remedy: &str| {
            let field = format!("{}.{key}", one.name);
            reader
                .faults
                .add(&field, one.source.clone(), problem, remedy);
        };
        if !seen.insert(one.issuer.as_str()) {
            fault("issuer", "is named twice", "leave one of the two out");
        }
        if tokens.len() > 1 && one.names_any_org() {
            let problem =
                "is missing: with several issuers, this one could speak for any organisation";
            let remedy =
                "write the organisation of its tokens, or any_org = true where it may name all";
            fault("org", problem, remedy);
        }
    }
    let names = tokens.iter().map(|one| one.issuer.clone()).collect();
    (tokens, Issuers { names, is_partial })
}

/// The caller of a machine on which nobody is authenticated.
fn read_unchecked(mut section: Section<'_, '_>, names: &Names) -> Option<Principal> {
    let subject = section.text("subject");
    section.unless_set("subject", "developer");
    let subject = Subject::new(subject.as_deref().unwrap_or("developer"));
    if let Err(error) = &subject {
        section.fault(
            "subject",
            error.to_string(),
            "write a name such as developer",
        );
    }
    let tenant = rights::tenant(&mut section);
    let roles = rights::roles(&mut section);
    let scopes = rights::scopes(&mut section, "scopes", names);
    section.finish();
    let authentication = Authentication::new(AuthenticationMethod::Unchecked);
    let mut principal = Principal::new(PrincipalKind::User, subject.ok()?, authentication);
    principal.tenant = tenant;
    principal.roles = roles;
    principal.scopes = scopes;
    Some(principal)
}

/// One field is one kind of credential, or every request would present two.
fn check_headers(tokens: &[Tokens], api_keys: Option<&ApiKeysConfig>, faults: &mut Faults) {
    let clashes = |header: &str| tokens.iter().any(|one| one.place.header == header);
    if let Some(config) = api_keys
        && clashes(&config.header.to_ascii_lowercase())
    {
        let problem = "is a field in which tokens come too";
        let source = SettingSource::Unset;
        faults.add(
            "api_keys.header",
            source,
            problem,
            "take another one for one of the two",
        );
    }
    for (number, one) in tokens.iter().enumerate() {
        let others = tokens.iter().take(number);
        let differs = others.map(|other| &other.place).any(|place| {
            place.header == one.place.header && place.scheme.is_none() != one.place.scheme.is_none()
        });
        if differs {
            let problem = "is a field in which tokens come with a scheme and without";
            let field = format!("{}.bearer_prefix", one.name);
            faults.add(
                &field,
                one.source.clone(),
                problem,
                "write it alike for all issuers",
            );
        }
    }
}

fn notices(old_names: &[OldNameUse], has_no_revocations: bool, has_no_pepper: bool) -> Vec<String> {
    let mut notices: Vec<String> = old_names.iter().map(ToString::to_string).collect();
    if has_no_revocations {
        notices.push("tokens cannot be taken back before they end (revocations)".to_owned());
    }
    if has_no_pepper {
        let notice = "whoever can write the table of API keys can add one (api_keys.hash)";
        notices.push(notice.to_owned());
    }
    notices
}

#[cfg(test)]
mod tests;
