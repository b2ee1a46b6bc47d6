//! The keys of one issuer at one time.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::HashMap;
use std::sync::Arc;

use crate::algorithm::Algorithm;
use crate::error::{KeyError, KeySetError};
use crate::json::{Document, Limits};
use crate::jwk;
use crate::key::{KeyId, VerificationKey};
use crate::provider::{RingProvider, SignatureProvider};

/// The verification keys of one issuer, looked up by key id. Immutable: a change is a new set
/// with a new generation.
pub struct KeySet {
    named: HashMap<KeyId, VerificationKey>,
    /// The only key of the set, which a token without `kid` may mean.
    sole: Option<VerificationKey>,
    generation: u64,
    refused: Vec<RefusedKey>,
}

/// A key that was left out of a set, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedKey {
    /// Its place in the set, from 0.
    pub index: usize,
    /// Its id, when it has one that is fit to be shown.
    pub id: Option<KeyId>,
    /// Why.
    pub reason: KeyError,
}

impl KeySet {
    /// The usual number of keys a set may have.
    pub const DEFAULT_MAX_KEYS: usize = 128;

    /// A builder with the ring provider.
    #[must_use]
    pub fn builder() -> KeySetBuilder {
        KeySetBuilder {
            provider: Arc::new(RingProvider),
            rsa_algorithm: Algorithm::Rs256,
            algorithms: None,
            max_keys: Self::DEFAULT_MAX_KEYS,
            keys: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// The key that a token means.
    ///
    /// With an id, it is the key of that id. Without one, it is the only key of the set; with
    /// several, there is no telling, and trying them one after the other would let a token
    /// choose.
    #[must_use]
    pub fn find(&self, id: Option<&str>) -> Option<&VerificationKey> {
        match id {
            Some(id) => self.named.get(id),
            None => self.sole.as_ref(),
        }
    }

    /// The keys, in no particular order: for a report, or to look for one that must not be there.
    pub fn iter(&self) -> impl Iterator<Item = &VerificationKey> {
        // The sole key is among the named ones when it has an id.
        let unnamed = self.sole.iter().filter(|key| key.id().is_none());
        self.named.values().chain(unnamed)
    }

    /// The number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.named.len().max(usize::from(self.sole.is_some()))
    }

    /// Whether there is no key; a built set has at least one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A number that no other set of this process has. A verified-token cache keeps it with each
    /// token, and a token of another generation is verified again.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The keys that were left out. One broken key does not spoil a set.
    #[must_use]
    pub fn refused(&self) -> &[RefusedKey] {
        &self.refused
    }

    /// Whether both sets hold the same keys under the same ids. A source that finds its set
    /// unchanged keeps the old one, and with it the generation and all cached tokens.
    #[must_use]
    pub fn has_same_keys(&self, other: &Self) -> bool {
        let same_sole = match (&self.sole, &other.sole) {
            (Some(one), Some(two)) => one.is_same(two),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        same_sole
            && self.named.len() == other.named.len()
            && self
                .named
                .iter()
                .all(|(id, key)| other.named.get(id).is_some_and(|other| key.is_same(other)))
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet")
            .field("keys", &self.len())
            .field("generation", &self.generation)
            .field("refused", &self.refused)
            .finish_non_exhaustive()
    }
}

/// Collects keys for a [`KeySet`].
#[derive(Debug)]
pub struct KeySetBuilder {
    provider: Arc<dyn SignatureProvider>,
    rsa_algorithm: Algorithm,
    /// `None` permits all.
    algorithms: Option<Vec<Algorithm>>,
    max_keys: usize,
    keys: Vec<(usize, VerificationKey)>,
    refused: Vec<RefusedKey>,
}

impl KeySetBuilder {
    /// Verifies with `provider` instead of ring. Keys added before keep theirs.
    #[must_use]
    pub fn provider(mut self, provider: Arc<dyn SignatureProvider>) -> Self {
        self.provider = provider;
        self
    }

    /// The algorithm of RSA keys that name none (RS256 unless set).
    ///
    /// # Errors
    ///
    /// [`KeyError::AlgorithmMismatch`] when it is not an RSA algorithm.
    pub fn rsa_algorithm(mut self, algorithm: Algorithm) -> Result<Self, KeyError> {
        use Algorithm as A;
        if !matches!(
            algorithm,
            A::Rs256 | A::Rs384 | A::Rs512 | A::Ps256 | A::Ps384 | A::Ps512
        ) {
            return Err(KeyError::AlgorithmMismatch);
        }
        self.rsa_algorithm = algorithm;
        Ok(self)
    }

    /// Takes keys of these algorithms alone, and leaves the others out. All are taken unless set.
    ///
    /// A key is pinned to one algorithm in any case, so this is not what keeps a token from choosing
    /// another; it is for an operator who does not want an issuer to move to one that nobody agreed to.
    #[must_use]
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = Some(algorithms.into_iter().collect());
        self
    }

    /// The most keys a document may have (128 unless set). More than 1024 elements are refused as
    /// JSON, by [`Limits::KEY_SET`].
    #[must_use]
    pub fn max_keys(mut self, max_keys: usize) -> Self {
        self.max_keys = max_keys;
        self
    }

    /// Adds a key that is already there.
    #[must_use]
    pub fn key(mut self, key: VerificationKey) -> Self {
        let index = self.keys.len().saturating_add(self.refused.len());
        self.keys.push((index, key));
        self
    }

    /// Adds the public keys of a JWK Set document (RFC 7517 §5), of which the caller vouches for
    /// the origin. Keys that cannot be used are left out and listed in [`KeySet::refused`].
    ///
    /// # Errors
    ///
    /// [`KeySetError`] when the document as a whole is unusable.
    pub fn document(mut self, bytes: &[u8]) -> Result<Self, KeySetError> {
        // The same bound that parsing has, before megabytes are copied for it.
        if bytes.len() > Limits::KEY_SET.bytes {
            return Err(KeySetError::Json(crate::json::JsonError::TooLarge));
        }
        let document = Document::parse(bytes.to_vec(), Limits::KEY_SET)?;
        let keys = document
            .root()
            .get("keys")
            .and_then(crate::json::Value::as_array)
            .ok_or(KeySetError::Shape)?;
        if keys.clone().count() > self.max_keys {
            return Err(KeySetError::TooManyKeys);
        }
        for value in keys {
            let index = self.keys.len().saturating_add(self.refused.len());
            match jwk::parse(value, self.rsa_algorithm, &*self.provider) {
                Ok(key) => self.keys.push((index, key)),
                Err(reason) => {
                    let id = jwk::key_id(value).ok().flatten();
                    self.refused.push(RefusedKey { index, id, reason });
                }
            }
        }
        Ok(self)
    }

    /// The set.
    ///
    /// Different keys under one id are all left out: which of them a token means would depend on
    /// the order of a document.
    ///
    /// # Errors
    ///
    /// [`KeySetError::NoUsableKey`]: a set without keys would refuse every token, and whoever
    /// replaces a good set by it by accident has an outage.
    pub fn build(self) -> Result<KeySet, KeySetError> {
        static GENERATION: AtomicU64 = AtomicU64::new(1);

        let Self {
            mut keys,
            mut refused,
            algorithms,
            ..
        } = self;
        if let Some(algorithms) = algorithms {
            keys.retain(|(index, key)| {
                let is_permitted = algorithms.contains(&key.algorithm());
                if !is_permitted {
                    refused.push(RefusedKey {
                        index: *index,
                        id: key.id().cloned(),
                        reason: KeyError::AlgorithmNotPermitted,
                    });
                }
                is_permitted
            });
        }
        let mut counts: HashMap<KeyId, Vec<usize>> = HashMap::new();
        let mut distinct: Vec<(usize, VerificationKey)> = Vec::with_capacity(keys.len());
        for (index, key) in keys {
            // The very same key twice is no ambiguity.
            if distinct
                .iter()
                .any(|(_, other)| other.id() == key.id() && other.is_same(&key))
            {
                continue;
            }
            if let Some(id) = key.id() {
                counts.entry(id.clone()).or_default().push(index);
            }
            distinct.push((index, key));
        }
        distinct.retain(|(index, key)| {
            let Some(id) = key.id() else { return true };
            if counts.get(id).is_some_and(|indexes| indexes.len() == 1) {
                return true;
            }
            refused.push(RefusedKey {
                index: *index,
                id: Some(id.clone()),
                reason: KeyError::DuplicateKeyId,
            });
            false
        });
        // A token without `kid` may mean the only key, and only if there was never another one:
        // a set of which one key is broken is still a set of several.
        let is_sole = distinct.len() == 1 && refused.is_empty();
        let sole = distinct
            .first()
            .filter(|_| is_sole)
            .map(|(_, key)| key.clone());
        let mut named = HashMap::with_capacity(distinct.len());
        for (index, key) in distinct {
            match key.id().cloned() {
                Some(id) => {
                    named.insert(id, key);
                }
                None if is_sole => {}
                None => refused.push(RefusedKey {
                    index,
                    id: None,
                    reason: KeyError::MissingKeyId,
                }),
            }
        }
        refused.sort_by_key(|key| key.index);
        if named.is_empty() && sole.is_none() {
            return Err(KeySetError::NoUsableKey);
        }
        let generation = GENERATION.fetch_add(1, Ordering::Relaxed);
        Ok(KeySet {
            named,
            sole,
            generation,
            refused,
        })
    }
}
