//! Cedar, another engine, decides the same policies, as far as nothing is null: there the two mean the same by a
//! condition. What is null they take differently: an error leaves out a forbid of Cedar's.
//!
//! `cargo xtask ci oracle` runs this; `RINGWALL_AUTHZ_CASES` says how many cases there are, and `PROPTEST_RNG_SEED`
//! which.

mod cedar;
mod dice;
mod policies;
mod requests;
mod words;

use std::env;

use ringwall_authz::{Policy, PolicyDocument};

use cedar::{Oracle, Slip};
use dice::Dice;
use requests::{Request, Verdict};

/// Policies are dear, requests are not.
const REQUESTS_PER_POLICY: usize = 8;
/// Cases in which every slip of the translation has to show.
const CASES_PER_SLIP: usize = 4_000;

fn number(variable: &str, default: u64) -> u64 {
    let value = env::var(variable).ok();
    value.map_or(default, |value| value.parse().expect("a number"))
}

fn seed() -> u64 {
    number("PROPTEST_RNG_SEED", 20_260_801)
}

/// Policies that our loader accepts, each with requests. Ends after so many cases: pairs of a policy and a request, which
/// is made for every action of its type.
fn each_case(
    seed: u64,
    cases: usize,
    mut visit: impl FnMut(&PolicyDocument, &Policy, &[Request]) -> bool,
) {
    let (mut done, mut refused) = (0, 0);
    for number in 0.. {
        let mut dice = Dice::new(seed.wrapping_add(number * 1_000_003));
        let is_tenantless = dice.chance(30);
        let document = policies::random(&mut dice, is_tenantless);
        // What no file would be accepted with is no policy, such as a rule that never applies.
        let Ok(policy) = Policy::new(document.clone()) else {
            refused += 1;
            continue;
        };
        let requests: Vec<Request> = (0..REQUESTS_PER_POLICY)
            .map(|_| Request::random(&mut dice))
            .collect();
        done += requests.len();
        if visit(&document, &policy, &requests) || done >= cases {
            break;
        }
    }
    let accepted = done / REQUESTS_PER_POLICY;
    assert!(
        refused <= accepted * 2 + 10,
        "{refused} policies refused, {accepted} accepted"
    );
}

#[test]
fn property_cedar_decides_the_same_by_the_same_rules() {
    let seed = seed();
    let cases = number("RINGWALL_AUTHZ_CASES", 2_000) as usize;
    let (mut permitted, mut forbidden, mut nothing, mut others) = (0, 0, 0, 0);
    each_case(seed, cases, |document, policy, requests| {
        let oracle = Oracle::new(document, None);
        for request in requests {
            for action in request.thing.resource.actions() {
                let ours = request.decide(policy, action);
                let theirs = oracle.decide(request, action);
                assert_eq!(
                    ours,
                    theirs,
                    "ours and Cedar's, seed {seed}, action {action}\n{request:#?}\n{}\n{}",
                    serde_json::to_string(document).expect("it has a text"),
                    oracle.text
                );
                match ours {
                    Verdict::Permitted(rules) => {
                        assert!(!rules.is_empty());
                        permitted += 1;
                    }
                    Verdict::Forbidden(_) => forbidden += 1,
                    Verdict::NothingPermits => nothing += 1,
                    Verdict::OtherTenant => others += 1,
                }
            }
        }
        false
    });
    // A run in which all are permitted or all are not proves nothing.
    let all = permitted + forbidden + nothing + others;
    println!(
        "{all} decisions: {permitted} permitted, {forbidden} forbidden by a rule, {nothing} by none permitted, {others} of another tenant"
    );
    assert!(permitted * 10 >= all, "{permitted} of {all} permitted");
    for denied in [forbidden, nothing, others] {
        assert!(denied * 20 >= all, "{denied} of {all} denied for one cause");
    }
}

#[test]
fn property_a_slip_in_the_translation_shows() {
    let mut hidden = Slip::ALL.to_vec();
    each_case(seed(), CASES_PER_SLIP, |document, policy, requests| {
        let asked: Vec<_> = requests
            .iter()
            .flat_map(|request| {
                let actions = request.thing.resource.actions().iter();
                actions.map(move |action| (request, *action, request.decide(policy, action)))
            })
            .collect();
        hidden.retain(|slip| {
            let oracle = Oracle::new(document, Some(*slip));
            let mut asked = asked.iter();
            asked.all(|(request, action, ours)| oracle.decide(request, action) == *ours)
        });
        hidden.is_empty()
    });
    assert_eq!(hidden, [], "in {CASES_PER_SLIP} cases");
}
