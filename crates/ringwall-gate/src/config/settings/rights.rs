//! What callers may do, and what stands in front.

use super::{FLAG, Setting, TEXT, TEXTS, setting};

pub(super) const SETTINGS: &[Setting] = &[
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
        "scopes that a role grants, but not to a person's token that names scopes itself; `*` is all of the section `scopes` (development)",
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
    setting(
        "authorization.policy_file",
        TEXT,
        "must be set",
        "the file of the authorization policy, in TOML or, as `*.json`, in JSON; without the section there is none",
    ),
    setting(
        "authorization.candidate_file",
        TEXT,
        "none",
        "a policy that decides beside it, for nothing: where the two differ, an event says so",
    ),
    setting(
        "authorization.subjects",
        TEXT,
        "service",
        "who tells what is known of callers: `service`, or `credentials` to believe the roles that they name",
    ),
    setting(
        "authorization.credential_scopes",
        TEXT,
        "by_kind",
        "with `credentials`: whether their scopes `limit` what roles permit, also by `role_scopes`, `grant` beside them, or are `ignore`d; `by_kind` limits people and grants to machines",
    ),
    setting(
        "authorization.issuers_share_names",
        FLAG,
        "false",
        "with `credentials`: issuers that speak for the same organisation never give one name to two people",
    ),
];
