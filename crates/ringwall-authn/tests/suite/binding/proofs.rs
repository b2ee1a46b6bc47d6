//! What a proof has to be (RFC 9449 §4.3), and each thing that it must not be.

use ringwall_authn::jose::{Algorithm, base64url};
use ringwall_authn::ProofFault;
use ringwall_core::event::EventKind;
use serde_json::{Value, json};

use super::service::*;
use crate::support::*;

const ALGORITHMS: [Algorithm; 5] = [
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::EdDsa,
    Algorithm::Ps256,
    Algorithm::Rs256,
];

#[test]
fn a_bound_token_with_a_proof_of_its_key_is_accepted_under_every_algorithm() {
    let service = Service::new();
    for algorithm in ALGORITHMS {
        let client = Key::new("client", algorithm);
        let token = service.issuer.token(&bound_to(&client));
        // Twice: from scratch, and from the cache.
        for _ in 0..2 {
            let proof = Draft::new(&client, &token).sign(&client);
            let verified = service.send(&Request::dpop(&token, &proof)).unwrap();
            assert_eq!(verified.principal().subject, "user-1");
            let confirmation = verified.confirmation().unwrap();
            let thumbprint = client.public().thumbprint();
            assert_eq!(confirmation.key_thumbprint(), Some(&thumbprint));
        }
    }
    let accepted = 2 * ALGORITHMS.len();
    assert_eq!(service.store.calls(), accepted);
    assert_eq!(
        count(&service, EventKind::AuthenticationSucceeded),
        accepted
    );
}
