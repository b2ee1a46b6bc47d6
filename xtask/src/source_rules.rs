//! Two rules that the compiler cannot hold across crates: who may mint proofs, and who may read the
//! time.

use std::collections::BTreeMap;

use crate::source::Line;

/// The call that yields the capability to mint a proof. Whoever calls it states that the check was
/// made, so every call is a place to review.
const ATTEST: &str = "i_have_verified_this";

/// A file that may mint proofs.
#[derive(Debug, Clone, Copy)]
struct Minter {
    file: &'static str,
    /// How often it does. One more call is a change to review here.
    calls: usize,
    reason: &'static str,
}

/// Every file outside tests that may mint proofs.
const MINTERS: &[Minter] = &[
    Minter {
        file: "crates/ringwall-authn/src/api_key/verify.rs",
        calls: 1,
        reason: "an API key whose secret, state and place of use were checked becomes a principal",
    },
    Minter {
        file: "crates/ringwall-authn/src/certificate.rs",
        calls: 1,
        reason: "a client certificate that the handshake or a trusted proxy verified becomes a principal",
    },
    Minter {
        file: "crates/ringwall-authn/src/introspection/authenticator.rs",
        calls: 1,
        reason: "a token that its issuer says is active, for us, becomes a principal",
    },
    Minter {
        file: "crates/ringwall-authn/src/verifier.rs",
        calls: 1,
        reason: "a token whose signature and claims were verified becomes a principal",
    },
    Minter {
        file: "crates/ringwall-authz/src/authzen/evaluator.rs",
        calls: 1,
        reason: "whom an authenticated enforcement point asks about, in its own tenant and without roles or scopes: only \
                 decisions are told",
    },
    Minter {
        file: "crates/ringwall-authz/src/cases.rs",
        calls: 1,
        reason: "the subjects of policy tests, who are no callers and of whom only decisions are told",
    },
    Minter {
        file: "crates/ringwall-gate/src/authorization.rs",
        calls: 1,
        reason: "a verified principal whose UUIDs are spelled in the one way in which a directory knows them",
    },
    Minter {
        file: "crates/ringwall-gate/src/unchecked.rs",
        calls: 1,
        reason: "everybody is one caller of the development profile, marked as unchecked, which production refuses",
    },
    Minter {
        file: "crates/ringwall-testkit/src/principal.rs",
        calls: 1,
        reason: "a test states who is calling: nothing is verified, and the crate is for tests alone",
    },
];

/// Spellings of reading a clock.
const CLOCK_READINGS: [&str; 5] = [
    "SystemTime::now",
    "Instant::now",
    "Utc::now",
    "now_utc",
    "Timestamp::now",
];

/// The one module of the libraries that reads the system's clocks.
const CLOCK: &str = "crates/ringwall-core/src/clock";

/// Where proofs are minted, as `file:line`, allowed or not.
pub(crate) fn mint_sites(lines: &[Line]) -> Vec<&Line> {
    lines
        .iter()
        .filter(|line| line.text.contains(ATTEST))
        .filter(|line| !line.text.contains(&format!("fn {ATTEST}")))
        .collect()
}

/// Calls that the table does not allow, and lines of the table that nothing needs any more.
pub(crate) fn mint_findings(lines: &[Line]) -> Vec<String> {
    against(MINTERS, &mint_sites(lines))
}

fn against(minters: &[Minter], sites: &[&Line]) -> Vec<String> {
    let mut by_file: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for site in sites {
        by_file
            .entry(&site.file)
            .or_default()
            .push(site.number.to_string());
    }
    let mut findings = Vec::new();
    for (file, numbers) in &by_file {
        let allowed = minters
            .iter()
            .find(|minter| minter.file == *file)
            .map_or(0, |minter| minter.calls);
        if allowed != numbers.len() {
            findings.push(format!(
                "{file} calls {ATTEST} {} times (lines {}), and xtask/src/source_rules.rs allows \
                 {allowed}",
                numbers.len(),
                numbers.join(", "),
            ));
        }
    }
    findings.extend(
        minters
            .iter()
            .filter(|minter| !by_file.contains_key(minter.file))
            .map(|minter| {
                format!(
                    "{} ({}) no longer calls {ATTEST}: remove it from xtask/src/source_rules.rs",
                    minter.file, minter.reason
                )
            }),
    );
    findings
}

/// Readings of the time outside the one module that may.
pub(crate) fn clock_findings(lines: &[Line]) -> Vec<String> {
    lines
        .iter()
        .filter(|line| line.file.starts_with("crates/") && !line.file.starts_with(CLOCK))
        .filter_map(|line| {
            let reading = CLOCK_READINGS
                .iter()
                .find(|reading| line.text.contains(**reading))?;
            Some(format!(
                "{}:{} reads `{reading}`: take the time from ringwall_core::clock",
                line.file, line.number
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHN: Minter = Minter {
        file: "crates/ringwall-authn/src/verify.rs",
        calls: 1,
        reason: "verified",
    };

    fn line(file: &str, number: usize, text: &str) -> Line {
        Line {
            file: file.to_owned(),
            number,
            text: text.to_owned(),
        }
    }

    #[test]
    fn the_definition_is_no_call() {
        let definition = line(
            "crates/ringwall-core/src/attest.rs",
            26,
            "pub const fn i_have_verified_this() {",
        );
        assert!(mint_sites(&[definition]).is_empty());
    }

    #[test]
    fn a_call_outside_the_table_is_found() {
        let call = line(
            "crates/ringwall-gate/src/gate.rs",
            7,
            "Attest::i_have_verified_this()",
        );
        let findings = mint_findings(std::slice::from_ref(&call));
        assert!(
            findings
                .iter()
                .any(|finding| finding.contains("gate.rs calls")),
            "{findings:?}"
        );
    }

    #[test]
    fn one_more_call_in_an_allowed_file_is_found() {
        let calls = [3, 9].map(|number| line(AUTHN.file, number, "Attest::i_have_verified_this()"));
        let sites = mint_sites(&calls);
        assert_eq!(against(&[AUTHN], &sites[..1]), [""; 0]);
        assert!(against(&[AUTHN], &sites)[0].contains("2 times (lines 3, 9)"));
    }

    #[test]
    fn a_stale_line_of_the_table_is_found() {
        assert!(against(&[AUTHN], &[])[0].contains("no longer calls"));
    }

    #[test]
    fn only_the_clock_module_reads_the_time() {
        let lines = [
            line("crates/ringwall-core/src/clock.rs", 1, "SystemTime::now()"),
            line(
                "crates/ringwall-authn/src/cache.rs",
                2,
                "let then = Instant::now();",
            ),
            line("examples/agent-backend/src/main.rs", 3, "Instant::now()"),
        ];
        let findings = clock_findings(&lines);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].starts_with("crates/ringwall-authn/src/cache.rs:2"));
    }
}
