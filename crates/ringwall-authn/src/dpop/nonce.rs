//! Nonces of the server, without a memory of them.

use core::fmt;
use core::time::Duration;

use constant_time_eq::constant_time_eq;
use ring::hmac;
use ring::rand::SystemRandom;
use ringwall_core::clock::Timestamp;
use ringwall_core::secret::SecretBytes;
use ringwall_jose::base64url;

use super::DpopPolicyError;

/// How long a nonce is given out, unless set.
const DEFAULT_STEP: Duration = Duration::from_secs(150);

/// Shorter ones cost clients a second request too often.
const MIN_STEP: Duration = Duration::from_secs(10);

/// Proofs that were made in advance work for two steps.
const MAX_STEP: Duration = Duration::from_secs(3600);

/// The shortest secret: as long as the digest (RFC 2104 §3).
const MIN_SECRET_BYTES: usize = 32;

/// 192 bits, 32 characters.
const NONCE_BYTES: usize = 24;

/// Apart from whatever else the same secret may be used for.
const PURPOSE: &[u8] = b"ringwall dpop nonce v1";

/// Nonces that proofs have to contain (RFC 9449 §9), so that nobody who had a client's key for a
/// moment can have made proofs for the future (§11.2).
///
/// A nonce is the authentication code of the time step it is given out in, and is accepted in that step
/// and in the next one: between one and two steps long, 150 to 300 seconds unless set. Nothing is
/// stored, and all servers with the same secret accept each other's. It is no defence against repetition
/// (one nonce is good for any number of proofs), which is the replay store's.
///
/// Servers' clocks may be as far apart as the policy's
/// [`max_lead`](crate::DpopPolicyBuilder::max_lead) says: one whose clock is behind accepts the nonce of a
/// step that begins within that time, which another one has given out already. Nobody can have a nonce of the
/// future but from a server, so this lets no proof be made further in advance than by the clock of the server
/// that is ahead.
#[derive(Clone)]
pub struct DpopNonces {
    key: hmac::Key,
    step: Duration,
}

impl DpopNonces {
    /// With a secret of this process: the nonces of another server, or of this one before its start,
    /// are refused, and clients told a new one.
    ///
    /// # Errors
    ///
    /// [`DpopPolicyError::Random`].
    pub fn of_this_process() -> Result<Self, DpopPolicyError> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| DpopPolicyError::Random)?;
        Ok(Self {
            key,
            step: DEFAULT_STEP,
        })
    }

    /// With a secret that several servers share, of 32 random bytes or more.
    ///
    /// # Errors
    ///
    /// [`DpopPolicyError::NonceSecret`].
    pub fn shared(secret: &SecretBytes) -> Result<Self, DpopPolicyError> {
        if secret.len() < MIN_SECRET_BYTES {
            return Err(DpopPolicyError::NonceSecret);
        }
        Ok(Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, secret.expose()),
            step: DEFAULT_STEP,
        })
    }

    /// How long a nonce is given out: 10 seconds to an hour, in whole seconds, 150 seconds unless set.
    /// Servers that share a secret share the step.
    ///
    /// # Errors
    ///
    /// [`DpopPolicyError::NonceStep`].
    pub fn step(mut self, step: Duration) -> Result<Self, DpopPolicyError> {
        if step < MIN_STEP || step > MAX_STEP || step.subsec_nanos() != 0 {
            return Err(DpopPolicyError::NonceStep);
        }
        self.step = step;
        Ok(self)
    }

    /// The nonce to give out at `now`.
    #[must_use]
    pub fn issue(&self, now: Timestamp) -> String {
        base64url::encode(self.code(self.index(now)))
    }

    /// Whether the nonce was given out in this step or the one before, or is by now by a server whose clock
    /// is ahead by `lead` at most. With the shortest step and [the greatest lead](super::MAX_PROOF_LEAD) that
    /// are permitted, eight codes are compared.
    pub(super) fn accepts(&self, nonce: &str, now: Timestamp, lead: Duration) -> bool {
        let mut buffer = [0; NONCE_BYTES];
        let Some(nonce) = base64url::decode_into(nonce, &mut buffer) else {
            return false;
        };
        let index = self.index(now);
        let ahead = self.index(now.checked_add(lead).unwrap_or(now));
        // This step's first, which most have.
        let mut steps = [index, index.saturating_sub(1)]
            .into_iter()
            .chain(index.saturating_add(1)..=ahead);
        steps.any(|index| constant_time_eq(nonce, &self.code(index)))
    }

    fn index(&self, now: Timestamp) -> i64 {
        let step = i64::try_from(self.step.as_secs()).unwrap_or(i64::MAX);
        now.unix_seconds().checked_div_euclid(step).unwrap_or(0)
    }

    fn code(&self, index: i64) -> [u8; NONCE_BYTES] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(PURPOSE);
        context.update(&index.to_be_bytes());
        let tag = context.sign();
        let mut code = [0; NONCE_BYTES];
        for (to, from) in code.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        code
    }
}

impl fmt::Debug for DpopNonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DpopNonces")
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8; 32] = b"hunter2-hunter2-hunter2-hunter2-";

    const NONE: Duration = Duration::ZERO;

    fn nonces(secret: &[u8]) -> DpopNonces {
        DpopNonces::shared(&SecretBytes::new(secret.to_vec())).unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds).unwrap()
    }

    #[test]
    fn a_nonce_lives_for_its_step_and_the_next_one() {
        let nonces = nonces(SECRET);
        let nonce = nonces.issue(at(1500));
        assert_eq!(nonce.len(), 32);
        assert_eq!(nonces.issue(at(1649)), nonce);
        assert_ne!(nonces.issue(at(1650)), nonce);
        for (seconds, accepted) in [
            (1499, false),
            (1500, true),
            (1649, true),
            (1650, true),
            (1799, true),
            (1800, false),
            (-1500, false),
        ] {
            assert_eq!(
                nonces.accepts(&nonce, at(seconds), NONE),
                accepted,
                "{seconds}"
            );
        }
        // Before the epoch a step is as long as after it.
        let early = nonces.issue(at(-1));
        assert_eq!(nonces.issue(at(-150)), early);
        assert!(nonces.accepts(&early, at(149), NONE) && !nonces.accepts(&early, at(150), NONE));
    }

    #[test]
    fn servers_that_share_the_secret_and_the_step_accept_each_others() {
        let nonce = nonces(SECRET).issue(at(0));
        assert!(nonces(SECRET).accepts(&nonce, at(10), NONE));
        assert!(!nonces(b"another secret of 32 bytes or mo").accepts(&nonce, at(10), NONE));
        let slower = nonces(SECRET).step(Duration::from_secs(600)).unwrap();
        assert!(!slower.accepts(&nonces(SECRET).issue(at(300)), at(300), NONE));
        let own = DpopNonces::of_this_process().unwrap();
        let other = DpopNonces::of_this_process().unwrap();
        assert!(own.accepts(&own.issue(at(0)), at(0), NONE));
        assert!(!other.accepts(&own.issue(at(0)), at(0), NONE));
    }

    #[test]
    fn a_server_whose_clock_is_behind_accepts_what_another_has_just_given_out() {
        let (ahead, behind) = (nonces(SECRET), nonces(SECRET));
        let lead = Duration::from_secs(5);
        let nonce = ahead.issue(at(1500));
        for (seconds, accepted) in [
            (1494, false),
            (1495, true),
            (1499, true),
            (1500, true),
            (1799, true),
            (1800, false),
        ] {
            let answer = behind.accepts(&nonce, at(seconds), lead);
            assert_eq!(answer, accepted, "{seconds}");
        }
        // A lead of several steps reaches several steps, and no further.
        let quick = nonces(SECRET).step(Duration::from_secs(10)).unwrap();
        let lead = Duration::from_secs(60);
        for (seconds, accepted) in [(1009, true), (1060, true), (1069, true), (1070, false)] {
            let nonce = quick.issue(at(seconds));
            assert_eq!(quick.accepts(&nonce, at(1009), lead), accepted, "{seconds}");
        }
    }

    #[test]
    fn a_nonce_has_one_text() {
        let nonces = nonces(SECRET);
        let nonce = nonces.issue(at(0));
        for place in 0..nonce.len() {
            let mut other = nonce.clone().into_bytes();
            other[place] = if other[place] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            assert!(!nonces.accepts(&other, at(0), NONE), "{place}");
        }
        for other in [
            "",
            nonce.split_at(31).0,
            nonce.split_at(28).0,
            &format!("{nonce}AAAA"),
            &format!("{nonce}="),
        ] {
            assert!(!nonces.accepts(other, at(0), NONE), "{other}");
        }
    }

    #[test]
    fn refuses_short_secrets_and_odd_steps() {
        let short = SecretBytes::new(vec![1; 31]);
        assert_eq!(
            DpopNonces::shared(&short).unwrap_err(),
            DpopPolicyError::NonceSecret
        );
        for step in [0, 9_000, 10_500, 3_601_000] {
            let step = Duration::from_millis(step);
            let error = nonces(SECRET).step(step).unwrap_err();
            assert_eq!(error, DpopPolicyError::NonceStep, "{step:?}");
        }
        for step in [10, 3600] {
            assert!(nonces(SECRET).step(Duration::from_secs(step)).is_ok());
        }
    }

    #[test]
    fn never_shows_its_secret() {
        let nonces = nonces(SECRET);
        let shown = format!("{nonces:?} {nonces:#?}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("104"),
            "{shown}"
        );
        let nonce = nonces.issue(at(0));
        assert!(!nonce.contains("hunter2"));
    }
}
