//! API keys: how they are read, and how their secrets are stored.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use ringwall_authn::api_key::{ApiKeyStore, PepperId};
use ringwall_authn::{
    ApiKeyAuthenticator, ApiKeyPrefix, ApiKeys, ApiKeysBuilder, MemoryApiKeys, SecretHasher,
};
use ringwall_core::principal::{Scope, Tenant};
use ringwall_core::secret::SecretString;

use super::rights::{self, Names};
use super::section::Section;
use super::token_place::is_free;

/// The most static keys: a development machine has a few.
const MAX_STATIC_KEYS: usize = 64;

/// What is said of API keys.
pub(super) struct ApiKeysConfig {
    pub(super) header: String,
    prefix: ApiKeyPrefix,
    hasher: SecretHasher,
    /// The setting by which whoever can write the table of keys can add one, if there is one.
    pub(super) trusts_table_by: Option<&'static str>,
    scopes: Option<Vec<Scope>>,
    cached: usize,
    staleness: Duration,
    lookups: usize,
    use_interval: Duration,
    max_lifetime: Option<Duration>,
    accepts_imported: bool,
    pub(super) static_keys: Option<StaticKeys>,
}

/// Keys of a development machine.
pub(super) struct StaticKeys {
    pub(super) keys: Vec<SecretString>,
    pub(super) tenant: Tenant,
    pub(super) scopes: Vec<Scope>,
}

impl fmt::Debug for ApiKeysConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeysConfig")
            .field("header", &self.header)
            .field("prefix", &self.prefix)
            .field("hasher", &self.hasher)
            .finish_non_exhaustive()
    }
}

impl ApiKeysConfig {
    /// Reads the section. `None` when there is a fault.
    pub(super) fn read(mut section: Section<'_>, names: &Names) -> Option<Self> {
        let header = section.text("header");
        section.unless_set("header", ringwall_authn::api_key::API_KEY_HEADER);
        let header = header.unwrap_or_else(|| ringwall_authn::api_key::API_KEY_HEADER.to_owned());
        if !is_field(&header) {
            let problem = "is not the name of a header field that keys can come in";
            section.fault("header", problem, "write a name such as x-api-key");
        }
        let prefix = section.parsed(
            "prefix",
            "2 to 16 lower-case letters and digits, such as pak",
        );
        section.unless_set("prefix", ApiKeyPrefix::default().as_str());
        let hasher = hasher(&mut section);
        let scopes = section
            .has("scopes")
            .then(|| rights::scopes(&mut section, "scopes", names));
        let cached = section.number("cached", 0..=10_000_000, 100_000);
        let staleness = section.seconds("staleness_seconds", 0..=300, 30);
        let lookups = section.number("lookups", 1..=65_536, 64);
        let use_interval = section.seconds("use_interval_seconds", 1..=86_400, 300);
        let max_lifetime = section.optional_number("max_lifetime_seconds", 1..=3_155_760_000);
        let accepts_imported = section.flag("accept_imported", false);
        let static_keys = if section.has("static") {
            Some(StaticKeys::read(section.child("static"), names))
        } else {
            None
        };
        section.finish();
        Some(Self {
            header,
            prefix: prefix.unwrap_or_default(),
            hasher: hasher.0?,
            trusts_table_by: hasher.1,
            scopes,
            cached: usize::try_from(cached).unwrap_or(usize::MAX),
            staleness,
            lookups: usize::try_from(lookups).unwrap_or(usize::MAX),
            use_interval,
            max_lifetime: max_lifetime.map(|seconds| Duration::from_secs(seconds.into())),
            accepts_imported,
            static_keys: match static_keys {
                Some(static_keys) => Some(static_keys?),
                None => None,
            },
        })
    }

    /// The keys, in `store`.
    pub(super) fn into_builder(self, store: Arc<dyn ApiKeyStore>) -> ApiKeysBuilder {
        let mut builder = ApiKeys::builder(store, self.hasher)
            .prefix(self.prefix)
            .cached(self.cached)
            .staleness(self.staleness)
            .lookups(self.lookups)
            .use_interval(self.use_interval);
        if let Some(scopes) = self.scopes {
            builder = builder.scopes(scopes);
        }
        if let Some(max_lifetime) = self.max_lifetime {
            builder = builder.max_lifetime(max_lifetime);
        }
        if self.accepts_imported || self.static_keys.is_some() {
            builder = builder.accept_imported();
        }
        builder
    }
}

/// The library has the last word on which fields keys can come in. It looks at no key for that.
fn is_field(name: &str) -> bool {
    let keys = ApiKeys::builder(Arc::new(MemoryApiKeys::new(0)), SecretHasher::sha256()).build();
    ApiKeyAuthenticator::builder(keys).header(name).is_ok() && is_free(&name.to_ascii_lowercase())
}

/// How secrets are hashed, and the setting that leaves the table of keys to be trusted, if there is one. No
/// hasher when there is a fault.
fn hasher(section: &mut Section<'_>) -> (Option<SecretHasher>, Option<&'static str>) {
    let is_development = section.profile().is_development();
    let has_pepper = section.has("pepper");
    let hash = section.text("hash");
    let is_peppered = match hash.as_deref() {
        Some("hmac-sha256") => true,
        Some("sha256") => false,
        Some(_) => {
            section.fault("hash", "is unknown", "write hmac-sha256 or sha256");
            has_pepper
        }
        None => has_pepper || !is_development,
    };
    section.unless_set("hash", if is_peppered { "hmac-sha256" } else { "sha256" });
    if !is_peppered {
        let problem = "is for hash = \"hmac-sha256\"";
        let keys = [
            "pepper",
            "pepper_id",
            "earlier_peppers",
            "accept_unpeppered",
        ];
        section.refuse(&keys, problem, "leave it out, or hash");
        return (Some(SecretHasher::sha256()), Some("api_keys.hash"));
    }
    let accepts_unpeppered = section.flag("accept_unpeppered", false);
    let hasher = peppered(section, has_pepper);
    if accepts_unpeppered {
        let hasher = hasher.map(SecretHasher::accept_unpeppered);
        (hasher, Some("api_keys.accept_unpeppered"))
    } else {
        (hasher, None)
    }
}

fn peppered(section: &mut Section<'_>, has_pepper: bool) -> Option<SecretHasher> {
    if !has_pepper {
        let problem = "is missing: whoever can write the table of keys could add one";
        let remedy = "name a secret of 32 random bytes, or write hash = \"sha256\"";
        section.fault("pepper", problem, remedy);
    }
    let pepper = section.secret("pepper").map(SecretString::into_bytes);
    let id = section.text("pepper_id");
    section.unless_set("pepper_id", "1");
    let id = PepperId::new(id.as_deref().unwrap_or("1"));
    if let Err(error) = &id {
        section.fault(
            "pepper_id",
            error.to_string(),
            "write a name such as 2026-11",
        );
    }
    let mut earlier = Vec::new();
    if section.has("earlier_peppers") {
        let mut peppers = section.child("earlier_peppers");
        for name in peppers.keys() {
            let secret = peppers.secret(&name).map(SecretString::into_bytes);
            match (PepperId::new(&name), secret) {
                (Ok(id), Some(secret)) => earlier.push((name, id, secret)),
                (Err(error), _) => {
                    peppers.fault(&name, error.to_string(), "write the name it had");
                }
                (Ok(_), None) => {}
            }
        }
        peppers.finish();
    }
    let hasher = SecretHasher::peppered(id.ok()?, &pepper?);
    let mut hasher = match hasher {
        Ok(hasher) => hasher,
        Err(error) => {
            let remedy = "name a secret of 32 random bytes, as openssl rand -base64 32 makes them";
            section.fault("pepper", error.to_string(), remedy);
            return None;
        }
    };
    for (_, id, secret) in earlier {
        hasher = match hasher.earlier(id, &secret) {
            Ok(hasher) => hasher,
            Err(error) => {
                let remedy = "name each once, 16 at most";
                section.fault("earlier_peppers", error.to_string(), remedy);
                return None;
            }
        };
    }
    Some(hasher)
}

impl StaticKeys {
    fn read(mut section: Section<'_>, names: &Names) -> Option<Self> {
        if !section.profile().is_development() {
            let problem =
                "holds keys of the configuration, which are for the development profile only";
            let remedy =
                "make keys with the command ringwall apikey create, or import them into the store";
            section.fault_here(problem, remedy);
        }
        let keys = section.secrets("keys");
        let count = keys.as_ref().map_or(0, Vec::len);
        if !(1..=MAX_STATIC_KEYS).contains(&count) {
            let problem = "names no key, or more than 64";
            section.fault(
                "keys",
                problem,
                "write pak_ and the output of openssl rand -hex 32",
            );
        }
        let tenant = rights::tenant(&mut section);
        section.unless_set("org", "development");
        let scopes = rights::scopes(&mut section, "scopes", names);
        section.finish();
        let tenant = match tenant {
            Some(tenant) => tenant,
            None => Tenant {
                org: ringwall_core::principal::OrgId::new("development").ok()?,
                project: None,
            },
        };
        Some(Self {
            keys: keys?,
            tenant,
            scopes,
        })
    }
}
