//! What the gate is, and who calls.

use super::{FLAG, Setting, TEXT, TEXTS, setting};

pub(super) const SETTINGS: &[Setting] = &[
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
        "`api_key`, `jwt`, `mtls`, `introspection`, one or several; or `none` alone (development)",
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
];
