//! What a route demands of a policy that nobody could meet, at start and once another policy is in force.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::Arc;

use ringwall_authz::directory::{DirectoryAnswer, DirectoryError};
use ringwall_authz::{
    CredentialSubjects, DirectorySubjects, Policy, PolicyHandle, PolicyInformationPoint,
    SubjectFacts, ready,
};
use ringwall_core::attest::Attest;
use ringwall_core::audit::AuditOutcome;
use ringwall_core::event::{EventKind, MemoryEvents};
use ringwall_core::principal::{OrgId, ProjectId, Subject as SubjectId, VerifiedPrincipal};
use ringwall_core::step::Step;
use ringwall_gate::{Authorization, Door, Error, PolicyEvents, RouteDemand, Standing};

use crate::authorization::{ISSUER, bench, by, caller, claims, enter, route};
use crate::support::{done, status, view};

const HEAD: &str = r#"
version = 1
name = "holds"
roles.admin = { rank = 1 }
resources.case = { actions = ["delete"], attributes = { legal_hold = "boolean", owner = "text" } }
[[rules]]
id = "delete"
effect = "permit"
resource = "case"
actions = ["delete"]
roles = ["admin"]
"#;

const HOLD: &str =
    "[[rules]]\nid = \"hold\"\neffect = \"forbid\"\nresource = \"case\"\nactions = [\"delete\"]\n";

/// Policies in which admins delete, and whether somebody could without a row.
fn holds() -> [(String, Result<(), Error>); 6] {
    let needs = Err(Error::DemandNeedsRow);
    let when = |rules: &str, condition: &str| format!("{HEAD}{rules}when = {condition}\n");
    [
        (HEAD.to_owned(), Ok(())),
        (when("", r#"{ is_set = "resource.owner" }"#), needs),
        (
            when("", r#"{ not = { is_set = "resource.legal_hold" } }"#),
            needs,
        ),
        (when(HOLD, r#"{ is_set = "resource.legal_hold" }"#), needs),
        (
            when(HOLD, r#"{ eq = ["resource.legal_hold", true] }"#),
            needs,
        ),
        // Whoever is not asked about is not forbidden.
        (
            when(
                HOLD,
                r#"{ all = [{ is_set = "resource.legal_hold" }, { eq = ["subject.id", { text = "eve" }] }] }"#,
            ),
            Ok(()),
        ),
    ]
}

#[test]
fn a_permission_that_nobody_can_have_without_the_row_is_found_at_start() {
    for (policy, found) in holds() {
        let bench = bench(caller(&["admin"], &[]), |gate| {
            gate.authorization(claims(&policy))
        });
        let demand = RouteDemand::none().permission("case", "delete");
        assert_eq!(bench.gate.check(&route(demand.clone())), found, "{policy}");
        let expected = if found.is_ok() { 200 } else { 503 };
        assert_eq!(enter(&bench, demand), expected, "{policy}");
    }
}

fn ask(door: &Door) -> u16 {
    let entry = done(door.enter(&view(&vec![("authorization", "x")])));
    let status = status(&entry);
    if let Ok((_, exit)) = entry {
        done(exit.finish(200, None));
    }
    status
}

#[test]
fn a_policy_that_no_longer_knows_what_a_route_demands_lets_nobody_in_and_is_reported() {
    const UNKNOWN: &str = "the authorization policy in force has no such role with a rank, or no such type of resource or action, as the route demands";
    let authorization = claims(ready::ORGANISATION);
    let handle = authorization.policy().clone();
    let bench = bench(caller(&["OWNER"], &[]), |gate| {
        gate.authorization(authorization)
    });
    let door = |demand| bench.gate.door(route(demand));
    let doors = [
        door(RouteDemand::none().role("VIEWER")),
        door(RouteDemand::none().permission("member", "write")),
        door(
            RouteDemand::none()
                .role("VIEWER")
                .permission("member", "write"),
        ),
    ];
    let free = door(RouteDemand::none());
    let told = || {
        let events = bench.events.snapshot().into_iter();
        events
            .map(|event| (event.kind, event.cause))
            .collect::<Vec<_>>()
    };
    assert_eq!(doors.each_ref().map(ask), [200; 3]);
    for _ in 0..2 {
        handle.replace(ready::endpoints().expect("a policy"));
        for _ in 0..2 {
            assert_eq!(doors.each_ref().map(ask), [503; 3]);
            assert_eq!(
                told().split_off(told().len() - 3),
                [(EventKind::Misconfigured, UNKNOWN); 3]
            );
        }
        assert_eq!(ask(&free), 200, "what demands nothing is open");
        // And it is over with the policy.
        handle.replace(ready::organisation().expect("a policy"));
        let before = told().len();
        assert_eq!(doors.each_ref().map(ask), [200; 3]);
        assert_eq!(told().len(), before);
    }
    let outcomes = bench.audit.snapshot();
    let denied = outcomes.iter().filter_map(|record| match &record.outcome {
        Some(AuditOutcome::Denied { status, cause }) => Some((*status, *cause)),
        _ => None,
    });
    assert!(denied.into_iter().all(|denied| denied == (503, UNKNOWN)));
}

#[test]
fn a_policy_that_permits_nobody_without_a_row_any_more_is_reported() {
    const NEEDS_ROW: &str = "the authorization policy in force permits to nobody, without a row, what the route demands";
    let authorization = claims(HEAD);
    let handle = authorization.policy().clone();
    let admin = bench(caller(&["admin"], &[]), |gate| {
        gate.authorization(authorization.clone())
    });
    let nobody = bench(caller(&[], &[]), |gate| gate.authorization(authorization));
    let demand = || RouteDemand::none().permission("case", "delete");
    let (open, shut) = (
        admin.gate.door(route(demand())),
        nobody.gate.door(route(demand())),
    );
    for (policy, found) in holds() {
        handle.replace_toml(&policy).expect("a policy");
        // Whoever may not is told so as long as somebody may.
        let expected = if found.is_ok() {
            [200, 403]
        } else {
            [503, 503]
        };
        assert_eq!([ask(&open), ask(&shut)], expected, "{policy}");
        let last = nobody.events.snapshot().pop().expect("it is refused");
        let told = if found.is_ok() {
            (
                EventKind::AccessDenied,
                "the authorization policy does not permit the route to the caller",
            )
        } else {
            (EventKind::Misconfigured, NEEDS_ROW)
        };
        assert_eq!((last.kind, last.cause), told, "{policy}");
    }
}

#[test]
fn a_permission_is_asked_about_the_callers_own_project() {
    const TASKS: &str = r#"
        version = 1
        name = "tasks"
        roles.admin = { rank = 1 }
        resources.task = { actions = ["read"], table = { name = "tasks", project = "project_id" } }
        [[rules]]
        id = "read"
        effect = "permit"
        resource = "task"
        actions = ["read"]
        roles = ["admin"]
    "#;
    for project in [None, Some("p1")] {
        let mut admin = (*caller(&["admin"], &[])).clone();
        let tenant = admin.tenant.as_mut().expect("an organisation");
        tenant.project = project.map(|name| ProjectId::new(name).expect("a project"));
        let admin = VerifiedPrincipal::attest(admin, Attest::i_have_verified_this());
        let bench = bench(admin, |gate| gate.authorization(claims(TASKS)));
        let demand = RouteDemand::none().permission("task", "read");
        assert_eq!(enter(&bench, demand), 200, "{project:?}");
    }
}

#[test]
fn an_answer_that_goes_on_ends_while_nobody_can_tell_of_its_caller() {
    /// Answers once.
    #[derive(Debug, Default)]
    struct Once(AtomicBool);
    impl PolicyInformationPoint for Once {
        fn facts(&self, _: &OrgId, _: &SubjectId) -> DirectoryAnswer<SubjectFacts> {
            if self.0.swap(true, Ordering::Relaxed) {
                return Step::Done(Err(DirectoryError::Unavailable {
                    retry_after: Duration::from_secs(3),
                    source: None,
                }));
            }
            let mut facts = SubjectFacts::new(1);
            facts.roles.push("viewer".into());
            Step::Done(Ok(facts))
        }
    }
    let bench = bench(caller(&[], &[]), |gate| {
        let subjects = DirectorySubjects::of_issuer(Arc::new(Once::default()), ISSUER);
        gate.authorization(by(ready::ROWS, subjects))
    });
    let door = bench.gate.door(route(RouteDemand::none().role("viewer")));
    let entry = done(door.enter(&view(&vec![("authorization", "x")])));
    let (admitted, exit) = entry.expect("admitted");
    done(exit.finish(200, None));
    let lease = admitted.lease().expect("a caller");
    assert!(!matches!(done(lease.check()), Standing::Good { .. }));
}

#[test]
fn a_candidate_is_asked_what_a_route_demands() {
    let events = Arc::new(MemoryEvents::new(16));
    let policy = Policy::from_toml(HEAD).expect("a policy");
    let handle = PolicyHandle::new(policy, Arc::new(PolicyEvents::new(events.clone())));
    let other = "roles.admin = { rank = 1 }\nroles.other = { rank = 1 }";
    let candidate = HEAD
        .replace("roles.admin = { rank = 1 }", other)
        .replace("roles = [\"admin\"]", "roles = [\"other\"]");
    handle.shadow(Some(Policy::from_toml(&candidate).expect("a policy")));
    let subjects = Arc::new(CredentialSubjects::scopes_and_roles());
    let bench = bench(caller(&["admin"], &[]), |gate| {
        gate.authorization(Authorization::new(handle, subjects))
    });
    let demand = RouteDemand::none().permission("case", "delete");
    assert_eq!(enter(&bench, demand), 200, "it counts for nothing");
    let kinds: Vec<EventKind> = events.snapshot().iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::PolicyDiffers]);
}

#[test]
fn a_role_without_a_rank_cannot_be_demanded() {
    for (admin, found) in [("{ rank = 1 }", Ok(())), ("{}", Err(Error::UnknownDemand))] {
        let policy = HEAD.replace("{ rank = 1 }", admin);
        let bench = bench(caller(&["admin"], &[]), |gate| {
            gate.authorization(claims(&policy))
        });
        let demand = RouteDemand::none().role("admin");
        assert_eq!(bench.gate.check(&route(demand)), found);
    }
}
