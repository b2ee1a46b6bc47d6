//! Questions that take nothing, that come at once, and that have no answer.

use core::num::NonZeroU32;
use std::sync::Arc;

use ringwall_core::step::BoxFuture;

use super::world::{World, answered, expect, hourly};
use super::{Answer, Setting, Violation};
use crate::{LimitError, MAX_DIMENSIONS, Verdict};

/// A peek says what a check would, and takes nothing.
///
/// # Errors
///
/// A [`Violation`].
pub async fn peek(setting: &dyn Setting) -> Result<(), Violation> {
    let world = World::new(setting, &[("three", hourly(3)?)])?;
    let bucket = world.bucket("three", "a")?;
    for n in 0..6 {
        for _ in 0..3 {
            let peeked = world.peek(&[bucket], 1).await?;
            expect(peeked.is_allowed() == (n < 3), || {
                format!("at {n} peeked {peeked:?}")
            })?;
            // A peek is no receipt.
            world.refund(peeked).await?;
        }
        let decision = world.check(&[bucket], 1).await?;
        expect(decision.is_allowed() == (n < 3), || {
            format!("at {n}: {decision:?}")
        })?;
    }
    let never = world.peek(&[bucket], 4).await?;
    expect(never.verdict() == Verdict::NeverAllowed, || {
        format!("peeked {never:?}")
    })
}

/// Of many checks at once exactly the burst passes, for one limit and for two.
///
/// # Errors
///
/// A [`Violation`].
pub async fn concurrent(setting: &dyn Setting) -> Result<(), Violation> {
    let limits = [("broad", hourly(80)?), ("narrow", hourly(50)?)];
    let world = World::new(setting, &limits)?;
    for round in 0..5_u32 {
        let key = round.to_string();
        let one = [world.bucket("narrow", &format!("one {key}"))?];
        let two = [world.bucket("broad", &key)?, world.bucket("narrow", &key)?];
        for dimensions in [&one[..], &two[..]] {
            let checks = (0..100)
                .map(|_| {
                    let (store, dimensions) = (Arc::clone(&world.store), dimensions.to_vec());
                    let now = setting.now();
                    let check = async move { store.check(now, &dimensions, NonZeroU32::MIN).await };
                    Box::pin(check) as BoxFuture<Answer>
                })
                .collect();
            let mut passed: u32 = 0;
            for answer in setting.together(checks).await {
                passed = passed.saturating_add(u32::from(answered(answer)?.is_allowed()));
            }
            // Of two requests for two limits at once, one may be denied for what the other is about to give back.
            let least = if dimensions.len() == 1 { 50 } else { 1 };
            expect((least..=50).contains(&passed), || {
                format!("{passed} passed of 100 at once under a limit of 50")
            })?;
            let rest = world.count(dimensions, 1, 100).await?;
            expect(passed.saturating_add(rest) == 50, || {
                format!("{passed} and then {rest} passed under a limit of 50")
            })?;
        }
        let left = world.left(two[0]).await?;
        expect(left == 30, || format!("{left} left of 80 after 50 passed"))?;
    }
    Ok(())
}

/// A question that would allow everything, or that cannot be answered, is an error.
///
/// # Errors
///
/// A [`Violation`].
pub async fn wrong_questions(setting: &dyn Setting) -> Result<(), Violation> {
    let world = World::new(setting, &[("ten", hourly(10)?)])?;
    let mut many = Vec::new();
    for n in 0..=MAX_DIMENSIONS {
        many.push(world.bucket("ten", &n.to_string())?);
    }
    let others = World::new(setting, &[("a", hourly(1)?), ("b", hourly(1)?)])?;
    let unknown = [others.bucket("b", "x")?];
    for (dimensions, what) in [
        (&[][..], "no limit"),
        (&many[..], "too many"),
        (&unknown[..], "unknown"),
    ] {
        let now = setting.now();
        let checked = world.store.check(now, dimensions, NonZeroU32::MIN).await;
        let peeked = world.store.peek(now, dimensions, NonZeroU32::MIN).await;
        for answer in [checked, peeked] {
            let is_right = matches!(
                (&answer, what),
                (Err(LimitError::NoDimensions), "no limit")
                    | (Err(LimitError::TooManyDimensions), "too many")
                    | (Err(LimitError::UnknownPolicy), "unknown")
            );
            expect(is_right, || format!("{what}: {answer:?}"))?;
        }
    }
    let most = many.get(..MAX_DIMENSIONS).unwrap_or_default();
    let decision = world.check(most, 1).await?;
    expect(decision.is_allowed(), || {
        format!("as many as may be: {decision:?}")
    })
}
