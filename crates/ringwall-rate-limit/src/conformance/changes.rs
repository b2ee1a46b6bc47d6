//! What changes buckets beside requests.

use core::time::Duration;

use super::world::{HOUR, HOUR_AND_A_SECOND, World, expect, hourly, made};
use super::{Setting, Violation};
use crate::{Enforcement, LimitState, Quota, Verdict};

/// What is given back can be taken again; a bucket never gets more than full, and a denial gives nothing back.
///
/// # Errors
///
/// A [`Violation`].
pub async fn refund(setting: &dyn Setting) -> Result<(), Violation> {
    let fast = made(Quota::per_second(100).and_then(|quota| quota.burst(4)))?;
    let world = World::new(
        setting,
        &[("ten", hourly(10)?), ("three", hourly(3)?), ("fast", fast)],
    )?;
    let both = [world.bucket("ten", "a")?, world.bucket("three", "a")?];
    let taken = world.check(&both, 3).await?;
    world.refund(taken).await?;
    for (bucket, whole) in both.into_iter().zip([10, 3]) {
        let left = world.left(bucket).await?;
        expect(left == whole, || {
            format!("{left} of {whole} after all was given back")
        })?;
    }
    let first = world.check(&both, 2).await?;
    let denied = world.check(&both, 2).await?;
    expect(!denied.is_allowed(), || "four tokens of three".to_owned())?;
    world.refund(denied).await?;
    let left = (world.left(both[0]).await?, world.left(both[1]).await?);
    expect(left == (8, 1), || {
        format!("{left:?} left of 10 and 3 after a denial")
    })?;
    world.refund(first).await?;
    let count = world.count(&both, 1, 20).await?;
    expect(count == 3, || format!("{count} passed of 3"))?;

    // Given back after it came back by itself.
    let bucket = world.bucket("fast", "a")?;
    let taken = world.check(&[bucket], 4).await?;
    setting.pass(Duration::from_millis(200)).await;
    world.refund(taken).await?;
    let left = world.left(bucket).await?;
    expect(left == 4, || format!("{left} left of 4"))?;
    let start = setting.now();
    let passed = world.count(&[bucket], 4, 2).await?;
    let elapsed = setting.now().saturating_sub(start);
    expect(passed == 1 || elapsed >= Duration::from_millis(40), || {
        "more than full after a refund".to_owned()
    })
}

/// A limit that is tried out says what it would do, and denies nothing; it is charged while it would allow.
///
/// # Errors
///
/// A [`Violation`].
pub async fn shadow(setting: &dyn Setting) -> Result<(), Violation> {
    let world = World::new(setting, &[("ten", hourly(10)?), ("two", hourly(2)?)])?;
    let both = [world.bucket("two", "a")?, world.bucket("ten", "a")?];
    let policies = world.store.policies();
    let changed = policies.set_enforcement(both[0].policy(), Enforcement::Shadow);
    made(changed)?;
    for n in 0..10_u32 {
        let decision = world.check(&both, 1).await?;
        let status = decision.statuses().next().copied();
        let state = if n < 2 {
            LimitState::Within
        } else {
            LimitState::Exceeded
        };
        let said = status.map(|status| (status.state(), status.is_shadow()));
        expect(decision.is_allowed() && said == Some((state, true)), || {
            format!("at {n}: {decision:?}")
        })?;
        // The other is charged, and says so.
        let left = decision.statuses().nth(1).map(|status| status.remaining());
        expect(left == 9_u32.checked_sub(n), || {
            format!("at {n}: {left:?} left of 10")
        })?;
        expect(decision.violated().next().is_none(), || {
            "a trial violated".to_owned()
        })?;
    }
    let decision = world.check(&both, 1).await?;
    expect(!decision.is_allowed(), || {
        "the other limit is not tried out".to_owned()
    })?;
    let beyond = world.check(&[both[0]], 3).await?;
    expect(beyond.is_allowed(), || {
        "a trial denied what costs too much".to_owned()
    })
}

/// A change of a quota holds at once, and resets no bucket: what a bucket owes is kept as the time in which
/// it fills.
///
/// # Errors
///
/// A [`Violation`].
pub async fn live_change(setting: &dyn Setting) -> Result<(), Violation> {
    let world = World::new(setting, &[("ten", hourly(10)?)])?;
    let (half, empty) = (world.bucket("ten", "half")?, world.bucket("ten", "empty")?);
    let policy = half.policy();
    world.check(&[half], 5).await.map(drop)?;
    world.check(&[empty], 10).await.map(drop)?;
    // Twice as fast, twice as many: the same ten hours to fill.
    let raised = made(Quota::new(2, HOUR).and_then(|quota| quota.burst(20)))?;
    made(world.store.policies().set_quota(policy, raised))?;
    let (of_half, of_empty) = (world.left(half).await?, world.left(empty).await?);
    expect((of_half, of_empty) == (10, 0), || {
        format!("of 20 left under the new quota: {of_half} and {of_empty}")
    })?;
    // Five hours to fill: whoever owes more owes that.
    made(world.store.policies().set_quota(policy, hourly(5)?))?;
    for bucket in [half, empty] {
        let count = world.count(&[bucket], 1, 10).await?;
        expect(count == 0, || {
            format!("{count} passed under the lowered quota")
        })?;
        let decision = world.check(&[bucket], 1).await?;
        let Verdict::Denied { retry_after } = decision.verdict() else {
            return Err(Violation(format!("{decision:?}")));
        };
        expect(retry_after <= HOUR_AND_A_SECOND, || {
            format!("locked out for {retry_after:?} by a lowered quota")
        })?;
    }
    Ok(())
}

/// A bucket's own quota holds for it, and for no other.
///
/// # Errors
///
/// A [`Violation`].
pub async fn overrides(setting: &dyn Setting) -> Result<(), Violation> {
    let world = World::new(setting, &[("ten", hourly(10)?)])?;
    let (own, other) = (world.bucket("ten", "own")?, world.bucket("ten", "other")?);
    made(world.store.policies().set_override(&own, Some(hourly(2)?)))?;
    let counts = (
        world.count(&[own], 1, 20).await?,
        world.count(&[other], 1, 20).await?,
    );
    expect(counts == (2, 10), || {
        format!("{counts:?} passed of 2 and 10")
    })
}
