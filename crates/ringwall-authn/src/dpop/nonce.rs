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

    /// Whether the nonce was given out in this step or the one before.
    pub(super) fn accepts(&self, nonce: &str, now: Timestamp) -> bool {
        let mut buffer = [0; NONCE_BYTES];
        let Some(nonce) = base64url::decode_into(nonce, &mut buffer) else {
            return false;
        };
        let index = self.index(now);
        let is_of = |index| constant_time_eq(nonce, &self.code(index));
        is_of(index) || is_of(index.saturating_sub(1))
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
            assert_eq!(nonces.accepts(&nonce, at(seconds)), accepted, "{seconds}");
        }
        // Before the epoch a step is as long as after it.
        let early = nonces.issue(at(-1));
        assert_eq!(nonces.issue(at(-150)), early);
        assert!(nonces.accepts(&early, at(149)) && !nonces.accepts(&early, at(150)));
    }

    #[test]
    fn servers_that_share_the_secret_and_the_step_accept_each_others() {
        let nonce = nonces(SECRET).issue(at(0));
        assert!(nonces(SECRET).accepts(&nonce, at(10)));
        assert!(!nonces(b"another secret of 32 bytes or mo").accepts(&nonce, at(10)));
        let slower = nonces(SECRET).step(Duration::from_secs(600)).unwrap();
        assert!(!slower.accepts(&nonces(SECRET).issue(at(300)), at(300)));
        let own = DpopNonces::of_this_process().unwrap();
        let other = DpopNonces::of_this_process().unwrap();
        assert!(own.accepts(&own.issue(at(0)), at(0)));
        assert!(!other.accepts(&own.issue(at(0)), at(0)));
    }

    #[test]
    fn a_nonce_has_one_text() {
        let nonces = nonces(SECRET);
        let nonce = nonces.issue(at(0));
        for place in 0..nonce.len() {
            let mut other = nonce.clone().into_bytes();
            other[place] = if other[place] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            assert!(!nonces.accepts(&other, at(0)), "{place}");
        }
        for other in [
            "",
            nonce.split_at(31).0,
            nonce.split_at(28).0,
            &format!("{nonce}AAAA"),
            &format!("{nonce}="),
        ] {
            assert!(!nonces.accepts(other, at(0)), "{other}");
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
