//! What a gate's authorization policy decides: for routes, and for handlers with a row in their hand.

use std::sync::Arc;

use ringwall_authz::directory::{DirectoryAnswer, DirectoryError};
use ringwall_authz::{
    Action, CredentialScopes, CredentialSubjects, DirectorySubjects, Duties, MemoryDirectory,
    NoObserver, Policy, PolicyHandle, PolicyInformationPoint, PolicyObserver, Resource,
    SubjectDirectory as _, SubjectFacts, SubjectResolver, ToResource, UnknownResourceType, ready,
};
use ringwall_core::attest::Attest;
use ringwall_core::event::{EventKind, MemoryEvents};
use ringwall_core::principal::{OrgId, Role, Subject as SubjectId, Tenant, VerifiedPrincipal};
use ringwall_core::step::Step;
use ringwall_gate::{
    Access, Authorization, Error, Gate, GateBuilder, PolicyEvents, RouteDemand, RoutePolicy,
};

use crate::support::{Bench, Says, done, principal, status, view, waited};

pub(crate) const ISSUER: &str = "https://issuer.example";

pub(crate) struct ReadCase;

impl Action for ReadCase {
    const RESOURCE: &'static str = "case";
    const NAME: &'static str = "read";
}

pub(crate) struct Case {
    pub(crate) org: &'static str,
    pub(crate) owner: &'static str,
}

impl ToResource for Case {
    fn to_resource<'a>(&'a self, policy: &Policy) -> Result<Resource<'a>, UnknownResourceType> {
        let case = policy.resource("case")?.id("c1").org(self.org);
        Ok(case.attribute("owner", self.owner))
    }
}

/// A caller of the organisation `o1` whose token names these roles and scopes.
pub(crate) fn caller(roles: &[&str], scopes: &[&str]) -> VerifiedPrincipal {
    let mut caller = (*principal(scopes)).clone();
    caller.tenant = Some(Tenant {
        org: OrgId::new("o1").expect("an organisation"),
        project: None,
    });
    caller.roles = roles
        .iter()
        .map(|role| Role::new(*role).expect("a role"))
        .collect();
    VerifiedPrincipal::attest(caller, Attest::i_have_verified_this())
}

pub(crate) fn by(policy: &str, subjects: impl SubjectResolver + 'static) -> Authorization {
    let policy = Policy::from_toml(policy).expect("a policy");
    let handle = PolicyHandle::new(policy, Arc::new(NoObserver));
    Authorization::new(handle, Arc::new(subjects))
}

pub(crate) fn claims(policy: &str) -> Authorization {
    by(policy, CredentialSubjects::scopes_and_roles())
}

pub(crate) fn bench(
    caller: VerifiedPrincipal,
    change: impl FnOnce(GateBuilder) -> GateBuilder,
) -> Bench {
    let says = Says {
        answer: Ok(caller),
        waits: false,
    };
    Bench::new(says, change)
}

pub(crate) fn route(demand: RouteDemand) -> RoutePolicy {
    let route = RoutePolicy::new("route", Access::Authenticated);
    route.with_demand(demand).expect("it is closed")
}

pub(crate) fn enter(bench: &Bench, demand: RouteDemand) -> u16 {
    let door = bench.gate.door(route(demand));
    let entry = done(door.enter(&view(&vec![("authorization", "x")])));
    let status = status(&entry);
    if let Ok((_, exit)) = entry {
        done(exit.finish(200, None));
    }
    status
}

#[test]
fn a_route_demands_a_rank() {
    for (roles, expected) in [
        (&["OWNER"][..], 200),
        (&["ADMIN"], 200),
        (&["DEV"], 403),
        (&["DEV", "BILLING", "VIEWER"], 403),
        (&["admin"], 403),
        (&[], 403),
    ] {
        let bench = bench(caller(roles, &[]), |gate| {
            gate.authorization(claims(ready::ORGANISATION))
        });
        assert_eq!(
            enter(&bench, RouteDemand::none().role("ADMIN")),
            expected,
            "{roles:?}"
        );
        let denied = bench.kinds().contains(&EventKind::AccessDenied);
        assert_eq!(denied, expected == 403);
    }
}

#[test]
fn a_route_demands_a_permission() {
    for (roles, scopes, expected) in [
        (&["ADMIN"][..], &[][..], 200),
        (&["DEV"], &[], 403),
        (&[], &["members:write"], 200),
        (&[], &["members:read", "*"], 403),
    ] {
        let bench = bench(caller(roles, scopes), |gate| {
            let subjects = CredentialSubjects::scopes_and_roles();
            let subjects = subjects.with_scopes(CredentialScopes::Grant);
            gate.authorization(by(ready::ORGANISATION, subjects))
        });
        let demand = RouteDemand::none().permission("member", "write");
        assert_eq!(enter(&bench, demand), expected, "{roles:?} {scopes:?}");
    }
    // Both, when both are demanded.
    let bench = bench(caller(&[], &["members:write"]), |gate| {
        gate.authorization(claims(ready::ORGANISATION))
    });
    let demand = RouteDemand::none()
        .permission("member", "write")
        .role("DEV");
    assert_eq!(enter(&bench, demand), 403);
}

#[test]
fn a_caller_without_a_tenant_has_no_permission_on_what_has_one() {
    let bench = bench(principal(&["members:write"]), |gate| {
        gate.authorization(claims(ready::ORGANISATION))
    });
    assert_eq!(
        enter(&bench, RouteDemand::none().permission("member", "write")),
        403
    );
}

#[test]
fn roles_of_credentials_are_not_believed_unless_that_is_said() {
    let subjects = CredentialSubjects::scopes();
    let bench = bench(caller(&["OWNER"], &[]), |gate| {
        gate.authorization(by(ready::ORGANISATION, subjects))
    });
    assert_eq!(enter(&bench, RouteDemand::none().role("VIEWER")), 403);
}

#[test]
fn a_demand_that_cannot_be_asked_is_found_at_start_and_lets_nobody_in() {
    let demands = || {
        [
            RouteDemand::none().role("NOBODY"),
            RouteDemand::none().permission("member", "destroy"),
            RouteDemand::none().permission("galaxy", "write"),
        ]
    };
    let with = bench(caller(&["OWNER"], &[]), |gate| {
        gate.authorization(claims(ready::ORGANISATION))
    });
    for demand in demands() {
        assert_eq!(
            with.gate.check(&route(demand.clone())),
            Err(Error::UnknownDemand)
        );
        assert_eq!(enter(&with, demand), 503);
    }
    let without = bench(caller(&["OWNER"], &[]), |gate| gate);
    let demand = RouteDemand::none().role("VIEWER");
    assert_eq!(
        without.gate.check(&route(demand.clone())),
        Err(Error::NoAuthorization)
    );
    assert_eq!(enter(&without, demand), 503);
    // What is open to strangers cannot demand anything of a caller.
    let open = RoutePolicy::new("route", Access::Optional);
    let demand = RouteDemand::none().role("VIEWER");
    assert_eq!(open.with_demand(demand).err(), Some(Error::OpenRoute));
}

/// A directory that does not answer.
#[derive(Debug)]
struct Down;

impl PolicyInformationPoint for Down {
    fn facts(&self, _: &OrgId, _: &SubjectId) -> DirectoryAnswer<SubjectFacts> {
        Step::wait(async {
            Err(DirectoryError::Unavailable {
                retry_after: core::time::Duration::from_secs(3),
                source: None,
            })
        })
    }
}

#[test]
fn a_directory_that_does_not_answer_is_503_and_an_event() {
    let bench = bench(caller(&[], &[]), |gate| {
        gate.authorization(by(
            ready::ROWS,
            DirectorySubjects::of_issuer(Arc::new(Down), ISSUER),
        ))
    });
    let door = bench.gate.door(route(RouteDemand::none().role("viewer")));
    let entry = waited(door.enter(&view(&vec![("authorization", "x")])));
    assert_eq!(status(&entry), 503);
    assert!(bench.kinds().contains(&EventKind::SubjectsUnavailable));
    // And so it is where a handler asks.
    let door = bench.gate.door(route(RouteDemand::none()));
    let (admitted, _exit) =
        done(door.enter(&view(&vec![("authorization", "x")]))).expect("admitted");
    let denial = waited(admitted.subject()).expect_err("the directory is down");
    assert_eq!(denial.http_status(), 503);
    assert_eq!(bench.kinds(), [EventKind::SubjectsUnavailable; 2]);
}

#[test]
fn a_handler_asks_with_the_row_in_its_hand() {
    let directory = MemoryDirectory::new();
    let org = OrgId::new("o1").expect("an organisation");
    let ada = SubjectId::new("ada").expect("a subject");
    done(directory.grant_role(&org, &ada, "analyst")).expect("granted");
    let bench = bench(caller(&["admin"], &[]), |gate| {
        gate.authorization(by(
            ready::ROWS,
            DirectorySubjects::of_issuer(Arc::new(directory), ISSUER),
        ))
    });
    for demand in [RouteDemand::none(), RouteDemand::none().role("analyst")] {
        let door = bench.gate.door(route(demand));
        let entry = done(door.enter(&view(&vec![("authorization", "x")])));
        let (admitted, exit) = entry.expect("admitted");
        let subject = done(admitted.subject()).expect("a subject");
        let ask = |org, owner| {
            let row = Case { org, owner };
            let permit = subject.authorize::<ReadCase>(&row, &Duties::none());
            permit.map(drop).map_err(|denial| denial.http_status())
        };
        assert_eq!(ask("o1", "ada"), Ok(()));
        assert_eq!(ask("o1", "bob"), Err(403));
        assert_eq!(
            ask("o2", "ada"),
            Err(404),
            "another organisation's does not exist"
        );
        let rows = subject.authorize_rows::<ReadCase>(&Duties::none());
        assert!(rows.expect("rows").filter().rows().is_some());
        done(exit.finish(200, None));
    }
    let refused = bench.kinds();
    let refused = refused
        .iter()
        .filter(|kind| **kind == EventKind::AccessDenied);
    assert_eq!(refused.count(), 4, "each refusal is told");
}

#[test]
fn what_the_door_asked_serves_the_handler_too() {
    #[derive(Debug, Default)]
    struct Counting(core::sync::atomic::AtomicUsize);
    impl PolicyInformationPoint for Counting {
        fn facts(&self, _: &OrgId, _: &SubjectId) -> DirectoryAnswer<SubjectFacts> {
            self.0.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
            let mut facts = SubjectFacts::new(1);
            facts.roles.push("viewer".into());
            Step::Done(Ok(facts))
        }
    }
    let asked = Arc::new(Counting::default());
    let bench = bench(caller(&[], &[]), |gate| {
        gate.authorization(by(
            ready::ROWS,
            DirectorySubjects::of_issuer(asked.clone(), ISSUER),
        ))
    });
    let door = bench.gate.door(route(RouteDemand::none().role("viewer")));
    let (admitted, _exit) =
        done(door.enter(&view(&vec![("authorization", "x")]))).expect("admitted");
    for _ in 0..3 {
        done(admitted.subject()).expect("a subject");
    }
    assert_eq!(asked.0.load(core::sync::atomic::Ordering::Relaxed), 1);
}

#[test]
fn nobody_is_no_subject_and_a_gate_without_a_policy_says_so() {
    let gate = bench(caller(&[], &[]), |gate| gate);
    let door = gate.gate.door(route(RouteDemand::none()));
    let (admitted, _exit) =
        done(door.enter(&view(&vec![("authorization", "x")]))).expect("admitted");
    assert_eq!(
        done(admitted.subject())
            .expect_err("no policy")
            .http_status(),
        503
    );
    assert!(gate.kinds().contains(&EventKind::Misconfigured));
    let gate = bench(caller(&[], &[]), |gate| {
        gate.authorization(claims(ready::ROWS))
    });
    let door = gate.gate.door(RoutePolicy::new("route", Access::Optional));
    let (admitted, _exit) = done(door.enter(&view(&vec![]))).expect("admitted");
    assert_eq!(
        done(admitted.subject()).expect_err("nobody").http_status(),
        401
    );
}

#[test]
fn a_refusal_says_to_the_operator_what_was_decided_by_which_policy() {
    let hash = |text: &str| Policy::from_toml(text).expect("a policy").hash();
    let (people, rows) = (hash(ready::ORGANISATION), hash(ready::ROWS));
    for (policy, demand, expected) in [
        (
            ready::ORGANISATION,
            RouteDemand::none().role("ADMIN"),
            format!("role ADMIN: forbid by policy {people}"),
        ),
        (
            ready::ORGANISATION,
            RouteDemand::none().permission("member", "write"),
            format!("member.write: forbid: no_rule_applies by policy {people}"),
        ),
        (
            ready::ROWS,
            RouteDemand::none().permission("case", "delete"),
            format!("case.delete: forbid: no_rule_applies by policy {rows}"),
        ),
    ] {
        let bench = bench(caller(&["analyst"], &[]), |gate| {
            gate.authorization(claims(policy))
        });
        assert_eq!(enter(&bench, demand), 403);
        let told = bench.events.snapshot();
        let denied = told
            .iter()
            .find(|event| event.kind == EventKind::AccessDenied);
        let denied = denied.expect("it is told");
        assert_eq!(denied.decision.as_deref(), Some(&*expected));
        assert_eq!(denied.about.as_deref(), Some("route"));
    }
    // In a handler, of a row: nothing of the row is said.
    let bench = bench(caller(&["analyst"], &[]), |gate| {
        gate.authorization(claims(ready::ROWS))
    });
    let door = bench.gate.door(route(RouteDemand::none()));
    let (admitted, exit) =
        done(door.enter(&view(&vec![("authorization", "x")]))).expect("admitted");
    let subject = done(admitted.subject()).expect("a subject");
    let row = Case {
        org: "o1",
        owner: "somebody-else",
    };
    let refused = subject.authorize::<ReadCase>(&row, &Duties::none());
    assert_eq!(refused.expect_err("not its own").http_status(), 403);
    done(exit.finish(403, None));
    let told = bench.events.snapshot();
    let denied: Vec<_> = told
        .iter()
        .filter_map(|event| event.decision.as_deref())
        .collect();
    assert_eq!(
        denied,
        [format!(
            "case.read: forbid: no_rule_applies by policy {rows}"
        )]
    );
}

#[test]
fn what_happens_to_a_policy_is_an_event() {
    let events = Arc::new(MemoryEvents::new(16));
    let observer: Arc<dyn PolicyObserver> = Arc::new(PolicyEvents::new(events.clone()));
    let handle = PolicyHandle::new(ready::rows().expect("a policy"), observer);
    assert!(handle.replace_toml("version = 1").is_err());
    handle.replace(ready::rows().expect("a policy"));
    handle.shadow(Some(ready::rows_and_clearance().expect("a policy")));
    let authorization =
        Authorization::new(handle, Arc::new(CredentialSubjects::scopes_and_roles()));
    let bench = bench(caller(&["analyst"], &[]), |gate| {
        gate.authorization(authorization)
    });
    let door = bench.gate.door(route(RouteDemand::none()));
    let (admitted, _exit) =
        done(door.enter(&view(&vec![("authorization", "x")]))).expect("admitted");
    let subject = done(admitted.subject()).expect("a subject");
    let row = Case {
        org: "o1",
        owner: "ada",
    };
    assert!(
        subject.authorize::<ReadCase>(&row, &Duties::none()).is_ok(),
        "the candidate counts for nothing"
    );
    let told: Vec<EventKind> = events.snapshot().iter().map(|event| event.kind).collect();
    assert_eq!(
        told,
        [
            EventKind::PolicyRefused,
            EventKind::PolicyReplaced,
            EventKind::PolicyDiffers
        ]
    );
    let rows = ready::rows().expect("a policy").hash().to_string();
    let about = |number: usize| events.snapshot()[number].about.clone().expect("it is told");
    assert_eq!(*about(1), *rows);
    assert!(
        about(2).contains("permit: permitted") && about(2).contains("candidate: forbid"),
        "{}",
        about(2)
    );
    let debug = format!("{:?}", Gate::clone(&bench.gate));
    assert!(!debug.is_empty());
}

#[test]
fn a_directory_is_not_asked_about_subjects_of_another_issuer() {
    let directory = MemoryDirectory::new();
    let org = OrgId::new("o1").expect("an organisation");
    let ada = SubjectId::new("ada").expect("a subject");
    done(directory.grant_role(&org, &ada, "admin")).expect("granted");
    let directory = Arc::new(directory);
    for (issuer, expected) in [
        (None, 200),
        (Some(ISSUER), 200),
        (Some("https://partner.example"), 403),
        (Some("https://issuer.example/"), 403),
    ] {
        let mut principal = (*caller(&[], &[])).clone();
        principal.issuer = issuer.map(Into::into);
        let principal = VerifiedPrincipal::attest(principal, Attest::i_have_verified_this());
        let subjects = DirectorySubjects::of_issuer(directory.clone(), ISSUER);
        let bench = bench(principal, |gate| {
            gate.authorization(by(ready::ROWS, subjects))
        });
        let demand = RouteDemand::none().role("admin");
        assert_eq!(enter(&bench, demand), expected, "{issuer:?}");
    }
}

#[test]
fn a_permission_under_an_obligation_is_not_one_that_a_route_can_demand() {
    let policy = r#"
        version = 1
        name = "duties"
        [resources.report]
        actions = ["read", "list"]
        [[rules]]
        id = "masked"
        effect = "permit"
        resource = "report"
        actions = ["read"]
        anyone = true
        obligations = { mask_above = "internal" }
        [[rules]]
        id = "plain"
        effect = "permit"
        resource = "report"
        actions = ["list"]
        anyone = true
    "#;
    let bench = bench(caller(&[], &[]), |gate| gate.authorization(claims(policy)));
    let demand = |action| RouteDemand::none().permission("report", action);
    assert_eq!(enter(&bench, demand("list")), 200);
    // Nobody would meet it: the handler does not know.
    assert_eq!(enter(&bench, demand("read")), 403);
}

#[test]
fn an_answer_that_goes_on_ends_when_the_role_that_its_route_demands_is_taken_back() {
    let directory = Arc::new(MemoryDirectory::new());
    let org = OrgId::new("o1").expect("an organisation");
    let ada = SubjectId::new("ada").expect("a subject");
    done(directory.grant_role(&org, &ada, "manager")).expect("granted");
    let subjects = DirectorySubjects::of_issuer(directory.clone(), ISSUER);
    let bench = bench(caller(&[], &[]), |gate| {
        gate.authorization(by(ready::ROWS, subjects))
    });
    let door = bench.gate.door(route(RouteDemand::none().role("manager")));
    let free = bench.gate.door(route(RouteDemand::none()));
    let lease = |door: &ringwall_gate::Door| {
        let entry = done(door.enter(&view(&vec![("authorization", "x")])));
        let (admitted, exit) = entry.expect("admitted");
        done(exit.finish(200, None));
        admitted.lease().expect("a caller")
    };
    let (demanding, plain) = (lease(&door), lease(&free));
    let is_good = |lease: &ringwall_gate::Lease| {
        matches!(done(lease.check()), ringwall_gate::Standing::Good { .. })
    };
    assert!(is_good(&demanding) && is_good(&plain));
    done(directory.revoke_role(&org, &ada, "manager")).expect("revoked");
    assert!(!is_good(&demanding) && is_good(&plain));
}
