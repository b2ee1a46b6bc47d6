//! What a bucket allows.

use core::time::Duration;

use super::world::{HALF_AN_HOUR, HOUR, World, expect, hourly, made};
use super::{Setting, Violation};
use crate::{LimitState, Quota, Verdict};

/// A full bucket allows its burst and not one more, says what is left, and how long to wait; another key's
/// bucket and another limit's are others.
///
/// # Errors
///
/// A [`Violation`].
pub async fn burst(setting: &dyn Setting) -> Result<(), Violation> {
    let world = World::new(setting, &[("ten", hourly(10)?), ("other", hourly(10)?)])?;
    let ten = world.bucket("ten", "a")?;
    for left in (0..10).rev() {
        let decision = world.check(&[ten], 1).await?;
        expect(decision.is_allowed(), || {
            format!("with {left} to come, it was denied")
        })?;
        let status = decision.statuses().next().copied();
        let said = status.map(|status| (status.remaining(), status.limit(), status.state()));
        expect(said == Some((left, 10, LimitState::Within)), || {
            format!("with {left} left it said {said:?}")
        })?;
    }
    let decision = world.check(&[ten], 1).await?;
    let Verdict::Denied { retry_after } = decision.verdict() else {
        return Err(Violation("an empty bucket allowed".to_owned()));
    };
    // A token comes each hour, and a part of one has passed.
    expect(retry_after <= HOUR && retry_after > HALF_AN_HOUR, || {
        format!("an hour's token in {retry_after:?}")
    })?;
    for (limit, key) in [("ten", "b"), ("other", "a")] {
        let other = world.bucket(limit, key)?;
        let count = world.count(&[other], 1, 11).await?;
        expect(count == 10, || {
            format!("another bucket allowed {count} of 10")
        })?;
    }
    Ok(())
}

/// Tokens come back at the rate, and not faster.
///
/// # Errors
///
/// A [`Violation`].
pub async fn refill(setting: &dyn Setting) -> Result<(), Violation> {
    let quota = made(Quota::per_second(20).and_then(|quota| quota.burst(5)))?;
    let world = World::new(setting, &[("fast", quota)])?;
    let bucket = world.bucket("fast", "a")?;
    let start = setting.now();
    let mut passed: u128 = 0;
    for _ in 0..30 {
        let decision = world.check(&[bucket], 1).await?;
        match decision.verdict() {
            Verdict::Allowed => passed = passed.saturating_add(1),
            Verdict::Denied { retry_after } => {
                expect(retry_after <= Duration::from_millis(51), || {
                    format!("a token of 50 ms in {retry_after:?}")
                })?;
                setting.pass(retry_after).await;
                let decision = world.check(&[bucket], 1).await?;
                expect(decision.is_allowed(), || {
                    "denied after its own wait".to_owned()
                })?;
                passed = passed.saturating_add(1);
            }
            Verdict::NeverAllowed => {
                return Err(Violation(
                    "one token of five is beyond the burst".to_owned(),
                ));
            }
        }
        // In so much time no more can have come, however the checks fell.
        let elapsed = setting.now().saturating_sub(start).as_nanos();
        let came = elapsed.saturating_mul(20).div_ceil(1_000_000_000);
        let most = came.saturating_add(5);
        expect(passed <= most, || {
            format!("{passed} passed where {most} may")
        })?;
    }
    Ok(())
}

/// A request takes as many tokens as it costs.
///
/// # Errors
///
/// A [`Violation`].
pub async fn cost(setting: &dyn Setting) -> Result<(), Violation> {
    let world = World::new(setting, &[("ten", hourly(10)?)])?;
    let bucket = world.bucket("ten", "a")?;
    for (tokens, allowed, left) in [(4, true, 6), (4, true, 2), (4, false, 2), (2, true, 0)] {
        let decision = world.check(&[bucket], tokens).await?;
        let left_now = decision.statuses().next().map(|status| status.remaining());
        expect(
            decision.is_allowed() == allowed && left_now == Some(left),
            || format!("{tokens} tokens: {decision:?}"),
        )?;
    }
    Ok(())
}

/// A cost above the burst is a no for ever, and takes nothing of any limit.
///
/// # Errors
///
/// A [`Violation`].
pub async fn beyond_burst(setting: &dyn Setting) -> Result<(), Violation> {
    let world = World::new(setting, &[("ten", hourly(10)?), ("large", hourly(1000)?)])?;
    let both = [world.bucket("large", "a")?, world.bucket("ten", "a")?];
    for tokens in [11, u32::MAX] {
        let decision = world.check(&both, tokens).await?;
        expect(decision.verdict() == Verdict::NeverAllowed, || {
            format!("{tokens} of ten tokens: {decision:?}")
        })?;
    }
    for (bucket, whole) in both.into_iter().zip([1000, 10]) {
        let left = world.left(bucket).await?;
        expect(left == whole, || {
            format!("{left} left of {whole} after a refusal")
        })?;
    }
    Ok(())
}

/// Either each limit is charged, or none is.
///
/// # Errors
///
/// A [`Violation`].
pub async fn all_or_nothing(setting: &dyn Setting) -> Result<(), Violation> {
    let world = World::new(setting, &[("broad", hourly(10)?), ("narrow", hourly(3)?)])?;
    let (broad, narrow) = (world.bucket("broad", "a")?, world.bucket("narrow", "a")?);
    for (n, order) in [[broad, narrow], [narrow, broad]]
        .iter()
        .cycle()
        .take(10)
        .enumerate()
    {
        let decision = world.check(order, 1).await?;
        expect(decision.is_allowed() == (n < 3), || {
            format!("request {n}: {decision:?}")
        })?;
        if n >= 3 {
            let mut violated = decision.violated().map(|status| status.policy());
            expect(violated.by_ref().eq([narrow.policy()]), || {
                "it is the narrow limit that denies".to_owned()
            })?;
        }
    }
    let left = world.left(broad).await?;
    expect(left == 7, || {
        format!("the broad limit has {left} left of 10 after 3 requests")
    })
}

/// A limit that is named twice counts once.
///
/// # Errors
///
/// A [`Violation`].
pub async fn named_twice(setting: &dyn Setting) -> Result<(), Violation> {
    let world = World::new(setting, &[("ten", hourly(10)?)])?;
    let bucket = world.bucket("ten", "a")?;
    let many = [bucket; 20];
    let decision = world.check(&many, 1).await?;
    let count = decision.statuses().count();
    let left = world.left(bucket).await?;
    expect(count == 1 && left == 9, || {
        format!("a limit named twenty times: {count} statuses, {left} left of 10")
    })
}
