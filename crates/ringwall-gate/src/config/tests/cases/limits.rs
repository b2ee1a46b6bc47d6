//! How many requests are served.

use super::super::{JWT, MTLS};
use super::{Case, case};

/// Limits that processes share.
const SHARED: &str = r#"
realm = "cases"
modes = ["jwt"]
[tokens]
issuer = "https://login.example.com"
audience = "https://api.example.com"
jwks_file = "{}/jwks.json"
[rate_limits]
store = "service"
secret = { file = "{}/pepper" }
"#;

const LIMIT: &str = "rate_limits.limits.heavy";
const FAILED: &str = "rate_limits.failed_credentials";
const NUMBERS: &[&str] = &["0", "-1", "1.5", "\"5\"", "4294967296"];

pub(super) const CASES: &[Case] = &[
    case(
        JWT,
        "rate_limits",
        "keys",
        &["1", "50000000"],
        &["0", "50000001", "\"1\""],
    ),
    // In the process nothing is shared, and nothing can fail to answer.
    case(
        JWT,
        "rate_limits",
        "store",
        &["\"memory\""],
        &["\"redis\"", "\"service\"", "1"],
    ),
    case(JWT, "rate_limits", "processes", &[], &["4"]),
    case(
        JWT,
        "rate_limits",
        "secret",
        &[],
        &["{ file = \"{}/pepper\" }"],
    ),
    case(JWT, LIMIT, "on_failure", &[], &["\"closed\"", "\"local\""]),
    case(JWT, FAILED, "on_failure", &[], &["\"closed\""]),
    case(
        SHARED,
        "rate_limits",
        "processes",
        &["1", "10000"],
        &["0", "10001", "\"4\""],
    ),
    case(
        SHARED,
        LIMIT,
        "on_failure",
        &["\"closed\"", "\"open\""],
        &["\"local\"", "\"fail\"", "true"],
    ),
    case(
        SHARED,
        "rate_limits.limits.auth_address",
        "on_failure",
        &["\"closed\""],
        &["\"open\""],
    ),
    case(JWT, LIMIT, "guard", &["true", "false"], &["1"]),
    case(SHARED, FAILED, "on_failure", &["\"closed\""], &["\"open\""]),
    case(
        MTLS,
        "rate_limits",
        "identity_header",
        &["\"x-auth-request-user\"", "\"X-Client-Id\""],
        &["\"\"", "\"x user\"", "1"],
    ),
    // Nobody is trusted to set it.
    case(
        JWT,
        "rate_limits",
        "identity_header",
        &[],
        &["\"x-client-id\""],
    ),
    case(
        JWT,
        "rate_limits",
        "tell_everybody",
        &["true", "false"],
        &["1", "\"no\""],
    ),
    case(
        JWT,
        "rate_limits",
        "jitter_percent",
        &["0", "100"],
        &["101", "-1"],
    ),
    case(JWT, "rate_limits", "tiers", &[], &["[\"default\"]", "1"]),
    case(JWT, "rate_limits", "limits", &[], &["[\"heavy\"]", "1"]),
    case(JWT, "rate_limits", "burst", &[], &["5"]),
    case(JWT, LIMIT, "count", &["1", "20"], NUMBERS),
    case(
        JWT,
        LIMIT,
        "period_seconds",
        &["1", "31622400"],
        &["0", "31622401"],
    ),
    case(JWT, LIMIT, "burst", &["1", "1000"], NUMBERS),
    case(
        JWT,
        LIMIT,
        "by",
        &["[\"address\"]", "[\"organisation\", \"project\", \"user\"]"],
        &[
            "[]",
            "[\"ip\"]",
            "[\"user\", \"user\"]",
            "[\"project\", \"user\", \"identity\"]",
            "[\"given\"]",
            "[\"given\", \"identity\"]",
            "\"user\"",
        ],
    ),
    case(JWT, LIMIT, "without_credential", &["false"], &["true", "1"]),
    case(JWT, LIMIT, "skip_absent", &["true", "false"], &["1"]),
    case(
        JWT,
        LIMIT,
        "ipv6_prefix",
        &["32", "48", "128"],
        &["0", "31", "129"],
    ),
    case(
        JWT,
        LIMIT,
        "ceiling_count",
        &["10", "100"],
        &["9", "0", "\"5\""],
    ),
    // Without a count there is no ceiling.
    case(JWT, LIMIT, "ceiling_burst", &[], &["5", "0"]),
    case(JWT, LIMIT, "shadow", &["true", "false"], &["1"]),
    case(JWT, LIMIT, "rate", &[], &["1"]),
    case(JWT, FAILED, "count", &["1", "20"], NUMBERS),
    case(
        JWT,
        FAILED,
        "period_seconds",
        &["1", "3600"],
        &["0", "31622401"],
    ),
    case(JWT, FAILED, "burst", &["1", "1000"], NUMBERS),
    case(JWT, FAILED, "ipv6_prefix", &["32", "64"], &["31"]),
    case(JWT, FAILED, "shadow", &["true", "false"], &["1"]),
    case(JWT, FAILED, "by", &[], &["[\"address\"]"]),
    case(
        JWT,
        "rate_limits.tiers",
        "default",
        &["[\"user\", \"anonymous\"]", "[\"heavy\"]"],
        &[
            "[]",
            "[\"usr\"]",
            "[\"user\", \"user\"]",
            "[\"auth_account\"]",
            "\"user\"",
        ],
    ),
    case(
        JWT,
        "rate_limits.tiers",
        "reports",
        &["[\"user\"]"],
        &["[]"],
    ),
    case(JWT, "rate_limits.tiers", "Reports", &[], &["[\"user\"]"]),
];
