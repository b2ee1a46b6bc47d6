//! What a permit proves.

use ringwall_authz::{
    Action, Duties, Policy, PolicyDocument, Refused, ResourceDefinition, Rule, RuleObligations,
};
use ringwall_core::classification::{Obligation, Sensitivity};

use crate::people::{now, somebody};

struct ReadCase;

impl Action for ReadCase {
    const RESOURCE: &'static str = "case";
    const NAME: &'static str = "read";
}

fn policy() -> Policy {
    let owes = || RuleObligations::default();
    let document = PolicyDocument::new("duties")
        .resource("case", ResourceDefinition::new(["read"]))
        .resource("note", ResourceDefinition::new(["read"]))
        .rule(
            Rule::permit("a", "case", ["read"]).scopes(["a"]).owes(
                owes()
                    .mask_above(Sensitivity::Confidential)
                    .redact(["/ssn"]),
            ),
        )
        .rule(
            Rule::permit("b", "case", ["read"]).scopes(["b"]).owes(
                owes()
                    .mask_above(Sensitivity::Internal)
                    .redact(["/name", "/ssn"])
                    .reason_required(),
            ),
        )
        .rule(Rule::permit("c", "case", ["read"]).scopes(["c"]))
        .rule(Rule::permit("n", "note", ["read"]).anyone());
    Policy::new(document).expect("a policy")
}

fn ask(scopes: &[&str], duties: &Duties) -> Result<ringwall_authz::Permit<ReadCase>, Refused> {
    let policy = policy();
    let subject = crate::people::with_claims(&policy, &[], scopes)
        .scopes_of_credential()
        .build();
    let case = policy
        .resource("case")
        .expect("declared")
        .id("c1")
        .org("o1");
    policy.authorize(&subject, &case, &policy.context(now()), duties)
}

#[test]
fn what_every_rule_that_permits_demands_is_owed_the_strictest_first() {
    let all = Duties::none().masks().redacts().reason("an audit");
    let permit = ask(&["a", "b", "c"], &all).expect("a permit");
    assert_eq!(
        permit.obligations(),
        [
            Obligation::MaskAbove(Sensitivity::Internal),
            Obligation::Redact(vec!["/name".into(), "/ssn".into()]),
            Obligation::ReasonRequired,
        ]
    );
    assert_eq!(permit.mask_above(), Some(Sensitivity::Internal));
    assert_eq!(permit.redacted(), ["/name", "/ssn"]);
    assert_eq!(permit.reason(), Some("an audit"));
    assert_eq!((permit.resource_id(), permit.org()), ("c1", Some("o1")));
    assert!(
        ask(&["c"], &Duties::none())
            .expect("a permit")
            .obligations()
            .is_empty()
    );
}

#[test]
fn an_obligation_that_is_not_met_is_a_denial() {
    for duties in [
        Duties::none(),
        Duties::none().masks(),
        Duties::none().redacts(),
    ] {
        let refused = ask(&["a"], &duties).expect_err("it is refused");
        assert!(
            matches!(refused, Refused::ObligationNotMet(_)),
            "{refused:?}"
        );
        assert_eq!(refused.denial().http_status(), 403);
    }
    assert!(ask(&["a"], &Duties::none().masks().redacts()).is_ok());
    let blank = Duties::none().masks().redacts().reason("  ");
    assert!(matches!(
        ask(&["b"], &blank).expect_err("no reason"),
        Refused::ObligationNotMet(Obligation::ReasonRequired)
    ));
}

#[test]
fn a_permit_is_for_a_resource_that_has_an_id_and_is_of_the_type() {
    let policy = policy();
    let subject = somebody(&policy, "u1").build();
    let context = policy.context(now());
    let duties = Duties::none();
    let note = policy
        .resource("note")
        .expect("declared")
        .id("n1")
        .org("o1");
    assert!(matches!(
        policy.authorize::<ReadCase>(&subject, &note, &context, &duties),
        Err(Refused::OtherResource)
    ));
    let case = policy.resource("case").expect("declared").org("o1");
    assert!(matches!(
        policy.authorize::<ReadCase>(&subject, &case, &context, &duties),
        Err(Refused::OtherResource)
    ));
    let case = policy
        .resource("case")
        .expect("declared")
        .id(7_i64)
        .org("o1");
    assert!(
        policy
            .authorize::<ReadCase>(&subject, &case, &context, &duties)
            .is_err()
    );
}
