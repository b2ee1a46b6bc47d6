//! From a presented text to the holder of a key.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::Arc;

use ringwall_core::attest::Attest;
use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, Principal, PrincipalKind, Subject, VerifiedPrincipal,
};
use ringwall_core::step::Step;
use zeroize::Zeroizing;

use super::cache::{CachedKey, Found, Known, Ticket};
use super::checks::{check_fit, check_network, check_origin};
use super::error::{ApiKeyError, ApiKeyRefusal};
use super::id::{ApiKeyId, CompactId};
use super::keys::{ApiKeyUse, ApiKeys, Inner};
use super::owned_use::OwnedUse;
use super::record::{ApiKeyRecord, ApiKeyState};
use super::store::{ApiKeyStoreAnswer, ApiKeyStoreError};
use super::text::{ApiKeyTextError, Outline};

/// What a request takes of a key in memory, under the lock.
enum Seen {
    /// It is good, and nothing else has to be looked at.
    Passed(VerifiedPrincipal),
    /// What has to be looked at further.
    Compared {
        key: Arc<CachedKey>,
        /// As of [`SecretHasher::matches`](super::digest::SecretHasher::matches).
        fits: Option<bool>,
        /// Whether the text is one that was found good before.
        is_familiar: bool,
    },
}

/// What the cache did not know: under which ticket the answer of the store may enter, whether there was
/// such a key, and when it was.
#[derive(Clone, Copy)]
struct Miss {
    ticket: Ticket,
    was_there: bool,
    at: Duration,
    /// What [`Inner::taken_back`] was before the look-up.
    taken_back: u64,
}

/// How often the store is asked for one key when something is taken back while it answers.
const MAX_READINGS: usize = 4;

impl ApiKeys {
    /// Judges a presented text. With a key that is in memory the answer is there at once.
    ///
    /// Whatever has the length and the prefix of a key costs one look-up, one hash and one comparison in
    /// constant time, whether its id is there or not; and the same once more when the store was asked.
    ///
    /// The principal is of the kind [`ApiKey`](PrincipalKind::ApiKey), its subject and its
    /// `credential_id` are the key's look-up id.
    ///
    /// # Errors
    ///
    /// [`ApiKeyError`].
    pub fn verify(
        &self,
        presented: &[u8],
        usage: ApiKeyUse<'_>,
    ) -> Step<Result<VerifiedPrincipal, ApiKeyError>> {
        let Some(own) = self.0.prefix.outline(presented) else {
            return self.verify_imported(presented, usage);
        };
        let inner = &*self.0;
        let (id, now) = (CompactId::own(own.id), inner.monotonic.elapsed());
        let taken_back = inner.taken_back.load(Ordering::SeqCst);
        let seen = inner
            .cache
            .look(&id, now, |known| inner.compare(known, &own, now));
        match seen {
            Found::Key(Seen::Passed(principal)) => Step::Done(Ok(principal)),
            Found::Key(Seen::Compared {
                key,
                fits,
                is_familiar,
            }) => {
                let form = if is_familiar {
                    Ok(())
                } else {
                    own.check(presented).map_err(no_key)
                };
                let answer = form.and_then(|()| {
                    check_fit(fits)?;
                    let (principal, free) = inner.admit(&key, usage)?;
                    // What depends on the time or the place is looked at with each request.
                    let is_plain = key.record.is_unconditional();
                    if is_plain || !is_familiar {
                        let until = is_plain.then_some(now.saturating_add(free));
                        inner
                            .cache
                            .remember(&id, &key, &principal, own.checksum, until);
                    }
                    Ok(principal)
                });
                Step::Done(answer)
            }
            Found::None => {
                inner.hasher.matches_nothing(own.secret);
                let form = own.check(presented).map_err(no_key);
                Step::Done(form.and(Err(ApiKeyRefusal::Unknown.into())))
            }
            Found::Nothing { ticket, was_there } => {
                inner.hasher.matches_nothing(own.secret);
                let id = match inner.prefix.parse(presented) {
                    Ok(id) => id,
                    Err(error) => return Step::Done(Err(no_key(error))),
                };
                let miss = Miss {
                    ticket,
                    was_there,
                    at: now,
                    taken_back,
                };
                self.judge_stored(id, miss, own.secret, usage)
            }
        }
    }

    /// The same of a key of the time before look-up ids.
    #[cold]
    fn verify_imported(
        &self,
        presented: &[u8],
        usage: ApiKeyUse<'_>,
    ) -> Step<Result<VerifiedPrincipal, ApiKeyError>> {
        let inner = &*self.0;
        let id = match inner.prefix.parse(presented) {
            Ok(_) if !inner.imported => {
                return Step::Done(Err(ApiKeyRefusal::Imported.into()));
            }
            Ok(id) => id,
            Err(error) => return Step::Done(Err(no_key(error))),
        };
        match self.look_up(&id) {
            Ok(key) => Step::Done(inner.judge(key.as_deref(), presented, usage)),
            Err(miss) => self.judge_stored(id, miss, presented, usage),
        }
    }

    /// Whether the key of this id would be accepted now too: for answers that go on. Its secret was
    /// verified when they began, and so were the address and the page, which a connection keeps.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify).
    pub fn recheck(&self, id: &ApiKeyId) -> Step<Result<(), ApiKeyError>> {
        match self.look_up(id) {
            Ok(key) => Step::Done(self.0.still_accepts(key.as_deref())),
            Err(miss) => self.ask_store(id.clone(), miss, Inner::still_accepts, || {
                Inner::still_accepts
            }),
        }
    }

    /// The key in memory, or that there is none.
    fn look_up(&self, id: &ApiKeyId) -> Result<Option<Arc<CachedKey>>, Miss> {
        let at = self.0.monotonic.elapsed();
        let taken_back = self.0.taken_back.load(Ordering::SeqCst);
        let found = self
            .0
            .cache
            .look(&CompactId::of(id), at, |known| Arc::clone(&known.key));
        match found {
            Found::Key(key) => Ok(Some(key)),
            Found::None => Ok(None),
            Found::Nothing { ticket, was_there } => Err(Miss {
                ticket,
                was_there,
                at,
                taken_back,
            }),
        }
    }

    fn judge_stored(
        &self,
        id: ApiKeyId,
        miss: Miss,
        secret: &[u8],
        usage: ApiKeyUse<'_>,
    ) -> Step<Result<VerifiedPrincipal, ApiKeyError>> {
        self.ask_store(
            id,
            miss,
            |inner, key| inner.judge(key, secret, usage),
            || {
                let (secret, usage) = (Zeroizing::new(secret.to_vec()), OwnedUse::of(usage));
                move |inner: &Inner, key: Option<&CachedKey>| {
                    inner.judge(key, &secret, usage.borrow())
                }
            },
        )
    }

    /// Finds the key in the store, and lets `judge` answer; where the store has to be waited for, what
    /// `owned` gives does.
    fn ask_store<T: Send + 'static, J>(
        &self,
        id: ApiKeyId,
        miss: Miss,
        judge: impl FnOnce(&Inner, Option<&CachedKey>) -> Result<T, ApiKeyError>,
        owned: impl FnOnce() -> J,
    ) -> Step<Result<T, ApiKeyError>>
    where
        J: FnOnce(&Inner, Option<&CachedKey>) -> Result<T, ApiKeyError> + Send + 'static,
    {
        let inner = &self.0;
        let places = if miss.was_there {
            &inner.renewals
        } else {
            &inner.lookups
        };
        let Some(place) = Place::take(places, inner.max_lookups) else {
            return Step::Done(Err(ApiKeyRefusal::TooManyLookups.into()));
        };
        match inner.store.find(&id) {
            Step::Done(answer) => {
                drop(place);
                let found = inner.found(miss, &id, answer);
                Step::Done(found.and_then(|key| judge(inner, key.as_deref())))
            }
            Step::Wait(answer) => {
                let (keys, judge) = (self.clone(), owned());
                Step::wait(async move {
                    let found = keys.settled(&id, Step::Wait(answer), miss).await;
                    drop(place);
                    judge(&keys.0, found?.as_deref())
                })
            }
        }
    }
}

impl ApiKeys {
    /// What the store says of a key. When something was taken back while it answered, it is asked again: what
    /// it read before may be accepted no more once [`ApiKeys::revoke`] has answered.
    async fn settled(
        &self,
        id: &ApiKeyId,
        mut answer: ApiKeyStoreAnswer<Option<ApiKeyRecord>>,
        mut miss: Miss,
    ) -> Result<Option<Arc<CachedKey>>, ApiKeyError> {
        let inner = &self.0;
        for left in (0..MAX_READINGS).rev() {
            let found = inner.found(miss, id, answer.await)?;
            if inner.taken_back.load(Ordering::SeqCst) == miss.taken_back {
                return Ok(found);
            }
            if left == 0 {
                break;
            }
            match self.look_up(id) {
                Ok(known) => return Ok(known),
                Err(again) => miss = again,
            }
            answer = inner.store.find(id);
        }
        Err(ApiKeyRefusal::TooManyLookups.into())
    }
}

impl Inner {
    /// Forgets what is in memory of a key.
    pub(super) fn forget(&self, id: &ApiKeyId) {
        self.cache.forget(&CompactId::of(id));
    }

    /// Keeps what the store answered.
    fn found(
        &self,
        miss: Miss,
        id: &ApiKeyId,
        answer: Result<Option<ApiKeyRecord>, ApiKeyStoreError>,
    ) -> Result<Option<Arc<CachedKey>>, ApiKeyError> {
        let record = answer.map_err(|error| ApiKeyError::from(&error))?;
        if record.as_ref().is_some_and(|record| record.id != *id) {
            return Err(ApiKeyRefusal::Corrupt.into());
        }
        let key = record.map(|record| CachedKey::new(record, &self.hasher));
        self.cache
            .insert(miss.ticket, &CompactId::of(id), key.as_ref(), miss.at);
        Ok(key)
    }

    /// One hash and one comparison, under the lock of the key.
    fn compare(&self, known: &Known, own: &Outline<'_>, now: Duration) -> Seen {
        let fits = self.hasher.matches(&known.expected, own.secret);
        let is_familiar = fits == Some(true) && known.is_familiar(own.checksum);
        if is_familiar && let Some(principal) = known.pass(now) {
            return Seen::Passed(principal.clone());
        }
        Seen::Compared {
            key: Arc::clone(&known.key),
            fits,
            is_familiar,
        }
    }

    /// One hash and one comparison in any case; then what may have changed since the key was made.
    fn judge(
        &self,
        key: Option<&CachedKey>,
        secret: &[u8],
        usage: ApiKeyUse<'_>,
    ) -> Result<VerifiedPrincipal, ApiKeyError> {
        let Some(key) = key else {
            self.hasher.matches_nothing(secret);
            return Err(ApiKeyRefusal::Unknown.into());
        };
        check_fit(self.hasher.matches(&key.expected, secret))?;
        self.admit(key, usage).map(|(principal, _)| principal)
    }

    /// The principal of a key whose secret was shown, if nothing keeps it from being accepted now and
    /// here; and for how long no use has to be noted.
    fn admit(
        &self,
        key: &CachedKey,
        usage: ApiKeyUse<'_>,
    ) -> Result<(VerifiedPrincipal, Duration), ApiKeyError> {
        let now = self.check_state(&key.record)?;
        check_network(&key.record, usage.address)?;
        check_origin(&key.record, usage.origin)?;
        let free = self.uses.note(key, now);
        let principal = key.principal.get_or_init(|| verified(&key.record));
        Ok((principal.clone(), free))
    }

    fn still_accepts(&self, key: Option<&CachedKey>) -> Result<(), ApiKeyError> {
        let key = key.ok_or(ApiKeyRefusal::Unknown)?;
        self.check_state(&key.record).map(|_| ())
    }

    fn check_state(&self, record: &ApiKeyRecord) -> Result<Timestamp, ApiKeyError> {
        let now = self
            .clock
            .now()
            .map_err(|_| ApiKeyRefusal::ClockUnavailable)?;
        match record.state(now) {
            ApiKeyState::Active | ApiKeyState::InGrace => Ok(now),
            ApiKeyState::Rotated => Err(ApiKeyRefusal::Rotated.into()),
            ApiKeyState::Expired => Err(ApiKeyRefusal::Expired.into()),
            ApiKeyState::Revoked => Err(ApiKeyRefusal::Revoked.into()),
        }
    }
}

/// Why a text is no key.
fn no_key(error: ApiKeyTextError) -> ApiKeyError {
    if error == ApiKeyTextError::Checksum {
        ApiKeyRefusal::Checksum.into()
    } else {
        ApiKeyRefusal::Form.into()
    }
}

/// The principal that a key stands for, once its secret was shown.
fn verified(record: &ApiKeyRecord) -> VerifiedPrincipal {
    let mut authentication = Authentication::new(AuthenticationMethod::ApiKey);
    authentication.expires_at = record.ends_at();
    authentication.credential_id = Some(record.id.as_str().into());
    let mut principal = Principal::new(PrincipalKind::ApiKey, subject(&record.id), authentication);
    principal.tenant = Some(record.tenant.clone());
    principal.scopes.clone_from(&record.scopes);
    VerifiedPrincipal::attest(principal, Attest::i_have_verified_this())
}

#[expect(
    clippy::expect_used,
    reason = "16 or 32 ASCII letters and digits are a subject"
)]
fn subject(id: &ApiKeyId) -> Subject {
    Subject::new(id.as_str()).expect("letters and digits")
}

/// One of the places for look-ups, given back when it is dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(taken: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let before = taken.fetch_add(1, Ordering::Relaxed);
        let place = Self(Arc::clone(taken));
        (before < most).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[expect(clippy::string_slice, reason = "tests fail by panicking")]
mod tests {
    use super::super::digest::tests::HASHES;
    use super::*;
    use crate::api_key::{ApiKeyRequest, MemoryApiKeys, SecretHasher};
    use ringwall_core::principal::{OrgId, Tenant};
    use ringwall_core::request::HeaderValues;

    const ANYWHERE: ApiKeyUse<'static> = ApiKeyUse {
        address: None,
        origin: HeaderValues::Absent,
    };

    fn keys() -> ApiKeys {
        ApiKeys::builder(Arc::new(MemoryApiKeys::new(10)), SecretHasher::sha256()).build()
    }

    /// The text of a new key.
    fn created(keys: &ApiKeys) -> String {
        let tenant = Tenant {
            org: OrgId::new("acme").unwrap(),
            project: None,
        };
        let request = ApiKeyRequest::new("x", tenant, Subject::new("u").unwrap()).unwrap();
        let mut created = Box::pin(keys.create(request));
        let mut context = core::task::Context::from_waker(core::task::Waker::noop());
        match Future::poll(created.as_mut(), &mut context) {
            core::task::Poll::Ready(created) => created.unwrap().key.text().expose().to_owned(),
            core::task::Poll::Pending => panic!("the memory store never waits"),
        }
    }

    /// What is answered, and for how many hashes.
    fn judged(keys: &ApiKeys, text: &str) -> (Option<ApiKeyRefusal>, usize) {
        let before = HASHES.get();
        let Step::Done(answer) = keys.verify(text.as_bytes(), ANYWHERE) else {
            panic!("the memory store never waits")
        };
        let refusal = answer.err().map(|error| error.refusal());
        (refusal, HASHES.get().wrapping_sub(before))
    }

    #[test]
    fn a_wrong_id_costs_as_many_hashes_as_a_wrong_secret_in_memory_and_in_the_store() {
        let keys = keys();
        let good = created(&keys);
        let other = self::keys();
        // Neither the id nor the secret is known here.
        let wrong_id = created(&other);
        let wrong_secret = {
            let body = format!("{}{}", &good[..21], &wrong_id[21..64]);
            format!("{body}{}", crate::api_key::text::checksum_of(&body))
        };
        assert_eq!(
            judged(&keys, &wrong_secret),
            (Some(ApiKeyRefusal::Secret), 2)
        );
        assert_eq!(judged(&keys, &wrong_id), (Some(ApiKeyRefusal::Unknown), 2));
        for _ in 0..3 {
            assert_eq!(
                judged(&keys, &wrong_secret),
                (Some(ApiKeyRefusal::Secret), 1)
            );
            assert_eq!(judged(&keys, &wrong_id), (Some(ApiKeyRefusal::Unknown), 1));
            assert_eq!(judged(&keys, &good), (None, 1));
        }
    }

    #[test]
    fn a_wrong_checksum_or_character_costs_one_hash_whether_its_key_is_known_or_not() {
        let keys = keys();
        let (good, stranger) = (created(&keys), created(&self::keys()));
        for _ in 0..3 {
            assert_eq!(judged(&keys, &good).0, None);
            for text in [&good, &stranger] {
                let end = if text.ends_with('0') { "1" } else { "0" };
                let checksum = format!("{}{end}", &text[..69]);
                assert_eq!(judged(&keys, &checksum), (Some(ApiKeyRefusal::Checksum), 1));
                let form = format!("{}-", &text[..69]);
                assert_eq!(judged(&keys, &form), (Some(ApiKeyRefusal::Form), 1));
                let form = format!("{}-{}", &text[..63], &text[64..]);
                assert_eq!(judged(&keys, &form), (Some(ApiKeyRefusal::Form), 1));
            }
        }
    }
}
