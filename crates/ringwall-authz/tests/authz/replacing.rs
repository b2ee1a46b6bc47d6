//! The policy in force, replaced.

use std::sync::{Arc, Mutex};

use ringwall_authz::{
    Decision, Policy, PolicyFaults, PolicyHandle, PolicyHash, PolicyObserver, Question, Value,
    ready,
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
    decide(handle).is_permit()
}

fn decide(handle: &PolicyHandle) -> Decision {
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
    decision.expect("declared")
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
    let one = ready::rows().expect("a policy");
    // Another in which analysts read nothing.
    let other = ready::ROWS.replace("roles = [\"analyst\"]", "roles = [\"admin\"]");
    let other = Policy::from_toml(&other).expect("a policy");
    assert_ne!(one.hash(), other.hash());
    let handle = PolicyHandle::new(one.clone(), Arc::new(Told::default()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    let decision = decide(&handle);
                    // The one or the other, and never something between them.
                    let is_one = decision.policy_hash() == one.hash();
                    assert!(is_one || decision.policy_hash() == other.hash());
                    assert_eq!(decision.is_permit(), is_one, "{decision}");
                }
            });
        }
        for turn in 0..2000 {
            handle.replace(if turn % 2 == 0 {
                other.clone()
            } else {
                one.clone()
            });
        }
    });
}

/// A context that is told in the words of a later policy: a level that this one does not have, and null.
#[test]
fn a_candidate_is_told_what_the_policy_in_force_does_not_know() {
    let policy = |more: &str, when: &str| {
        let text = format!(
            r#"
            version = 1
            name = "levels"
            levels.risk = ["low", {more} "high"]
            context.risk = "risk"
            context.purpose = "text"
            resources.case.actions = ["read"]
            [[rules]]
            id = "read"
            effect = "permit"
            resource = "case"
            actions = ["read"]
            when = {when}
            "#
        );
        Policy::from_toml(&text).expect("a policy")
    };
    let live = policy("", r#"{ is_set = "context.risk" }"#);
    for (when, is_permit) in [
        (r#"{ eq = ["context.risk", { text = "middle" }] }"#, true),
        // Told as null, and not by a name that was misspelt.
        (r#"{ not = { is_set = "context.purpose" } }"#, true),
        (r#"{ is_set = "context.purpose" }"#, false),
    ] {
        let candidate = policy("\"middle\",", when);
        let untold = live.context(now());
        let untold = untold.attribute("risk", "middle").attribute("purpos", "x");
        let told = untold.clone().attribute("purpose", Value::Null);
        let subject = somebody(&candidate, "u1").build();
        let case = candidate.resource("case").expect("declared").org("o1");
        let context = told.for_policy(&candidate);
        let decision = candidate.decide(&subject, "read", &case, &context);
        assert_eq!(decision.is_permit(), is_permit, "{when}");
        // Nobody told the purpose, unless by that name.
        let context = untold.for_policy(&candidate);
        let decision = candidate.decide(&subject, "read", &case, &context);
        assert_eq!(
            decision.is_permit(),
            is_permit && when.contains("risk"),
            "{when}"
        );
    }
}
