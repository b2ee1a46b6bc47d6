//! What is known of one caller, and by which policy one request is decided.

use core::time::Duration;
use std::sync::Arc;

use ringwall_authz::directory::{DirectoryAnswer, DirectoryError};
use ringwall_authz::{
    CredentialScopes, CredentialSubjects, DirectorySubjects, Duties, KnownSubject, MemoryDirectory,
    NoObserver, Policy, PolicyHandle, PolicyInformationPoint, SubjectDirectory as _, SubjectFacts,
    SubjectResolver, ready,
};
use ringwall_core::attest::Attest;
use ringwall_core::clock::{ManualClock, Timestamp};
use ringwall_core::event::{EventKind, MemoryEvents};
use ringwall_core::principal::{
    OrgId, PrincipalKind, Subject as SubjectId, Tenant, VerifiedPrincipal,
};
use ringwall_core::step::Step;
use ringwall_gate::{Authorization, LONGEST_PAUSE, Lease, PolicyEvents, RouteDemand, Standing};

use crate::authorization::{Case, ISSUER, ReadCase, bench, by, caller, enter, route};
use crate::support::{Bench, done, view};

/// A policy in which the role `reader` may read cases, and another one in which it may not.
fn reads(reader: &str) -> String {
    format!(
        r#"
        version = 1
        name = "reads"
        [roles.reader]
        rank = 1
        [roles.other]
        rank = 1
        [resources.case]
        actions = ["read"]
        attributes.owner = "text"
        [[rules]]
        id = "read"
        effect = "permit"
        resource = "case"
        actions = ["read"]
        roles = ["{reader}"]
        "#
    )
}

const ROW: Case = Case {
    org: "o1",
    owner: "ada",
};

fn admitted(bench: &Bench, demand: RouteDemand) -> ringwall_gate::Admitted {
    let door = bench.gate.door(route(demand));
    let entry = done(door.enter(&view(&vec![("authorization", "x")])));
    let (admitted, exit) = entry.expect("admitted");
    done(exit.finish(200, None));
    admitted
}

fn may_read(admitted: &ringwall_gate::Admitted) -> bool {
    let subject = done(admitted.subject()).expect("a subject");
    subject.authorize::<ReadCase>(&ROW, &Duties::none()).is_ok()
}

#[test]
fn one_request_is_decided_by_one_policy_while_another_is_put_into_force() {
    let permission = RouteDemand::none().permission("case", "read");
    for demand in [
        RouteDemand::none(),
        RouteDemand::none().role("reader"),
        permission,
    ] {
        let authorization = by(&reads("reader"), CredentialSubjects::scopes_and_roles());
        let handle = authorization.policy().clone();
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let bench = bench(caller(&["reader"], &[]), |gate| {
            gate.authorization(authorization).clock(clock.clone())
        });
        let before = admitted(&bench, demand.clone());
        let first = done(before.subject()).expect("a subject");
        handle.replace_toml(&reads("other")).expect("a policy");
        assert!(may_read(&before), "{demand:?}");
        let second = done(before.subject()).expect("a subject");
        assert_eq!(first.policy().hash(), second.policy().hash(), "{demand:?}");
        // Also when what is known of the caller is asked for anew.
        clock.advance(Duration::from_secs(10));
        assert!(may_read(&before), "{demand:?}");
        // Whoever comes later is decided by the new one.
        let after = admitted(&bench, RouteDemand::none());
        assert!(!may_read(&after), "{demand:?}");
    }
}

#[test]
fn an_answer_that_goes_on_is_decided_by_the_policy_that_is_in_force_by_then() {
    let authorization = by(&reads("reader"), CredentialSubjects::scopes_and_roles());
    let handle = authorization.policy().clone();
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let bench = bench(caller(&["reader"], &[]), |gate| {
        gate.authorization(authorization).clock(clock.clone())
    });
    let stream = admitted(&bench, RouteDemand::none().permission("case", "read"));
    let lease = stream.lease().expect("a caller");
    let is_good = |lease: &Lease| matches!(done(lease.check()), Standing::Good { .. });
    assert!(is_good(&lease));
    handle.replace_toml(&reads("other")).expect("a policy");
    // Its lease is looked at by the newest at once.
    assert!(!is_good(&lease));
    clock.advance(LONGEST_PAUSE);
    assert!(may_read(&stream));
    clock.advance(Duration::from_micros(1));
    assert!(!may_read(&stream));
    // A clock that went back says nothing of how old a request is.
    clock.set(Timestamp::from_unix_seconds(-1).expect("in range"));
    assert!(!may_read(&stream));
}

#[test]
fn a_candidate_is_given_the_circumstances_that_the_handler_tells() {
    let policy = |condition: &str| {
        format!(
            r#"
            version = 1
            name = "circumstances"
            {condition}
            [resources.case]
            actions = ["read"]
            attributes.owner = "text"
            [[rules]]
            id = "read"
            effect = "permit"
            resource = "case"
            actions = ["read"]
            "#
        )
    };
    let live = policy(
        "[levels]\nalarm = [\"green\", \"red\"]\n[context]\npurpose = \"text\"\nalarm = \"alarm\"\nold = \"integer\"",
    );
    let live = format!("{live}\nwhen = {{ eq = [\"context.purpose\", {{ text = \"audit\" }}] }}");
    // It asks the same, of a level with more members, and what the policy in force does not know.
    let candidate = policy(
        "[levels]\nalarm = [\"blue\", \"green\", \"red\"]\n[context]\npurpose = \"text\"\nalarm = \"alarm\"\nurgent = \"boolean\"",
    );
    let candidate = format!(
        "{candidate}\nwhen = {{ all = [{{ eq = [\"context.purpose\", {{ text = \"audit\" }}] }}, \
         {{ eq = [\"context.alarm\", {{ text = \"red\" }}] }}, {{ eq = [\"context.urgent\", true] }}] }}"
    );
    let events = Arc::new(MemoryEvents::new(16));
    let live = Policy::from_toml(&live).expect("a policy");
    let handle = PolicyHandle::new(live, Arc::new(PolicyEvents::new(events.clone())));
    handle.shadow(Some(Policy::from_toml(&candidate).expect("a policy")));
    let authorization = Authorization::new(handle, Arc::new(CredentialSubjects::scopes()));
    let bench = bench(caller(&[], &[]), |gate| gate.authorization(authorization));
    let admitted = admitted(&bench, RouteDemand::none());
    let subject = done(admitted.subject()).expect("a subject");
    let ask = |urgent: bool, alarm: &str| {
        let context = subject
            .context()
            .attribute("purpose", "audit")
            .attribute("alarm", alarm)
            .attribute("urgent", urgent)
            .attribute("old", 3);
        let before = events.snapshot().len();
        let permit = subject.authorize_in::<ReadCase>(&ROW, &context, &Duties::none());
        assert!(permit.is_ok(), "the policy in force permits");
        events.snapshot().len() > before
    };
    assert!(!ask(true, "red"), "both permit");
    assert!(
        ask(false, "red"),
        "the candidate was told that it is not urgent"
    );
    assert!(ask(true, "green"), "the candidate was told of the alarm");
    let kinds: Vec<EventKind> = events.snapshot().iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::PolicyDiffers; 2]);
}

/// A directory, with a table of assignments beside it.
#[derive(Debug)]
struct WithAssignments(DirectorySubjects);

impl SubjectResolver for WithAssignments {
    fn resolve(
        &self,
        principal: &VerifiedPrincipal,
        now: Timestamp,
    ) -> Step<Result<KnownSubject, DirectoryError>> {
        let known = self.0.resolve(principal, now);
        known.map(|known| {
            known.map(|known| {
                known
                    .related("case_assignments", ["c1"])
                    // Another policy of the same service knows it.
                    .related("approvals", ["c9"])
            })
        })
    }
}

fn viewers() -> DirectorySubjects {
    let directory = MemoryDirectory::new();
    let org = OrgId::new("o1").expect("an organisation");
    let ada = SubjectId::new("ada").expect("a subject");
    done(directory.grant_role(&org, &ada, "viewer")).expect("granted");
    DirectorySubjects::of_issuer(Arc::new(directory), ISSUER)
}

#[test]
fn a_viewer_reads_what_is_assigned_to_it() {
    // `Case` has the id c1.
    let ask = |subjects: Arc<dyn SubjectResolver>| {
        let policy = ready::rows().expect("a policy");
        let handle = PolicyHandle::new(policy, Arc::new(NoObserver));
        let bench = bench(caller(&[], &[]), |gate| {
            gate.authorization(Authorization::new(handle, subjects))
        });
        let admitted = admitted(&bench, RouteDemand::none().role("viewer"));
        let subject = done(admitted.subject()).expect("a subject");
        assert_eq!(subject.subject().errors(), []);
        subject
    };
    let read = |subject: &ringwall_gate::SubjectAccess| {
        subject.authorize::<ReadCase>(&ROW, &Duties::none()).is_ok()
    };
    assert!(read(&ask(Arc::new(WithAssignments(viewers())))));
    let untold = ask(Arc::new(viewers()));
    assert!(!read(&untold), "nobody told of assignments");
    // What are too many to be told with each request, the handler finds out for its row.
    assert!(read(&untold.is_related("case_assignments", "c1", true)));
    assert!(!read(&untold.is_related("case_assignments", "c1", false)));
    assert!(!read(&untold.is_related("case_assignments", "c2", true)));
    assert!(!read(&untold), "it is another one that was told");
    // And a list asks the database.
    #[derive(Debug)]
    struct InDatabase(DirectorySubjects);
    impl SubjectResolver for InDatabase {
        fn resolve(
            &self,
            principal: &VerifiedPrincipal,
            now: Timestamp,
        ) -> Step<Result<KnownSubject, DirectoryError>> {
            let known = self.0.resolve(principal, now);
            known.map(|known| known.map(|known| known.related_in_database("case_assignments")))
        }
    }
    let rows = |subject: &ringwall_gate::SubjectAccess| {
        let rows = subject.authorize_rows::<ReadCase>(&Duties::none());
        rows.is_ok_and(|rows| rows.filter().rows().is_some())
    };
    assert!(rows(&ask(Arc::new(InDatabase(viewers())))));
    assert!(!rows(&untold), "there is nothing to ask for");
}

#[test]
fn a_token_of_somebody_elses_client_does_no_more_than_its_scopes_say() {
    let permission = |action| RouteDemand::none().permission("member", action);
    let role = RouteDemand::none().role("VIEWER");
    for (scopes, read, write, rank) in [
        // A login of our own: its token says nothing of rights.
        (&[][..], 200, 200, 200),
        (
            &["openid", "profile", "email", "offline_access"],
            200,
            200,
            200,
        ),
        // A client that somebody let read.
        (&["members:read"], 200, 403, 403),
        (&["openid", "members:read"], 200, 403, 403),
        (&["members:read", "members:write"], 200, 200, 403),
        // Of another service, or of a policy of yesterday.
        (&["cases:read"], 403, 403, 403),
        (&["Members:read"], 403, 403, 403),
        (&["*"], 403, 403, 403),
        (&["members:*"], 403, 403, 403),
    ] {
        let ask = |demand| {
            let bench = bench(caller(&["ADMIN"], scopes), |gate| {
                let subjects = CredentialSubjects::scopes_and_roles();
                gate.authorization(by(ready::ORGANISATION, subjects))
            });
            enter(&bench, demand)
        };
        let answers = (
            ask(permission("read")),
            ask(permission("write")),
            ask(role.clone()),
        );
        assert_eq!(answers, (read, write, rank), "{scopes:?}");
    }
}

#[test]
fn scopes_give_a_person_nothing_that_its_roles_do_not_and_a_machine_what_they_name() {
    let ask = |kind, on_behalf_of: Option<&str>, roles: &[&str], scopes: CredentialScopes| {
        let mut principal = (*caller(roles, &["members:write"])).clone();
        principal.kind = kind;
        principal.on_behalf_of = on_behalf_of.map(|name| SubjectId::new(name).expect("a subject"));
        let principal = VerifiedPrincipal::attest(principal, Attest::i_have_verified_this());
        let subjects = CredentialSubjects::scopes_and_roles().with_scopes(scopes);
        let bench = bench(principal, |gate| {
            gate.authorization(by(ready::ORGANISATION, subjects))
        });
        enter(&bench, RouteDemand::none().permission("member", "write"))
    };
    use CredentialScopes::{ByKind, Grant, Ignore, Limit};
    for (kind, on_behalf_of, roles, scopes, expected) in [
        (PrincipalKind::User, None, &["DEV"][..], ByKind, 403),
        (PrincipalKind::User, None, &["ADMIN"], ByKind, 200),
        (PrincipalKind::User, None, &[], ByKind, 403),
        (PrincipalKind::User, None, &[], Grant, 200),
        (PrincipalKind::User, None, &["ADMIN"], Ignore, 200),
        (PrincipalKind::User, None, &[], Ignore, 403),
        (PrincipalKind::ApiKey, None, &[], ByKind, 200),
        (PrincipalKind::Service, None, &["DEV"], ByKind, 200),
        (PrincipalKind::Agent, None, &[], ByKind, 200),
        (PrincipalKind::ApiKey, None, &[], Limit, 403),
        // What it does for somebody it does with no more than it was given, and than it may.
        (PrincipalKind::Agent, Some("bob"), &[], ByKind, 403),
        (PrincipalKind::Agent, Some("bob"), &["ADMIN"], ByKind, 200),
    ] {
        assert_eq!(
            ask(kind, on_behalf_of, roles, scopes),
            expected,
            "{kind:?} {on_behalf_of:?} {roles:?} {scopes:?}"
        );
    }
}

#[test]
fn a_directory_is_asked_under_the_one_spelling_of_an_id() {
    const ORG: &str = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
    const ADA: &str = "00000000-0000-4000-8000-00000000abcd";
    /// Knows one person of one organisation.
    #[derive(Debug)]
    struct One;
    impl PolicyInformationPoint for One {
        fn facts(&self, org: &OrgId, subject: &SubjectId) -> DirectoryAnswer<SubjectFacts> {
            let mut facts = SubjectFacts::new(1);
            if (org.as_str(), subject.as_str()) == (ORG, ADA) {
                facts.roles.push("viewer".into());
            }
            Step::Done(Ok(facts))
        }
    }
    let uuids = ready::ROWS.replace(
        "name = \"rows\"\n",
        "name = \"rows\"\nsubject = { id = \"uuid\", tenant = \"uuid\" }\n",
    );
    let uuids = uuids.replace(
        "attributes.owner = { type = \"text\"",
        "attributes.owner = { type = \"uuid\"",
    );
    let braces = format!("{{{ADA}}}");
    for (policy, org, subject, expected) in [
        (&*uuids, ORG, ADA, 200),
        (&uuids, &ORG.to_uppercase(), &ADA.to_uppercase(), 200),
        (&uuids, ORG, &ADA.to_uppercase(), 200),
        (&uuids, &ORG.to_uppercase(), ADA, 200),
        // It is no UUID (RFC 9562 §4), and nobody's id.
        (&uuids, ORG, &braces, 403),
        (&uuids, ORG, "ada", 403),
        // Texts are what they are.
        (ready::ROWS, ORG, ADA, 200),
        (ready::ROWS, ORG, &ADA.to_uppercase(), 403),
    ] {
        let mut principal = (*caller(&[], &[])).clone();
        principal.subject = SubjectId::new(subject).expect("a subject");
        principal.tenant = Some(Tenant {
            org: OrgId::new(org).expect("an organisation"),
            project: None,
        });
        let principal = VerifiedPrincipal::attest(principal, Attest::i_have_verified_this());
        let bench = bench(principal, |gate| {
            let subjects = DirectorySubjects::of_issuer(Arc::new(One), ISSUER);
            gate.authorization(by(policy, subjects))
        });
        let demand = RouteDemand::none().role("viewer");
        assert_eq!(enter(&bench, demand), expected, "{org} {subject}");
    }
}
