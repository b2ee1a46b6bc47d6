//! Keys of this process.

use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ringwall_core::clock::Timestamp;
use ringwall_core::principal::OrgId;
use ringwall_core::step::Step;

use super::id::ApiKeyId;
use super::record::{ApiKeyRecord, ApiKeyState, Replaced};
use super::store::{
    ApiKeyQuery, ApiKeyRotation, ApiKeyStore, ApiKeyStoreAnswer, ApiKeyStoreError,
    ApiKeyStoreErrorKind, ApiKeysOf,
};

/// API keys in the memory of this process, which are lost with it: for tests, for development, and for
/// keys that come from a configuration.
///
/// A list looks at all keys.
pub struct MemoryApiKeys {
    keys: RwLock<BTreeMap<ApiKeyId, ApiKeyRecord>>,
    capacity: usize,
}

impl MemoryApiKeys {
    /// Room for `capacity` keys, revoked ones among them.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            keys: RwLock::default(),
            capacity,
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<ApiKeyId, ApiKeyRecord>> {
        // Each change is one insertion, or several that cannot panic in between.
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<ApiKeyId, ApiKeyRecord>> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn insert_new(
        &self,
        keys: &mut BTreeMap<ApiKeyId, ApiKeyRecord>,
        record: ApiKeyRecord,
    ) -> Result<(), ApiKeyStoreError> {
        if keys.contains_key(&record.id) {
            return Err(ApiKeyStoreErrorKind::Conflict.into());
        }
        if keys.len() >= self.capacity {
            let retry_after = FULL_RETRY_AFTER;
            return Err(ApiKeyStoreErrorKind::Unavailable { retry_after }.into());
        }
        keys.insert(record.id.clone(), record);
        Ok(())
    }
}

/// A full store stays full until somebody acts.
const FULL_RETRY_AFTER: Duration = Duration::from_secs(60);

impl ApiKeyStore for MemoryApiKeys {
    fn insert(&self, record: ApiKeyRecord) -> ApiKeyStoreAnswer<()> {
        Step::Done(self.insert_new(&mut self.write(), record))
    }

    fn find(&self, id: &ApiKeyId) -> ApiKeyStoreAnswer<Option<ApiKeyRecord>> {
        Step::Done(Ok(self.read().get(id).cloned()))
    }

    fn list(&self, query: ApiKeyQuery) -> ApiKeyStoreAnswer<Vec<ApiKeyRecord>> {
        let keys = self.read();
        let page = keys.values().filter(|record| query.includes(record));
        Step::Done(Ok(page.take(query.limit.get().into()).cloned().collect()))
    }

    fn revoke(&self, org: &OrgId, id: &ApiKeyId, at: Timestamp) -> ApiKeyStoreAnswer<ApiKeyRecord> {
        let mut keys = self.write();
        let found = keys.get_mut(id).filter(|record| record.tenant.org == *org);
        Step::Done(match found {
            Some(record) => {
                record.revoked_at.get_or_insert(at);
                Ok(record.clone())
            }
            None => Err(ApiKeyStoreErrorKind::NotFound.into()),
        })
    }

    fn revoke_all(&self, whose: &ApiKeysOf, at: Timestamp) -> ApiKeyStoreAnswer<u64> {
        let mut count: u64 = 0;
        for record in self.write().values_mut() {
            if whose.includes(record) && record.revoked_at.is_none() {
                record.revoked_at = Some(at);
                count = count.saturating_add(1);
            }
        }
        Step::Done(Ok(count))
    }

    fn rotate(&self, rotation: ApiKeyRotation) -> ApiKeyStoreAnswer<()> {
        let ApiKeyRotation {
            old,
            successor,
            at,
            grace_ends_at,
        } = rotation;
        let mut keys = self.write();
        let known = keys
            .get(&old)
            .filter(|record| record.tenant.org == successor.tenant.org);
        let Some(known) = known else {
            return Step::Done(Err(ApiKeyStoreErrorKind::NotFound.into()));
        };
        if known.state(at) != ApiKeyState::Active {
            return Step::Done(Err(ApiKeyStoreErrorKind::Conflict.into()));
        }
        let by = successor.id.clone();
        if let Err(error) = self.insert_new(&mut keys, successor) {
            return Step::Done(Err(error));
        }
        if let Some(record) = keys.get_mut(&old) {
            record.replaced = Some(Replaced { by, grace_ends_at });
        }
        Step::Done(Ok(()))
    }

    fn record_uses(&self, uses: &[(ApiKeyId, Timestamp)]) -> ApiKeyStoreAnswer<()> {
        let mut keys = self.write();
        for (id, at) in uses {
            if let Some(record) = keys.get_mut(id) {
                record.last_used_at = record.last_used_at.max(Some(*at));
            }
        }
        Step::Done(Ok(()))
    }
}

impl fmt::Debug for MemoryApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryApiKeys")
            .field("keys", &self.read().len())
            .field("capacity", &self.capacity)
            .finish()
    }
}
