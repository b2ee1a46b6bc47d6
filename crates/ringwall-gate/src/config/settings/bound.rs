//! Tokens that are bound to a key, and tokens that only their issuer can read.

use super::{FLAG, SECRET, Setting, TEXT, TEXTS, setting};

pub(super) const SETTINGS: &[Setting] = &[
    setting(
        "dpop.mode",
        TEXT,
        "off",
        "`off`; `accepted`: tokens that are bound to a key are taken with a proof (RFC 9449); `required`: others are refused",
    ),
    setting(
        "dpop.public_origins",
        TEXTS,
        "the origin of resource.url",
        "origins by which clients use the service, which proofs have to be made for",
    ),
    setting(
        "dpop.origin_from_request",
        FLAG,
        "false",
        "the host of each request counts instead, where something in front has checked it",
    ),
    setting(
        "dpop.algorithms",
        TEXTS,
        "ES256, EdDSA, ES384, PS256, RS256",
        "algorithms of proofs",
    ),
    setting(
        "dpop.max_age_seconds",
        "1 to 300",
        "60",
        "how old a proof may be",
    ),
    setting(
        "dpop.max_lead_seconds",
        "0 to 60",
        "5",
        "how far ahead the clock of a proof's maker may be",
    ),
    setting(
        "dpop.nonces",
        TEXT,
        "none",
        "`none`; `process`: proofs have to contain a nonce of this process; `shared`: of this service",
    ),
    setting(
        "dpop.nonce_secret",
        SECRET,
        "must be set for shared",
        "32 random bytes at least, taken as text, which all processes share",
    ),
    setting(
        "dpop.nonce_seconds",
        "10 to 3600",
        "150",
        "how long one nonce is given out",
    ),
    setting(
        "dpop.replay",
        TEXT,
        "service",
        "where used proofs are remembered: in the store of the `service`, or in the `memory` of one process",
    ),
    setting(
        "dpop.replay_claims",
        "1 to 67108864",
        "1048576",
        "how many proofs are remembered in memory",
    ),
    setting(
        "introspection.endpoint",
        TEXT,
        "must be set",
        "where the issuer is asked about tokens (RFC 7662)",
    ),
    setting(
        "introspection.issuer",
        TEXT,
        "must be set",
        "the name of the issuer, byte for byte",
    ),
    setting(
        "introspection.audience",
        TEXT,
        "must be set",
        "what answers about tokens for this service have as `aud`",
    ),
    setting(
        "introspection.other_audiences",
        TEXTS,
        "none",
        "further audiences that are accepted",
    ),
    setting(
        "introspection.client_id",
        TEXT,
        "must be set",
        "who this service is at the issuer",
    ),
    setting(
        "introspection.client_secret",
        SECRET,
        "must be set",
        "its secret there",
    ),
    setting(
        "introspection.networks",
        TEXTS,
        "none",
        "networks that are not out in the open, in which the endpoint may be",
    ),
    setting(
        "introspection.root_certificates",
        TEXT,
        "the system's alone",
        "a PEM file with the authority of the endpoint",
    ),
    setting(
        "introspection.org",
        TEXT,
        "none",
        "the organisation that all tokens of this issuer belong to",
    ),
    setting(
        "introspection.org_member",
        TEXT,
        "none",
        "the member of answers that names the organisation",
    ),
    setting(
        "introspection.any_org",
        FLAG,
        "false",
        "the issuer may name any organisation although it is not the only issuer",
    ),
    setting(
        "introspection.allowed_scopes",
        TEXTS,
        "any",
        "the scopes that it may grant, as tokens.allowed_scopes",
    ),
    setting(
        "introspection.header",
        TEXT,
        "authorization",
        "the header field that holds the token",
    ),
    setting(
        "introspection.bearer_prefix",
        TEXT,
        "bearer ",
        "the scheme before it; another one than that of tokens in the same field",
    ),
    setting(
        "introspection.answer_seconds",
        "0 to 600",
        "60",
        "how long an answer is believed: how late a revocation at the issuer is seen",
    ),
    setting(
        "introspection.cached",
        "0 to 1000000",
        "10000",
        "answers that are kept",
    ),
    setting(
        "introspection.questions",
        "1 to 65536",
        "64",
        "questions that are asked at once",
    ),
];
