//! The house as data: on which floor each crate stands, and the named exceptions.
//!
//! A crate joins the workspace by a line here. An unknown crate is an error, so nobody has to
//! remember the rule.

use std::collections::BTreeMap;

/// The floor of everything under `examples/`: what people run.
pub(crate) const EXAMPLES: u8 = 5;

/// The crate with fake issuers and principals for tests. Every crate may use it in its tests, also
/// the floors below it, since a test is not part of what a crate ships.
pub(crate) const TESTKIT: &str = "ringwall-testkit";

/// Packages that stand outside the house and import nothing of it.
pub(crate) const OUTSIDE: [&str; 1] = ["xtask"];

/// Every crate of the house, from the roof down. Crates that do not exist yet are listed too: their
/// place is decided before they are written.
const FLOORS: [(u8, &[&str]); 6] = [
    (
        5,
        &["ringwall", "ringwall-cli", "ringwall-console", TESTKIT],
    ),
    (
        4,
        &[
            "ringwall-actix",
            "ringwall-authz-cedar",
            "ringwall-axum",
            "ringwall-metrics",
            "ringwall-postgres",
            "ringwall-redis",
            "ringwall-spiffe",
            "ringwall-sqlite",
            "ringwall-tonic",
            "ringwall-tower",
        ],
    ),
    (3, &["ringwall-gate"]),
    (
        2,
        &[
            "ringwall-audit-chain",
            "ringwall-authn",
            "ringwall-authz",
            "ringwall-autonomy-policy",
            "ringwall-field-encryption",
            "ringwall-login",
            "ringwall-masking",
            "ringwall-masking-derive",
            "ringwall-rate-limit",
            "ringwall-retention",
            "ringwall-secrets",
            "ringwall-service-identity",
            "ringwall-topology",
        ],
    ),
    (
        1,
        &[
            "ringwall-browser",
            "ringwall-canonical-json",
            "ringwall-jose",
            "ringwall-jwks-client",
            "ringwall-replay",
            "ringwall-transport",
        ],
    ),
    (0, &["ringwall-core"]),
];

/// An import that the floors forbid and the house needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exception {
    /// The importing crate, or [`Self::ANY_EXAMPLE`].
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    pub(crate) reason: &'static str,
}

impl Exception {
    /// Stands for every package under `examples/`.
    pub(crate) const ANY_EXAMPLE: &'static str = "examples/*";
}

/// The exceptions; each says why there is no better floor for one of the two crates.
pub(crate) const EXCEPTIONS: [Exception; 8] = [
    Exception {
        from: "ringwall-axum",
        to: "ringwall-tower",
        reason: "axum is a set of tower services; the layer is written once",
    },
    Exception {
        from: "ringwall-tonic",
        to: "ringwall-tower",
        reason: "tonic is a set of tower services; the layer is written once",
    },
    Exception {
        from: "ringwall-masking",
        to: "ringwall-masking-derive",
        reason: "a derive macro must live in a crate of its own and is re-exported by its trait's",
    },
    Exception {
        from: "ringwall-jwks-client",
        to: "ringwall-jose",
        reason: "it fetches what that crate parses; both are small machines of one floor",
    },
    Exception {
        from: "ringwall-cli",
        to: "ringwall",
        reason: "a program shows the family as its users see it",
    },
    Exception {
        from: "ringwall-cli",
        to: "ringwall-console",
        reason: "the command starts the console",
    },
    Exception {
        from: Exception::ANY_EXAMPLE,
        to: "ringwall",
        reason: "an example shows the family as its users see it",
    },
    Exception {
        from: Exception::ANY_EXAMPLE,
        to: "ringwall-console",
        reason: "an example back end mounts the console",
    },
];

/// The floor of each crate by name.
pub(crate) fn by_name() -> BTreeMap<&'static str, u8> {
    FLOORS
        .iter()
        .flat_map(|(floor, crates)| crates.iter().map(move |name| (*name, *floor)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_crate_stands_on_two_floors() {
        let listed: usize = FLOORS.iter().map(|(_, crates)| crates.len()).sum();
        assert_eq!(by_name().len(), listed);
    }

    #[test]
    fn every_exception_names_known_crates_and_a_reason() {
        let floors = by_name();
        for exception in EXCEPTIONS {
            assert!(
                exception.from == Exception::ANY_EXAMPLE || floors.contains_key(exception.from),
                "{}",
                exception.from
            );
            assert!(floors.contains_key(exception.to), "{}", exception.to);
            assert!(!exception.reason.is_empty());
        }
    }

    #[test]
    fn every_exception_is_needed() {
        let floors = by_name();
        for exception in EXCEPTIONS {
            let from = floors.get(exception.from).copied().unwrap_or(EXAMPLES);
            assert!(
                from <= floors[exception.to],
                "{} -> {}",
                exception.from,
                exception.to
            );
        }
    }
}
