//! How many requests are served.

use super::{FLAG, SECRET, Setting, TEXT, TEXTS, setting};

const NUMBER: &str = "number";

pub(super) const SETTINGS: &[Setting] = &[
    setting(
        "rate_limits.store",
        TEXT,
        "memory",
        "`memory`: limits are counted in this process; `service`: in a store of the service, by all of its processes",
    ),
    setting(
        "rate_limits.secret",
        SECRET,
        "must be set for service",
        "what all processes of the service (its `realm`) share, so that their keys meet in the store and tell nothing there: text of 32 bytes at least, as `openssl rand -hex 32` writes it",
    ),
    setting(
        "rate_limits.processes",
        NUMBER,
        "must be set for local",
        "how many processes share the limits",
    ),
    setting(
        "rate_limits.keys",
        NUMBER,
        "100000",
        "how many callers are counted at the same time in this process, 21 bytes each",
    ),
    setting(
        "rate_limits.identity_header",
        TEXT,
        "none",
        "the field in which a trusted ingress names callers, such as `x-auth-request-user`",
    ),
    setting(
        "rate_limits.tell_everybody",
        FLAG,
        "true",
        "every answer tells what is left, and not refusals alone",
    ),
    setting(
        "rate_limits.jitter_percent",
        NUMBER,
        "10",
        "how much is added at most to the time after which refused clients come back",
    ),
    setting(
        "rate_limits.limits.LIMIT.count",
        NUMBER,
        "the default's",
        "how many requests a period has",
    ),
    setting(
        "rate_limits.limits.LIMIT.period_seconds",
        NUMBER,
        "the default's; 60",
        "the period",
    ),
    setting(
        "rate_limits.limits.LIMIT.burst",
        NUMBER,
        "the default's; as many as the count",
        "how many at once at most",
    ),
    setting(
        "rate_limits.limits.LIMIT.by",
        TEXTS,
        "the default's",
        "what is counted by: `organisation`, `project`, `api_key`, `user`, `identity`, `address`, `given`",
    ),
    setting(
        "rate_limits.limits.LIMIT.without_credential",
        FLAG,
        "the default's; false",
        "counts only requests that present no credential",
    ),
    setting(
        "rate_limits.limits.LIMIT.skip_absent",
        FLAG,
        "the default's; false",
        "callers without an organisation or an API key are left to the other limits, and not refused",
    ),
    setting(
        "rate_limits.limits.LIMIT.ipv6_prefix",
        NUMBER,
        "64",
        "the network by which IPv6 addresses are counted, in bits",
    ),
    setting(
        "rate_limits.limits.LIMIT.ceiling_count",
        NUMBER,
        "none",
        "the most that a tenant may set for itself, in the same period",
    ),
    setting(
        "rate_limits.limits.LIMIT.ceiling_burst",
        NUMBER,
        "as many as fill in the time of the limit's own",
        "the same at once; it takes no less long to fill than the limit's own burst",
    ),
    setting(
        "rate_limits.limits.LIMIT.shadow",
        FLAG,
        "false",
        "the limit is tried out: it is counted and told to the operator, and refuses nobody",
    ),
    setting(
        "rate_limits.limits.LIMIT.on_failure",
        TEXT,
        "closed",
        "while the store does not answer: `closed` refuses (503), `local` lets each process count its share, `open` lets everything pass",
    ),
    setting(
        "rate_limits.limits.LIMIT.guard",
        FLAG,
        "the default's; false",
        "it bounds guessing, so it is never `open`; limits of the tier `auth` and those by `given` are such anyway",
    ),
    setting(
        "rate_limits.failed_credentials.count",
        NUMBER,
        "20",
        "how many wrong credentials an address may present in a period",
    ),
    setting(
        "rate_limits.failed_credentials.period_seconds",
        NUMBER,
        "60",
        "the period",
    ),
    setting(
        "rate_limits.failed_credentials.burst",
        NUMBER,
        "40",
        "how many at once, good ones that are still being verified included",
    ),
    setting(
        "rate_limits.failed_credentials.ipv6_prefix",
        NUMBER,
        "64",
        "the network by which IPv6 addresses are counted, in bits",
    ),
    setting(
        "rate_limits.failed_credentials.shadow",
        FLAG,
        "false",
        "it is tried out",
    ),
    setting(
        "rate_limits.failed_credentials.on_failure",
        TEXT,
        "closed",
        "while the store does not answer: `closed` or `local`",
    ),
    setting(
        "rate_limits.tiers.TIER",
        TEXTS,
        "the default's",
        "the limits of a tier, such as `default`, which holds for routes that name none",
    ),
];
