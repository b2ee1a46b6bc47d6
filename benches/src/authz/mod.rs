//! Authorization: what a decision costs, and how it grows with the policy.

pub mod lists;
mod worlds;

use std::hint::black_box;

use ringwall_authz::{Policy, RequiredScope};
use ringwall_core::clock::Timestamp;

use crate::{
    goals::Goals,
    race::{Length, Race, Times},
    report::{Report, fastest, print_times},
};
use worlds::{Casbin, Cedar, Gatehouse, Shape, ours_policy, principal};

const OURS: &str = "ringwall";
const OURS_BY_TEXT: &str = "ringwall, looked up by text";
const HAND: &str = "hand-written";
const CEDAR: &str = "cedar-policy";
const CEDAR_CHECKED: &str = "cedar-policy, checked by its schema";
const CASBIN: &str = "casbin";
const CASBIN_CACHED: &str = "casbin, cached";
const GATEHOUSE: &str = "gatehouse";

/// # Panics
///
/// When an engine decides otherwise than it must.
pub fn run(length: Length, report: &mut Report, goals: &mut Goals) {
    scope(length, report, goals);
    let mut at_ten = None;
    let sizes: &[usize] = if length.is_smoke() {
        &[10, 50]
    } else {
        &[10, 1_000, 10_000]
    };
    for &policies in sizes {
        let times = decisions(length, Shape::Indexed, policies);
        let case = format!("kind=abac policies={policies}");
        print_times(&case, &times);
        let ours = fastest(&times, OURS);
        for peer in [CEDAR, CEDAR_CHECKED, CASBIN, CASBIN_CACHED, GATEHOUSE] {
            if times.iter().any(|times| times.name == peer) {
                report.compare(&case, ours, peer, fastest(&times, peer));
            }
        }
        let cedar = times.iter().find(|times| times.name == CEDAR);
        let against_cedar = cedar.map(|cedar| ours / cedar.minimum);
        match (policies, against_cedar) {
            (10, Some(ratio)) => {
                at_ten = Some(ours);
                goals.at_most("a decision at 10 policies, against Cedar", 0.01, ratio, "×");
            }
            (1_000, Some(ratio)) => {
                goals.at_most(
                    "a decision at 1,000 policies, against Cedar",
                    0.000_5,
                    ratio,
                    "×",
                );
            }
            _ => {}
        }
        if let (10_000, Some(ten)) = (policies, at_ten) {
            goals.at_most(
                "ours at 10,000 policies, against ours at 10",
                2.0,
                ours / ten,
                "×",
            );
        }
    }
    // Rules that compare nothing with a constant: each has to be looked at.
    for &policies in &sizes[..2] {
        let times = decisions(length, Shape::Bad, policies);
        let case = format!("kind=abac-no-index policies={policies}");
        print_times(&case, &times);
        report.compare(&case, fastest(&times, OURS), CEDAR, fastest(&times, CEDAR));
    }
}

/// The subject is there: whether it holds a scope.
fn scope(length: Length, report: &mut Report, goals: &mut Goals) {
    let policy = ringwall_authz::ready::organisation().expect("a policy");
    let principal = principal(
        "u1",
        &["runs:read", "usage:read", "chat:read", "settings:read"],
    );
    let subject = policy.subject(&principal).scopes_of_credential().build();
    let required = RequiredScope::new("settings:read");
    assert!(required.is_held_by(&subject) && subject.has_scope("settings:read"));
    let scopes = &principal.scopes;
    let mut race = Race::new();
    race.add(OURS, || {
        black_box(&required).is_held_by(black_box(&subject))
    });
    race.add(OURS_BY_TEXT, || {
        black_box(&subject).has_scope(black_box("settings:read"))
    });
    race.add(HAND, || {
        black_box(scopes)
            .iter()
            .any(|scope| scope.as_str() == black_box("settings:read"))
    });
    let times = race.run(length);
    let case = "kind=scope scopes=4";
    print_times(case, &times);
    let (ours, hand) = (fastest(&times, OURS), fastest(&times, HAND));
    report.compare(case, ours, HAND, hand);
    goals.at_most(
        "a scope, against a hand-written match",
        0.5,
        ours / hand,
        "×",
    );
}

/// A whole decision: the request, the subject and the resource with their attributes are made each time.
fn decisions(length: Length, shape: Shape, policies: usize) -> Vec<Times> {
    let wanted = policies / 2;
    let department = format!("d{wanted}");
    let policy: Policy = ours_policy(shape, policies);
    let user = principal("u1", &[]);
    let now = Timestamp::from_unix_seconds(1_767_225_600).expect("in range");
    let ours = || {
        let subject = policy
            .subject(&user)
            .roles(["analyst"])
            .attribute("clearance", 2_i64, None)
            .build();
        let case = policy
            .resource("case")
            .expect("declared")
            .id("c1")
            .org("o1")
            .attribute("department", department.as_str())
            .attribute("owner", "u1")
            .attribute("sensitivity", 1_i64);
        let decision = policy.decide(&subject, "read", &case, &policy.context(now));
        assert!(decision.is_permit());
    };
    let cedar = Cedar::new(shape, policies);
    let gatehouse = Gatehouse::new(shape, policies);
    let casbin = (shape == Shape::Indexed).then(|| Casbin::new(policies));
    let length = if policies >= 1_000 {
        Length::BRIEF
    } else {
        length
    };
    let mut race = Race::new();
    race.add(OURS, ours);
    race.add(CEDAR, || cedar.decide(&department, false));
    race.add(CEDAR_CHECKED, || cedar.decide(&department, true));
    race.add(GATEHOUSE, || gatehouse.decide(&department));
    if let Some(casbin) = &casbin {
        race.add(CASBIN, || casbin.decide(&department));
        race.add(CASBIN_CACHED, || casbin.decide_cached(&department));
    }
    race.run(length)
}
