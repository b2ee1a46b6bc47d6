//! A store that counts, fails and waits when it is told to.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ringwall_authn::MemoryApiKeys;
use ringwall_authn::api_key::{
    ApiKeyId, ApiKeyQuery, ApiKeyRecord, ApiKeyRotation, ApiKeyStore, ApiKeyStoreAnswer,
    ApiKeyStoreErrorKind, ApiKeysOf,
};
use ringwall_core::clock::Timestamp;
use ringwall_core::principal::OrgId;
use ringwall_core::step::Step;
use tokio::sync::Semaphore;

#[derive(Debug)]
pub(crate) struct ScriptedStore {
    inner: MemoryApiKeys,
    finds: AtomicUsize,
    writes_of_uses: AtomicUsize,
    failing: AtomicBool,
    corrupt: AtomicBool,
    /// What look-ups answer, whatever they ask for.
    instead: Mutex<Option<ApiKeyRecord>>,
    /// Look-ups read at once and answer when this gives a permit.
    held: Mutex<Option<Arc<Semaphore>>>,
}

impl Default for ScriptedStore {
    fn default() -> Self {
        Self {
            inner: MemoryApiKeys::new(1000),
            finds: AtomicUsize::new(0),
            writes_of_uses: AtomicUsize::new(0),
            failing: AtomicBool::new(false),
            corrupt: AtomicBool::new(false),
            instead: Mutex::new(None),
            held: Mutex::new(None),
        }
    }
}

impl ScriptedStore {
    pub(crate) fn finds(&self) -> usize {
        self.finds.load(Ordering::SeqCst)
    }

    pub(crate) fn writes_of_uses(&self) -> usize {
        self.writes_of_uses.load(Ordering::SeqCst)
    }

    pub(crate) fn fail(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
    }

    pub(crate) fn corrupt(&self, corrupt: bool) {
        self.corrupt.store(corrupt, Ordering::SeqCst);
    }

    pub(crate) fn answer_with(&self, record: ApiKeyRecord) {
        *self.instead.lock().unwrap() = Some(record);
    }

    /// From now on each look-up waits for a permit after it has read.
    pub(crate) fn hold(&self) -> Arc<Semaphore> {
        let semaphore = Arc::new(Semaphore::new(0));
        *self.held.lock().unwrap() = Some(semaphore.clone());
        semaphore
    }

    fn check<T: Send + 'static>(&self, answer: ApiKeyStoreAnswer<T>) -> ApiKeyStoreAnswer<T> {
        if self.failing.load(Ordering::SeqCst) {
            let retry_after = Duration::from_secs(7);
            return Step::Done(Err(ApiKeyStoreErrorKind::Unavailable { retry_after }.into()));
        }
        answer
    }
}

impl ApiKeyStore for ScriptedStore {
    fn insert(&self, record: ApiKeyRecord) -> ApiKeyStoreAnswer<()> {
        self.check(self.inner.insert(record))
    }

    fn find(&self, id: &ApiKeyId) -> ApiKeyStoreAnswer<Option<ApiKeyRecord>> {
        self.finds.fetch_add(1, Ordering::SeqCst);
        if self.corrupt.load(Ordering::SeqCst) {
            return Step::Done(Err(ApiKeyStoreErrorKind::Corrupt.into()));
        }
        if let Some(record) = self.instead.lock().unwrap().clone() {
            return Step::Done(Ok(Some(record)));
        }
        let answer = self.check(self.inner.find(id));
        match &*self.held.lock().unwrap() {
            None => answer,
            Some(semaphore) => {
                let semaphore = semaphore.clone();
                Step::wait(async move {
                    semaphore.acquire().await.unwrap().forget();
                    answer.await
                })
            }
        }
    }

    fn list(&self, query: ApiKeyQuery) -> ApiKeyStoreAnswer<Vec<ApiKeyRecord>> {
        self.check(self.inner.list(query))
    }

    fn revoke(&self, org: &OrgId, id: &ApiKeyId, at: Timestamp) -> ApiKeyStoreAnswer<ApiKeyRecord> {
        self.check(self.inner.revoke(org, id, at))
    }

    fn revoke_all(&self, whose: &ApiKeysOf, at: Timestamp) -> ApiKeyStoreAnswer<u64> {
        self.check(self.inner.revoke_all(whose, at))
    }

    fn rotate(&self, rotation: ApiKeyRotation) -> ApiKeyStoreAnswer<()> {
        self.check(self.inner.rotate(rotation))
    }

    fn record_uses(&self, uses: &[(ApiKeyId, Timestamp)]) -> ApiKeyStoreAnswer<()> {
        self.writes_of_uses.fetch_add(1, Ordering::SeqCst);
        self.check(self.inner.record_uses(uses))
    }
}
