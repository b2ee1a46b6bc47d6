//! What the guides quote is what the code says.

use ringwall::authn::Refusal;
use ringwall::jose::CompactError;

const IDENTITY_PROVIDERS: &str = include_str!("../src/guide/identity_providers.md");

/// What an operator may meet while connecting a provider.
const CAUSES: [Refusal; 16] = [
    Refusal::Form(CompactError::Segments),
    Refusal::IssuerUnknown,
    Refusal::KeyUnknown,
    Refusal::AlgorithmMismatch,
    Refusal::AudienceMismatch,
    Refusal::AudienceMalformed,
    Refusal::TokenType,
    Refusal::TokenKind,
    Refusal::RequiredClaim,
    Refusal::LifetimeTooLong,
    Refusal::SenderConstrained,
    Refusal::Delegation,
    Refusal::Expired,
    Refusal::RolesMalformed,
    Refusal::TenantMalformed,
    Refusal::MethodsMalformed,
];

#[test]
fn the_guide_to_identity_providers_quotes_the_causes_as_they_are() {
    // The columns that are headed "cause".
    let mut quoted = Vec::new();
    let mut column = None;
    for line in IDENTITY_PROVIDERS.lines() {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        if cells.len() < 3 {
            column = None;
        } else if let Some(found) = cells.iter().position(|cell| *cell == "cause") {
            column = Some(found);
        } else if let Some(text) = column.and_then(|column| cells.get(column)) {
            quoted.extend(text.split('`').skip(1).step_by(2));
        }
    }
    assert!(quoted.len() > 30, "{quoted:?}");
    for text in &quoted {
        let is_real = CAUSES.iter().any(|cause| cause.as_str() == *text);
        assert!(is_real, "no refusal says {text:?}");
    }
    for cause in CAUSES {
        assert!(quoted.contains(&cause.as_str()), "{cause} is not explained");
    }
}
