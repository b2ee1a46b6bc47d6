//! The settings, as data: for the guide, for commands that explain them, for tests.

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    name: &'static str,
    form: &'static str,
    unless_set: &'static str,
    meaning: &'static str,
}

impl Setting {
    /// The name, such as `tokens.issuer`. A level in capital letters stands for names that people choose.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What is written, such as `text` or `list of texts`.
    #[must_use]
    pub const fn form(&self) -> &'static str {
        self.form
    }

    /// What holds unless it is set.
    #[must_use]
    pub const fn unless_set(&self) -> &'static str {
        self.unless_set
    }

    /// What it is for.
    #[must_use]
    pub const fn meaning(&self) -> &'static str {
        self.meaning
    }

    /// The environment variable, such as `RINGWALL__TOKENS__ISSUER`.
    #[must_use]
    pub fn variable(&self, prefix: &str) -> String {
        let levels = self.name.split('.').map(str::to_ascii_uppercase);
        core::iter::once(prefix.to_owned())
            .chain(levels)
            .collect::<Vec<_>>()
            .join("__")
    }
}

const fn setting(
    name: &'static str,
    form: &'static str,
    unless_set: &'static str,
    meaning: &'static str,
) -> Setting {
    Setting {
        name,
        form,
        unless_set,
        meaning,
    }
}

const TEXT: &str = "text";
const TEXTS: &str = "list of texts";
const FLAG: &str = "true or false";
const SECRET: &str = "secret";

/// Every setting, in the order of the guide.
pub const SETTINGS: &[Setting] = &[
    setting(
        "profile",
        TEXT,
        "production",
        "`production` or `development`: what is permitted in development alone, says so here",
    ),
    setting("realm", TEXT, "api", "the name that challenges show"),
    setting(
        "modes",
        TEXTS,
        "must be set",
        "`api_key`, `jwt`, `mtls`, one or several; or `none` alone (development)",
    ),
    setting(
        "check_scopes",
        FLAG,
        "true",
        "`false` lets every caller do everything (development)",
    ),
    setting(
        "revocations",
        TEXT,
        "service",
        "`service`: the service knows which tokens were taken back; `none`: nobody does",
    ),
    setting(
        "tokens.issuer",
        TEXT,
        "must be set",
        "what tokens have as `iss`, byte for byte",
    ),
    setting(
        "tokens.audience",
        TEXT,
        "must be set",
        "what tokens for this service have as `aud`",
    ),
    setting(
        "tokens.other_audiences",
        TEXTS,
        "none",
        "further audiences that are accepted",
    ),
    setting(
        "tokens.provider",
        TEXT,
        "generic; with hmac_secret plain",
        "`generic` (RFC 9068), `plain`, `auth0`, `cognito`, `entra-id`, `google`, `keycloak`, `okta` or `supabase`: what the tokens look like",
    ),
    setting(
        "tokens.org",
        TEXT,
        "none",
        "the organisation that all tokens of this issuer belong to",
    ),
    setting(
        "tokens.any_org",
        FLAG,
        "false",
        "the issuer may name any organisation although it is not the only issuer",
    ),
    setting(
        "tokens.jwks_url",
        TEXT,
        "found by discovery",
        "where the keys are fetched",
    ),
    setting(
        "tokens.jwks_ttl_seconds",
        "5 to 86400",
        "300",
        "how long keys are fresh",
    ),
    setting(
        "tokens.jwks_max_ttl_seconds",
        "5 to 86400",
        "900",
        "how long at most, whatever the issuer says",
    ),
    setting(
        "tokens.jwks_timeout_seconds",
        "1 to 60",
        "5",
        "how long a fetch may take",
    ),
    setting(
        "tokens.jwks_max_attempts",
        "1 to 100",
        "3",
        "fetches in a row before a pause",
    ),
    setting(
        "tokens.jwks_backoff_seconds",
        "1 to 3600",
        "1",
        "the first pause after a failure",
    ),
    setting(
        "tokens.jwks_max_backoff_seconds",
        "1 to 3600",
        "30",
        "the longest pause",
    ),
    setting(
        "tokens.jwks_cool_down_seconds",
        "1 to 3600",
        "30",
        "how often at most unknown keys are looked for",
    ),
    setting(
        "tokens.jwks_max_stale_seconds",
        "0 to 604800",
        "3600",
        "how long keys are used after their freshness, when there are no newer ones",
    ),
    setting(
        "tokens.jwks_networks",
        TEXTS,
        "none",
        "networks that are not out in the open, in which the issuer may be",
    ),
    setting(
        "tokens.jwks_root_certificates",
        TEXT,
        "the system's alone",
        "a PEM file with the authority of the issuer",
    ),
    setting(
        "tokens.jwks_file",
        TEXT,
        "none",
        "a file of keys, in the place of fetching",
    ),
    setting(
        "tokens.jwks_poll_seconds",
        "1 to 3600",
        "5",
        "how often the file is looked at",
    ),
    setting(
        "tokens.hmac_secret",
        SECRET,
        "none",
        "a secret that tokens are signed with (development)",
    ),
    setting(
        "tokens.hmac_secret_encoding",
        TEXT,
        "must be set with hmac_secret",
        "`base64`: decoded before its length is judged; `text`: its bytes as they are",
    ),
    setting(
        "tokens.algorithms",
        TEXTS,
        "all but the symmetric ones",
        "algorithms of keys that are taken, such as `EdDSA`, `ES256`, `PS256`, `RS256`; with `hmac_secret` the one of the secret, `HS256` unless set",
    ),
    setting(
        "tokens.header",
        TEXT,
        "authorization",
        "the header field that holds the token",
    ),
    setting(
        "tokens.bearer_prefix",
        TEXT,
        "bearer ",
        "the scheme before it; empty when it stands alone in a field of its own",
    ),
    setting(
        "tokens.subject_claim",
        TEXT,
        "the provider's",
        "the claim that names the subject; dots lead into objects, but for a name with a colon",
    ),
    setting(
        "tokens.scopes_claims",
        TEXTS,
        "the provider's",
        "the claims that hold scopes",
    ),
    setting(
        "tokens.roles_claims",
        TEXTS,
        "the provider's",
        "the claims that hold roles",
    ),
    setting(
        "tokens.org_claim",
        TEXT,
        "the provider's",
        "the claim that names the organisation",
    ),
    setting(
        "tokens.project_claim",
        TEXT,
        "the provider's",
        "the claim that names the project",
    ),
    setting(
        "tokens.clock_skew_seconds",
        "0 to 300",
        "60",
        "how far clocks may be apart",
    ),
    setting(
        "tokens.max_lifetime_seconds",
        "1 to 31536000",
        "86400",
        "the longest life of a token that is accepted",
    ),
    setting(
        "tokens.accept_actor",
        FLAG,
        "false",
        "agents may act for people (`act`, RFC 8693)",
    ),
    setting(
        "api_keys.header",
        TEXT,
        "x-api-key",
        "the header field that holds the key",
    ),
    setting("api_keys.prefix", TEXT, "pak", "what keys begin with"),
    setting(
        "api_keys.hash",
        TEXT,
        "hmac-sha256; in development without a pepper sha256",
        "how secrets are stored: `hmac-sha256` with a pepper, or `sha256`",
    ),
    setting(
        "api_keys.pepper",
        SECRET,
        "must be set for hmac-sha256",
        "32 random bytes at least, taken as text",
    ),
    setting(
        "api_keys.pepper_id",
        TEXT,
        "1",
        "its name, which is stored with each key",
    ),
    setting(
        "api_keys.earlier_peppers.ID",
        SECRET,
        "none",
        "peppers by name, with which older keys were stored",
    ),
    setting(
        "api_keys.scopes",
        TEXTS,
        "any",
        "the scopes that keys can have",
    ),
    setting(
        "api_keys.cached",
        "0 to 10000000",
        "100000",
        "keys that are kept in memory",
    ),
    setting(
        "api_keys.staleness_seconds",
        "0 to 300",
        "30",
        "how long a key is believed to be as it was read: how late another process's revocation is seen",
    ),
    setting(
        "api_keys.lookups",
        "1 to 65536",
        "64",
        "look-ups in the store at once",
    ),
    setting(
        "api_keys.use_interval_seconds",
        "1 to 86400",
        "300",
        "how often at most a use of one key is noted",
    ),
    setting(
        "api_keys.max_lifetime_seconds",
        "1 to 3155760000",
        "no limit",
        "the longest life of a new key",
    ),
    setting(
        "api_keys.accept_imported",
        FLAG,
        "false",
        "keys of the time before look-up ids, once imported, are accepted",
    ),
    setting(
        "api_keys.static.keys",
        SECRET,
        "none",
        "keys of this configuration, separated by commas: the prefix, `_` and 32 to 128 hexadecimal digits (development)",
    ),
    setting(
        "api_keys.static.org",
        TEXT,
        "development",
        "whose data they reach",
    ),
    setting(
        "api_keys.static.project",
        TEXT,
        "none",
        "the project they are bound to",
    ),
    setting(
        "api_keys.static.scopes",
        TEXTS,
        "none",
        "what they may do; `*` is all of the section `scopes`",
    ),
    setting(
        "certificates.identities",
        TEXT,
        "spiffe",
        "`spiffe`, `dns` or `common-name`: which name identifies a caller",
    ),
    setting(
        "certificates.trust_domain",
        TEXT,
        "must be set for spiffe",
        "the trust domain of your workloads",
    ),
    setting(
        "certificates.direct",
        FLAG,
        "false",
        "the service itself speaks TLS and verifies certificates",
    ),
    setting(
        "certificates.header",
        TEXT,
        "none",
        "the field in which a trusted proxy names the subject; `x-forwarded-client-cert` is Envoy's",
    ),
    setting(
        "certificates.verdict_header",
        TEXT,
        "must be set with header",
        "the field with the proxy's verdict, which must be `SUCCESS`; not for Envoy's field",
    ),
    setting(
        "certificates.scopes_header",
        TEXT,
        "none",
        "the field in which the proxy grants further scopes",
    ),
    setting(
        "certificates.roles_header",
        TEXT,
        "none",
        "the field in which it grants further roles",
    ),
    setting(
        "certificates.clients.NAME.org",
        TEXT,
        "none",
        "whose data the caller of this name reaches",
    ),
    setting(
        "certificates.clients.NAME.project",
        TEXT,
        "none",
        "the project it is bound to",
    ),
    setting(
        "certificates.clients.NAME.scopes",
        TEXTS,
        "none",
        "what it may do",
    ),
    setting(
        "certificates.clients.NAME.roles",
        TEXTS,
        "none",
        "its roles",
    ),
    setting(
        "unchecked.subject",
        TEXT,
        "developer",
        "who everybody is in the mode `none`",
    ),
    setting("unchecked.org", TEXT, "none", "the organisation"),
    setting("unchecked.project", TEXT, "none", "the project"),
    setting("unchecked.roles", TEXTS, "none", "the roles"),
    setting(
        "unchecked.scopes",
        TEXTS,
        "none",
        "the scopes; `*` is all of the section `scopes`",
    ),
    setting(
        "front.trusted_proxies",
        TEXTS,
        "none",
        "addresses and networks of the proxies that are believed",
    ),
    setting(
        "front.forwarding_header",
        TEXT,
        "x-forwarded",
        "`x-forwarded` or `forwarded`: in which fields",
    ),
    setting(
        "front.proxy_headers",
        TEXTS,
        "none",
        "further fields that only they may set, such as `x-auth-request-user`",
    ),
    setting(
        "front.serve_plain_http",
        FLAG,
        "false; true in development without proxies",
        "plain HTTP is served, and not refused",
    ),
    setting(
        "front.https_redirect_hosts",
        TEXTS,
        "none",
        "hosts whose plain HTTP is sent to HTTPS",
    ),
    setting(
        "front.permit_encoded_slashes",
        FLAG,
        "false",
        "`%2F` in paths passes",
    ),
    setting(
        "resource.url",
        TEXT,
        "must be set in the section",
        "the URL by which clients use the service (RFC 9728); `resource = \"URL\"` at the top is the same",
    ),
    setting(
        "resource.scopes_supported",
        TEXTS,
        "none",
        "scopes that clients may ask for",
    ),
    setting(
        "resource.name",
        TEXT,
        "the realm",
        "what the service is called",
    ),
    setting(
        "resource.documentation",
        TEXT,
        "none",
        "a URL for developers",
    ),
    setting(
        "scopes.NAME",
        TEXT,
        "none",
        "the scope behind a name by which routes ask for it",
    ),
    setting(
        "role_scopes.ROLE",
        TEXTS,
        "none",
        "scopes that a role grants; `*` is all of the section `scopes` (development)",
    ),
    setting(
        "organisation.ORG.sso_issuers",
        TEXTS,
        "any",
        "whose tokens callers of this organisation must show; the organisation `*` is everybody else's",
    ),
    setting(
        "organisation.ORG.acr_values",
        TEXTS,
        "any",
        "authentication context classes of which the login must have one",
    ),
    setting(
        "organisation.ORG.amr_values",
        TEXTS,
        "any",
        "methods of which the login must have used one",
    ),
    setting(
        "organisation.ORG.mail_domains",
        TEXTS,
        "any",
        "domains of which the verified mail address must be",
    ),
];
