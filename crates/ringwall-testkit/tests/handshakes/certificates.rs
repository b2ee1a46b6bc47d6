//! Who gets in with which certificate.

use crate::authority::{
    Authority, Pair, WORKER, certificate_authority, common_name_alone, expired, workload,
};
use crate::client::{Outcome, ask, config};
use crate::site::{ALL, Site};

/// Certificate, and what becomes of a request with it; the same under every framework.
fn cases(authority: &Authority) -> Vec<(&'static str, Option<Pair>, Outcome)> {
    let sign = |params| Some(authority.sign(&params));
    let domain_of_others = "spiffe://other.example/worker";
    let unmapped = "spiffe://test.example/other";
    vec![
        ("good", Some(authority.client()), Outcome::Admitted),
        ("none", None, Outcome::Unauthenticated),
        ("expired", sign(expired()), Outcome::Closed),
        (
            "of another authority, with the same name",
            Some(Authority::new("foreign").client()),
            Outcome::Closed,
        ),
        (
            "an authority's own",
            sign(certificate_authority()),
            Outcome::Closed,
        ),
        (
            "two names",
            sign(workload(&[WORKER, "spiffe://test.example/admin"])),
            Outcome::Unauthenticated,
        ),
        (
            "common name alone",
            sign(common_name_alone()),
            Outcome::Unauthenticated,
        ),
        (
            "foreign trust domain under the trusted root",
            sign(workload(&[domain_of_others])),
            Outcome::Unauthenticated,
        ),
        (
            "no path",
            sign(workload(&["spiffe://test.example"])),
            Outcome::Unauthenticated,
        ),
        (
            "nobody mapped",
            sign(workload(&[unmapped])),
            Outcome::Forbidden,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_framework_lets_in_whoever_shows_a_good_certificate_and_nobody_else() {
    let authority = Authority::new("authority");
    let cases = cases(&authority);
    let mut wrong = Vec::new();
    for framework in ALL {
        let site = Site::start(framework, &authority, [authority.pem()]).await;
        for (name, certificate, expected) in &cases {
            let config = config(&authority, certificate.as_ref());
            let outcome = ask(&site, &config).await;
            if outcome != *expected {
                wrong.push(format!(
                    "{framework:?}, {name}: {outcome:?} and not {expected:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
