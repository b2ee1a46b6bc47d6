//! A configuration as a whole: what stands at its top, and what its sections mean together.

use ringwall_core::principal::{
    Authentication, AuthenticationMethod, Principal, PrincipalKind, Subject,
};
use ringwall_core::profile::Profile;

use super::api_keys::ApiKeysConfig;
use super::authorization::{self, AuthorizationConfig};
use super::dpop::{DpopConfig, Replay};
use super::effective::EffectiveConfig;
use super::fault::{ConfigFaults, Faults, SettingSource};
use super::front::Front;
use super::introspection::Introspection;
use super::modes::AuthenticationMode;
use super::rate_limits::RateLimitsConfig;
use super::rights::{self, Names};
use super::section::{Reader, Section, Several, Taken};
use super::sources::Written;
use super::token_place::TokenPlace;
use super::tokens::Tokens;
use super::tree::{Entry, Node, Table};
use super::{
    GateConfig, RevocationChoice, certificates, issuer_names, modes, organisation, resource,
};

/// Judges what was written. `own` sees it first.
pub(super) fn read<T>(
    written: Written,
    faults: Faults,
    own: impl FnOnce(&mut Section<'_>) -> Option<T>,
) -> Result<(GateConfig, T), ConfigFaults> {
    let Written {
        mut table,
        variables,
        old_names,
    } = written;
    let mut reader = Reader {
        faults,
        effective: EffectiveConfig::default(),
        variables,
        profile: Profile::Production,
    };
    write_out_resource(&mut table);
    let mut top = Section::top(table, &mut reader);
    let faults = top.faults();
    let own = own(&mut top);
    if own.is_none() && top.faults() == faults {
        let problem = "has settings of the service that cannot be used";
        top.fault("configuration", problem, "correct them");
    }
    let profile = top.parsed("profile", "production or development");
    top.unless_set("profile", "production");
    let profile = profile.unwrap_or_default();
    top.set_profile(profile);
    let is_named = top.has("realm");
    let realm = realm(&mut top);
    let modes = modes::read(&mut top);
    let checks_scopes = checks_scopes(&mut top);
    let revocations = revocations(&mut top);
    let tokens = top.taken_list("tokens");
    let has = |mode| modes.contains(&mode);
    if !has(AuthenticationMode::Jwt) {
        let problem = "is for tokens that we verify, and the mode jwt is not on";
        top.refuse(&["dpop"], problem, "add jwt to modes, or leave it out");
    }
    let dpop = top.taken("dpop");
    let introspection = top.taken("introspection");
    let api_keys = top.taken("api_keys");
    let certificates = top.taken("certificates");
    let unchecked = top.taken("unchecked");
    let front = top.taken("front");
    let resource = top.taken("resource");
    let names = top.taken("scopes");
    let role_scopes = top.taken("role_scopes");
    let organisations = top.taken("organisation");
    let rate_limits = top.taken("rate_limits");
    let authorization = top.taken("authorization");
    top.finish();

    let names = Names::read(Section::new("scopes", names, &mut reader));
    let role_scopes = rights::role_scopes(
        Section::new("role_scopes", role_scopes, &mut reader),
        &names,
    );
    let front = Front::read(Section::new("front", front, &mut reader));
    let is_asked = has(AuthenticationMode::Introspection);
    let (tokens, mut issuers) = if has(AuthenticationMode::Jwt) {
        let roles_grant =
            !role_scopes.is_empty() || authorization::believes_roles(authorization.as_ref());
        read_tokens(tokens, is_asked, &names, roles_grant, &mut reader)
    } else {
        (Vec::new(), Issuers::default())
    };
    let introspection = if is_asked {
        let section = Section::new("introspection", introspection, &mut reader);
        let introspection = Introspection::read(section, &names, !tokens.is_empty());
        issuers.add(introspection.as_ref(), &mut reader);
        introspection
    } else {
        None
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
    let dpop = dpop.and_then(|taken| {
        let section = Section::new("dpop", Some(taken), &mut reader);
        let resource = resource.as_ref().map(|resource| resource.resource());
        DpopConfig::read(section, resource)
    });
    let organisations = organisation::read(
        Section::new("organisation", organisations, &mut reader),
        &issuers,
    );
    // Without the section nothing is limited.
    let rate_limits = rate_limits.and_then(|taken| {
        let section = Section::new("rate_limits", Some(taken), &mut reader);
        RateLimitsConfig::read(section, &front, is_named.then_some(realm.as_str()))
    });
    let authorization = authorization.and_then(|taken| {
        let section = Section::new("authorization", Some(taken), &mut reader);
        AuthorizationConfig::read(section)
    });
    let faults = &mut reader.faults;
    check_headers(&tokens, introspection.as_ref(), api_keys.as_ref(), faults);
    check_proofs(&tokens, introspection.as_ref(), dpop.as_ref(), faults);
    issuer_names::check(
        &tokens,
        introspection.as_ref(),
        authorization.as_ref(),
        faults,
    );
    let role_scopes = match &authorization {
        Some(config) => role_scopes.with_credential_scopes(config.credential_scopes()),
        None => role_scopes,
    };
    let Some(own) = own else {
        return Err(reader.faults.into_error());
    };
    reader.faults.into_result()?;
    let mut config = GateConfig {
        profile,
        realm,
        modes,
        checks_scopes,
        revocations,
        tokens,
        dpop,
        introspection,
        api_keys,
        certificates,
        unchecked,
        front,
        resource,
        names,
        role_scopes,
        organisations,
        rate_limits,
        authorization,
        effective: reader.effective,
        old_names,
        notices: Vec::new(),
    };
    config.notices = notices(&config);
    Ok((config, own))
}

/// `resource = "URL"` is the section with nothing but its URL.
fn write_out_resource(table: &mut Table) {
    let Some(entry) = table.get("resource") else {
        return;
    };
    if !matches!(entry.node, Node::Text(_) | Node::Raw(_)) {
        return;
    }
    if let Some(entry) = table.remove("resource") {
        let source = entry.source.clone();
        let node = Node::Table(Table::from([("url".to_owned(), entry)]));
        table.insert("resource".to_owned(), Entry { node, source });
    }
}

/// What the gate will ask of it, said here together with everything else.
fn realm(top: &mut Section<'_>) -> String {
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

fn checks_scopes(top: &mut Section<'_>) -> bool {
    let checks_scopes = top.flag("check_scopes", true);
    if !checks_scopes && !top.profile().is_development() {
        let problem = "is false, which is for the development profile only";
        top.fault("check_scopes", problem, "leave it out");
    }
    checks_scopes
}

fn revocations(top: &mut Section<'_>) -> RevocationChoice {
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
pub(super) struct Issuers {
    pub(super) names: Vec<String>,
    /// Whether one of them could not be read, so that nobody can say of a name that it is not there.
    pub(super) is_partial: bool,
}

impl Issuers {
    /// Adds the one that is asked about tokens. `None` when it could not be read.
    fn add(&mut self, asked: Option<&Introspection>, reader: &mut Reader) {
        let Some(asked) = asked else {
            self.is_partial = true;
            return;
        };
        if self.names.contains(&asked.issuer) {
            let problem = "is named in tokens too, so that it would have two answers";
            let source = SettingSource::Unset;
            let remedy = "leave one of the two out";
            reader
                .faults
                .add("introspection.issuer", source, problem, remedy);
        }
        self.names.push(asked.issuer.clone());
    }
}

fn read_tokens(
    several: Several,
    is_one_of_several: bool,
    names: &Names,
    roles_grant: bool,
    reader: &mut Reader,
) -> (Vec<Tokens>, Issuers) {
    let read: Vec<Option<Tokens>> = match several {
        Several::List(list) if !list.is_empty() => (0_usize..)
            .zip(list)
            .map(|(number, taken): (usize, Taken)| {
                let section = Section::element("tokens", number, taken, reader);
                Tokens::read(section, names, roles_grant)
            })
            .collect(),
        Several::One(taken) => {
            let section = Section::new("tokens", Some(taken), reader);
            vec![Tokens::read(section, names, roles_grant)]
        }
        Several::None | Several::List(_) => {
            let section = Section::new("tokens", None, reader);
            vec![Tokens::read(section, names, roles_grant)]
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
        if (is_one_of_several || tokens.len() > 1) && one.names_any_org() {
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
fn read_unchecked(mut section: Section<'_>, names: &Names) -> Option<Principal> {
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
fn check_headers(
    tokens: &[Tokens],
    introspection: Option<&Introspection>,
    api_keys: Option<&ApiKeysConfig>,
    faults: &mut Faults,
) {
    let mut fault = |field: &str, source: SettingSource, problem: &str, remedy: &str| {
        faults.add(field, source, problem, remedy);
    };
    let other = "take another one for one of the two";
    let places = tokens.iter().map(|one| &one.place);
    let asked = introspection.map(|one| &one.place);
    if let Some(config) = api_keys {
        let header = config.header.to_ascii_lowercase();
        if places
            .clone()
            .chain(asked)
            .any(|place| place.header == header)
        {
            let problem = "is a field in which tokens come too";
            fault("api_keys.header", SettingSource::Unset, problem, other);
        }
    }
    if let Some(asked) = asked {
        let mut same = places.clone().filter(|place| place.header == asked.header);
        // By another scheme they can be told apart, if both have one.
        let is_same = |place: &TokenPlace| {
            place.scheme.is_none() || asked.scheme.is_none() || place.scheme == asked.scheme
        };
        if same.any(is_same) {
            let problem = "is where tokens come that we verify ourselves";
            fault("introspection.header", SettingSource::Unset, problem, other);
        }
    }
    for (number, one) in tokens.iter().enumerate() {
        let others = tokens.iter().take(number);
        let differs = others.map(|other| &other.place).any(|place| {
            place.header == one.place.header && place.scheme.is_none() != one.place.scheme.is_none()
        });
        if differs {
            let problem = "is a field in which tokens come with a scheme and without";
            let field = format!("{}.bearer_prefix", one.name);
            let remedy = "write it alike for all issuers";
            fault(&field, one.source.clone(), problem, remedy);
        }
    }
}

/// Tokens under the scheme DPoP come in one field, and belong to one authenticator.
fn check_proofs(
    tokens: &[Tokens],
    introspection: Option<&Introspection>,
    dpop: Option<&DpopConfig>,
    faults: &mut Faults,
) {
    if dpop.is_none() {
        return;
    }
    let mut fault = |problem: &str, remedy: &str| {
        faults.add("dpop.mode", SettingSource::Unset, problem, remedy);
    };
    let places = tokens.iter().map(|one| &one.place);
    if places
        .clone()
        .skip(1)
        .any(|place| Some(place) != places.clone().next())
    {
        let problem = "is for tokens in one place, and they come in several";
        let remedy = "write tokens.header and tokens.bearer_prefix alike for all issuers";
        fault(problem, remedy);
    }
    let asked = introspection.map(|one| &one.place);
    if places
        .chain(asked)
        .any(|place| place.scheme.as_deref() == Some("dpop"))
    {
        let problem = "takes what comes under the scheme DPoP, and bearer_prefix names it too";
        fault(problem, "leave bearer_prefix out");
    }
}

/// What an operator should know of what was loosened.
fn notices(config: &GateConfig) -> Vec<String> {
    let mut notices: Vec<String> = config.old_names.iter().map(ToString::to_string).collect();
    let has_tokens = !config.tokens.is_empty() || config.introspection.is_some();
    if has_tokens && config.revocations == RevocationChoice::None {
        notices.push("tokens cannot be taken back before they end (revocations)".to_owned());
    }
    if let Some(setting) = config
        .api_keys
        .as_ref()
        .and_then(|keys| keys.trusts_table_by)
    {
        let notice = format!("whoever can write the table of API keys can add one ({setting})");
        notices.push(notice);
    }
    if matches!(&config.dpop, Some(dpop) if matches!(dpop.replay, Replay::Memory(_))) {
        let notice = "a proof is good once in each process of the service (dpop.replay)";
        notices.push(notice.to_owned());
    }
    if let Some(limits) = &config.rate_limits {
        notices.extend(limits.notices());
    }
    notices.extend(issuer_names::notice(
        &config.tokens,
        config.introspection.as_ref(),
        config.authorization.as_ref(),
    ));
    notices
}
