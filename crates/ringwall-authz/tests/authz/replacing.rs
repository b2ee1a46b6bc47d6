//! The policy in force, replaced.

use std::sync::{Arc, Mutex};

use ringwall_authz::{
    Decision, Policy, PolicyFaults, PolicyHandle, PolicyHash, PolicyObserver, Question, ready,
};

use crate::people::{now, somebody};

#[derive(Debug, Default)]
struct Told(Mutex<Vec<String>>);

impl Told {
    fn tell(&self, what: String) {
        self.0.lock().expect("nobody panicked").push(what);
    }

    fn take(&self) -> Vec<String> {
        core::mem::take(&mut self.0.lock().expect("nobody panicked"))
    }
}

impl PolicyObserver for Told {
    fn replaced(&self, before: PolicyHash, now: PolicyHash) {
        self.tell(format!("replaced {}", before != now));
    }

    fn refused(&self, faults: &PolicyFaults) {
        self.tell(format!("refused {}", faults.faults().len()));
    }

    fn differs(&self, live: &Decision, candidate: Option<&Decision>) {
        let candidate = candidate.map_or_else(|| "none".to_owned(), ToString::to_string);
        self.tell(format!("{live} / {candidate}"));
    }
}

fn reads(handle: &PolicyHandle) -> bool {
    let decision = handle.decide("read", |policy| {
        Ok(Question {
            subject: somebody(policy, "u1").roles(["analyst"]).build(),
            resource: policy
                .resource("case")?
                .id("c1")
                .org("o1")
                .attribute("owner", "u1"),
            context: policy.context(now()),
        })
    });
    decision.expect("declared").is_permit()
}

#[test]
fn a_policy_in_which_something_is_wrong_leaves_the_one_before_in_force() {
    let told = Arc::new(Told::default());
    let handle = PolicyHandle::new(ready::rows().expect("a policy"), told.clone());
    let before = handle.load().hash();
    for text in [
        "",
        "version = 1",
        &ready::ROWS.replace("\"analyst\"", "\"analist\""),
    ] {
        assert!(handle.replace_toml(text).is_err());
    }
    assert_eq!(handle.load().hash(), before);
    assert!(reads(&handle));
    assert_eq!(told.take().len(), 3);
    let other = ready::ROWS.replace("analyst-own", "analyst-owns");
    let now = handle.replace_toml(&other).expect("a policy");
    assert_eq!(handle.load().hash(), now);
    assert_eq!(told.take(), ["replaced true"]);
}

#[test]
fn a_request_keeps_the_policy_that_it_began_with() {
    let handle = PolicyHandle::new(ready::rows().expect("a policy"), Arc::new(Told::default()));
    let policy = handle.load();
    let subject = somebody(&policy, "u1").roles(["admin"]).build();
    handle.replace(ready::rows_and_clearance().expect("a policy"));
    let case = policy
        .resource("case")
        .expect("declared")
        .id("c1")
        .org("o1");
    assert!(
        policy
            .decide(&subject, "read", &case, &policy.context(now()))
            .is_permit()
    );
    // The next one is judged by the other policy, and nothing of this one is taken for it.
    let next = handle.load();
    assert!(
        !next
            .decide(&subject, "read", &case, &next.context(now()))
            .is_permit()
    );
}

#[test]
fn a_candidate_decides_nothing_and_what_it_would_is_told() {
    let told = Arc::new(Told::default());
    let handle = PolicyHandle::new(ready::rows().expect("a policy"), told.clone());
    handle.shadow(Some(ready::rows().expect("a policy")));
    assert!(reads(&handle));
    assert!(told.take().is_empty(), "no difference");
    handle.shadow(Some(ready::rows_and_clearance().expect("a policy")));
    assert!(reads(&handle));
    let differences = told.take();
    assert_eq!(differences.len(), 1);
    assert!(
        differences[0].contains("above-clearance"),
        "{differences:?}"
    );
    handle.shadow(Some(ready::organisation().expect("a policy")));
    assert!(reads(&handle));
    assert_eq!(told.take(), ["permit: permitted (analyst-own) / none"]);
    handle.shadow(None);
    assert!(reads(&handle) && told.take().is_empty());
}

#[test]
fn policies_are_replaced_while_others_decide() {
    let handle = PolicyHandle::new(ready::rows().expect("a policy"), Arc::new(Told::default()));
    let (one, other): (Policy, Policy) = (
        ready::rows().expect("a policy"),
        ready::rows().expect("a policy"),
    );
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..2000).for_each(|_| assert!(reads(&handle))));
        }
        for turn in 0..2000 {
            handle.replace(if turn % 2 == 0 {
                one.clone()
            } else {
                other.clone()
            });
        }
    });
}
