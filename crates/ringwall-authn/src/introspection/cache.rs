//! Good answers that are kept for a while.

use core::fmt;
use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hmac::{Hmac, KeyInit as _, Mac as _};
use ring::rand::{SecureRandom as _, SystemRandom};
use ringwall_core::principal::VerifiedPrincipal;
use sha2::Sha256;

use super::answer::Good;

/// Answers by a keyed hash of the token. The token itself is not kept, and who reads the memory of another
/// process cannot tell from the hash which token it was.
pub(super) struct AnswerCache {
    state: Hmac<Sha256>,
    answers: Mutex<Generations>,
    half: usize,
}

type Map = HashMap<[u8; 32], Kept>;

/// When the young generation is full, the old one goes and the young one is old.
#[derive(Default)]
struct Generations {
    young: Map,
    old: Map,
}

/// A good answer.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) principal: VerifiedPrincipal,
    pub(super) good: Good,
    /// On the monotonic clock: from then on it is asked again.
    pub(super) until: Duration,
}

impl AnswerCache {
    pub(super) fn new(capacity: usize) -> Result<Self, ring::error::Unspecified> {
        let mut key = zeroize::Zeroizing::new([0; 32]);
        SystemRandom::new().fill(&mut *key)?;
        let state = Hmac::new_from_slice(&*key).map_err(|_| ring::error::Unspecified)?;
        Ok(Self {
            state,
            answers: Mutex::default(),
            half: capacity.div_ceil(2),
        })
    }

    /// What stands for the token. HMAC-SHA-256 of the whole of it: no two tokens have the same.
    pub(super) fn key(&self, token: &str) -> [u8; 32] {
        let mut state = self.state.clone();
        state.update(token.as_bytes());
        state.finalize().into_bytes().into()
    }

    pub(super) fn get(&self, key: &[u8; 32], now: Duration) -> Option<Kept> {
        let answers = self.lock();
        let kept = answers.young.get(key).or_else(|| answers.old.get(key))?;
        (now < kept.until).then(|| kept.clone())
    }

    pub(super) fn insert(&self, key: [u8; 32], kept: Kept) {
        if self.half == 0 {
            return;
        }
        let mut answers = self.lock();
        answers.old.remove(&key);
        let mut gone = Map::new();
        if answers.young.len() >= self.half && !answers.young.contains_key(&key) {
            let young = core::mem::take(&mut answers.young);
            gone = core::mem::replace(&mut answers.old, young);
        }
        answers.young.insert(key, kept);
        drop(answers);
        drop(gone);
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        // The maps are whole after each operation, and what is lost is asked again.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for AnswerCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerCache")
            .field("half", &self.half)
            .finish_non_exhaustive()
    }
}
