//! What handlers ask that the policy cannot answer: a mistake of the service, and nobody's lack of a right.

use ringwall_authz::{
    Action, CredentialSubjects, Duties, Policy, Resource, ToResource, UnknownResourceType,
};
use ringwall_core::event::EventKind;
use ringwall_gate::{RouteDemand, SubjectAccess};

use crate::authorization::{bench, by, caller, route};
use crate::support::{Bench, done, view};

const POLICY: &str = r#"
version = 1
name = "notes"
resources.note = { actions = ["read"] }
[[rules]]
id = "read"
effect = "permit"
resource = "note"
actions = ["read"]
anyone = true
"#;

struct Read;

impl Action for Read {
    const RESOURCE: &'static str = "note";
    const NAME: &'static str = "read";
}

/// A row of this type.
struct Row(&'static str);

impl ToResource for Row {
    fn to_resource<'a>(&'a self, policy: &Policy) -> Result<Resource<'a>, UnknownResourceType> {
        Ok(policy.resource(self.0)?.id("n1").org("o1"))
    }
}

fn site() -> (Bench, SubjectAccess) {
    let bench = bench(caller(&[], &[]), |gate| {
        gate.authorization(by(POLICY, CredentialSubjects::scopes()))
    });
    let door = bench.gate.door(route(RouteDemand::none()));
    let entry = done(door.enter(&view(&vec![("authorization", "x")])));
    let (admitted, exit) = entry.expect("admitted");
    done(exit.finish(200, None));
    let subject = done(admitted.subject()).expect("a subject");
    (bench, subject)
}

#[test]
fn rows_that_no_database_can_be_asked_for_are_a_mistake_of_the_service() {
    let (bench, subject) = site();
    let denial = subject.authorize_rows::<Read>(&Duties::none());
    let denial = denial.expect_err("the type has no table");
    assert!(denial.http_status() >= 500, "{denial:?}");
    assert_eq!(bench.kinds(), [EventKind::Misconfigured]);
}

#[test]
fn a_row_of_a_type_that_the_policy_does_not_have_is_a_mistake_of_the_service() {
    let (bench, subject) = site();
    assert!(
        subject
            .authorize::<Read>(&Row("note"), &Duties::none())
            .is_ok()
    );
    assert_eq!(bench.kinds(), []);
    let galaxy = Row("galaxy");
    let denials = [
        subject
            .authorize::<Read>(&galaxy, &Duties::none())
            .map(drop),
        subject.decide("read", &galaxy).map(drop),
    ];
    for denial in denials {
        assert_eq!(denial.expect_err("there is none").http_status(), 503);
    }
    assert_eq!(bench.kinds(), [EventKind::Misconfigured; 2]);
}
