//! The contract of [`ReplayStore`] as checks that any store can be put through.
//!
//! A test implements [`Setting`] for its store and calls [`all`], then those of [`full`], [`down`],
//! [`longest`] and [`lost_memory`] for which it can bring the store into that state. Each returns what
//! broke the contract instead of panicking, so that a runner of its own can collect the findings.
//! Keys are fresh in each run, so a store that others use too may be checked.

use core::hash::BuildHasher as _;
use core::time::Duration;
use std::hash::RandomState;
use std::sync::Arc;

use ringwall_core::clock::Timestamp;
use ringwall_core::step::BoxFuture;

use crate::{Claim, ClaimKey, ClaimRequest, ReplayStore, ReplayUnavailable};

/// What a claim is answered.
pub type Answer = Result<Claim, ReplayUnavailable>;

/// A store, and the world in which it is checked.
pub trait Setting: Sync {
    /// The store. Where several processes share one, another handle of it each time.
    fn store(&self) -> Arc<dyn ReplayStore>;

    /// The time now.
    fn now(&self) -> Timestamp;

    /// Lets this much time pass, for the store as well.
    fn pass(&self, time: Duration) -> BoxFuture<()>;

    /// Runs the claims at the same time, on several threads if there are, and returns all answers
    /// in any order.
    fn together(&self, claims: Vec<BoxFuture<Answer>>) -> BoxFuture<Vec<Answer>>;
}

/// How a store breaks its contract.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store breaks its contract: {0}")]
pub struct Violation(String);

/// Every check that an empty, working store can be put through; it takes about two seconds of the
/// setting's time.
///
/// # Errors
///
/// The first [`Violation`].
pub async fn all(setting: &dyn Setting) -> Result<(), Violation> {
    one_first(setting).await?;
    concurrent(setting).await?;
    distinct(setting).await?;
    over(setting).await?;
    remembers(setting).await
}

/// The first claim is the first one, and every other is a repetition.
///
/// # Errors
///
/// A [`Violation`].
pub async fn one_first(setting: &dyn Setting) -> Result<(), Violation> {
    let request = Keys::new("one_first").request(setting, 0, MINUTE)?;
    expect(setting, request, Ok(Claim::First), "an unused key").await?;
    for _ in 0..3 {
        expect(setting, request, Ok(Claim::Repeated), "a used key").await?;
    }
    Ok(())
}

/// Of a hundred calls at once, exactly one is the first; twenty times.
///
/// # Errors
///
/// A [`Violation`].
pub async fn concurrent(setting: &dyn Setting) -> Result<(), Violation> {
    let keys = Keys::new("concurrent");
    for number in 0..20 {
        let request = keys.request(setting, number, MINUTE)?;
        let claims = (0..100)
            .map(|_| {
                let store = setting.store();
                Box::pin(async move { store.claim(request).await }) as BoxFuture<Answer>
            })
            .collect();
        let answers = setting.together(claims).await;
        let count = |wanted: Answer| answers.iter().filter(|answer| **answer == wanted).count();
        let (first, repeated) = (count(Ok(Claim::First)), count(Ok(Claim::Repeated)));
        if (first, repeated) != (1, 99) {
            return Err(Violation(format!(
                "of 100 claims at once, {first} were the first and {repeated} repeated"
            )));
        }
    }
    Ok(())
}

/// Keys of other purposes or parts do not meet.
///
/// # Errors
///
/// A [`Violation`].
pub async fn distinct(setting: &dyn Setting) -> Result<(), Violation> {
    let keys = Keys::new("distinct");
    let request = keys.request(setting, 0, MINUTE)?;
    let run = keys.run.to_be_bytes();
    let others = [
        ClaimKey::new("distinct", &[&run, b"ab", b"c"]),
        ClaimKey::new("distinct", &[&run, b"a", b"bc"]),
        ClaimKey::new("distinct", &[&run, b"abc"]),
        ClaimKey::new("distinct-2", &[&run, b"abc"]),
    ];
    let many = (0..1000).map(|number| keys.key(number));
    for key in others.into_iter().chain(many) {
        let request = ClaimRequest { key, ..request };
        expect(setting, request, Ok(Claim::First), "another key").await?;
    }
    for key in others {
        let request = ClaimRequest { key, ..request };
        expect(setting, request, Ok(Claim::Repeated), "a used key").await?;
    }
    Ok(())
}

/// What is over at the time of the call is refused, and not remembered.
///
/// # Errors
///
/// A [`Violation`].
pub async fn over(setting: &dyn Setting) -> Result<(), Violation> {
    let request = Keys::new("over").request(setting, 0, MINUTE)?;
    for before in [Duration::ZERO, Duration::from_micros(1), MINUTE] {
        let over = ClaimRequest {
            valid_until: earlier(request.now, before)?,
            ..request
        };
        expect(setting, over, Ok(Claim::Repeated), "what is over").await?;
    }
    expect(setting, request, Ok(Claim::First), "a key that was over").await?;
    // The shortest that can be left.
    let shortest = ClaimRequest {
        key: Keys::new("shortest").key(0),
        valid_until: later(request.now, Duration::from_micros(1))?,
        ..request
    };
    expect(setting, shortest, Ok(Claim::First), "the last moment").await?;
    expect(setting, shortest, Ok(Claim::Repeated), "the last moment").await
}

/// A claim is remembered until its last moment, while others come and end.
///
/// # Errors
///
/// A [`Violation`].
pub async fn remembers(setting: &dyn Setting) -> Result<(), Violation> {
    let keys = Keys::new("remembers");
    let claimed = keys.request(setting, 0, Duration::from_millis(1500))?;
    expect(setting, claimed, Ok(Claim::First), "an unused key").await?;
    let mut number = 1_u64;
    while setting.now() < claimed.valid_until {
        let other = keys.request(setting, number, Duration::from_millis(100))?;
        expect(setting, other, Ok(Claim::First), "an unused key").await?;
        number = number.saturating_add(1);
        let now = setting
            .now()
            .min(earlier(claimed.valid_until, Duration::from_micros(1))?);
        let again = ClaimRequest { now, ..claimed };
        expect(setting, again, Ok(Claim::Repeated), "a used key").await?;
        setting.pass(Duration::from_millis(50)).await;
    }
    let again = ClaimRequest {
        now: setting.now(),
        ..claimed
    };
    expect(setting, again, Ok(Claim::Repeated), "what is over").await
}

/// A store that holds at most `at_most` claims is asked for one more than that. It must refuse at least
/// one, and grant none that it took again. (A store of several parts may be full in one of them, and
/// one that is full need not be able to look.)
///
/// # Errors
///
/// A [`Violation`].
pub async fn full(setting: &dyn Setting, at_most: u64) -> Result<(), Violation> {
    let keys = Keys::new("full");
    let mut taken = Vec::new();
    for number in 0..=at_most {
        let request = keys.request(setting, number, MINUTE)?;
        match setting.store().claim(request).await {
            Err(ReplayUnavailable { .. }) => {}
            Ok(Claim::First) => taken.push(request),
            Ok(Claim::Repeated) => {
                return Err(Violation("an unused key was answered Repeated".to_owned()));
            }
        }
    }
    if u64::try_from(taken.len()).is_ok_and(|taken| taken > at_most) {
        return Err(Violation(format!("it took more than {at_most} claims")));
    }
    for request in taken {
        let now = setting.now();
        let again = ClaimRequest { now, ..request };
        if setting.store().claim(again).await == Ok(Claim::First) {
            return Err(Violation("a key that it took was granted again".to_owned()));
        }
    }
    Ok(())
}

/// A store that cannot be reached, or does not answer, admits nothing.
///
/// # Errors
///
/// A [`Violation`].
pub async fn down(setting: &dyn Setting) -> Result<(), Violation> {
    let keys = Keys::new("down");
    for number in 0..5 {
        let request = keys.request(setting, number, MINUTE)?;
        unavailable(setting, request, "a store that is down").await?;
    }
    Ok(())
}

/// A store does not promise to remember for longer than its limit.
///
/// # Errors
///
/// A [`Violation`].
pub async fn longest(setting: &dyn Setting, limit: Duration) -> Result<(), Violation> {
    let keys = Keys::new("longest");
    let within = keys.request(setting, 0, limit)?;
    expect(setting, within, Ok(Claim::First), "the longest time").await?;
    let beyond = ClaimRequest {
        key: keys.key(1),
        valid_until: later(within.valid_until, Duration::from_micros(1))?,
        ..within
    };
    unavailable(setting, beyond, "a longer time").await
}

/// A store that lost its memory at `lost_at` refuses what can have been claimed before, and nothing
/// else. Its limit must permit two minutes.
///
/// # Errors
///
/// A [`Violation`].
pub async fn lost_memory(setting: &dyn Setting, lost_at: Timestamp) -> Result<(), Violation> {
    let keys = Keys::new("lost_memory");
    let fresh = keys.request(setting, 0, MINUTE)?;
    for before in [Duration::ZERO, Duration::from_micros(1), MINUTE] {
        let old = ClaimRequest {
            valid_from: earlier(lost_at, before)?,
            ..fresh
        };
        unavailable(setting, old, "what may have been used before").await?;
    }
    let after = ClaimRequest {
        valid_from: later(lost_at, Duration::from_micros(1))?,
        ..fresh
    };
    expect(setting, after, Ok(Claim::First), "what is new").await
}

const MINUTE: Duration = Duration::from_secs(60);

/// Keys that no other run has.
struct Keys {
    check: &'static str,
    run: u64,
}

impl Keys {
    fn new(check: &'static str) -> Self {
        let run = RandomState::new().hash_one(check);
        Self { check, run }
    }

    fn key(&self, number: u64) -> ClaimKey {
        let (run, number) = (self.run.to_be_bytes(), number.to_be_bytes());
        ClaimKey::new(self.check, &[&run, &number])
    }

    /// Made at this moment, and valid for `life`.
    fn request(
        &self,
        setting: &dyn Setting,
        number: u64,
        life: Duration,
    ) -> Result<ClaimRequest, Violation> {
        let now = setting.now();
        Ok(ClaimRequest {
            key: self.key(number),
            valid_from: now,
            valid_until: later(now, life)?,
            now,
        })
    }
}

async fn expect(
    setting: &dyn Setting,
    request: ClaimRequest,
    expected: Answer,
    what: &str,
) -> Result<(), Violation> {
    let answer = setting.store().claim(request).await;
    if answer == expected {
        return Ok(());
    }
    Err(Violation(format!(
        "{what} was answered {answer:?} instead of {expected:?}"
    )))
}

async fn unavailable(
    setting: &dyn Setting,
    request: ClaimRequest,
    what: &str,
) -> Result<(), Violation> {
    match setting.store().claim(request).await {
        Err(ReplayUnavailable { .. }) => Ok(()),
        Ok(answer) => Err(Violation(format!(
            "{what} was answered {answer:?} instead of being unavailable"
        ))),
    }
}

fn later(time: Timestamp, by: Duration) -> Result<Timestamp, Violation> {
    time.checked_add(by).ok_or_else(out_of_range)
}

fn earlier(time: Timestamp, by: Duration) -> Result<Timestamp, Violation> {
    time.checked_sub(by).ok_or_else(out_of_range)
}

fn out_of_range() -> Violation {
    Violation("its setting tells a time at the end of the range".to_owned())
}
