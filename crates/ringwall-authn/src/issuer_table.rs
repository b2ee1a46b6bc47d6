//! The issuers of a verifier, which change while requests run.

use core::sync::atomic::{AtomicBool, Ordering};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use ringwall_jose::Health;

use crate::error::PolicyError;
use crate::policy::IssuerPolicy;

/// The most issuers of one verifier.
pub const MAX_ISSUERS: usize = 100_000;

type Table = HashMap<Box<str>, Arc<IssuerState>>;

/// One configured issuer. When it is removed or replaced it is retired, and with it every cached
/// token that was verified under it.
#[derive(Debug)]
pub(crate) struct IssuerState {
    pub(crate) policy: IssuerPolicy,
    retired: AtomicBool,
}

impl IssuerState {
    pub(crate) const fn new(policy: IssuerPolicy) -> Self {
        Self {
            policy,
            retired: AtomicBool::new(false),
        }
    }

    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }
}

/// The issuers by name. Each change copies the table, so that readers never wait.
#[derive(Debug, Default)]
pub(crate) struct IssuerTable {
    issuers: ArcSwap<Table>,
    /// Orders those who change `issuers`; readers never take it.
    changing: Mutex<()>,
}

impl IssuerTable {
    pub(crate) fn find(&self, issuer: &str) -> Option<Arc<IssuerState>> {
        self.issuers.load().get(issuer).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.issuers.load().len()
    }

    pub(crate) fn health(&self) -> Vec<(Arc<str>, Health)> {
        let issuers = self.issuers.load();
        issuers
            .values()
            .map(|state| (Arc::clone(&state.policy.issuer), state.policy.keys.health()))
            .collect()
    }

    /// Adds all of them or none.
    pub(crate) fn add(
        &self,
        policies: impl IntoIterator<Item = IssuerPolicy>,
    ) -> Result<(), PolicyError> {
        self.change(|issuers| {
            for policy in policies {
                if issuers.len() >= MAX_ISSUERS {
                    return Err(PolicyError::TooManyIssuers);
                }
                let name = policy.issuer().into();
                let state = Arc::new(IssuerState::new(policy));
                if issuers.insert(name, state).is_some() {
                    return Err(PolicyError::DuplicateIssuer);
                }
            }
            check_orgs(issuers)
        })
    }

    /// Answers the one that was there before, retired.
    pub(crate) fn replace(
        &self,
        policy: IssuerPolicy,
    ) -> Result<Option<Arc<IssuerState>>, PolicyError> {
        self.change(|issuers| {
            if issuers.len() >= MAX_ISSUERS && !issuers.contains_key(policy.issuer()) {
                return Err(PolicyError::TooManyIssuers);
            }
            let name = policy.issuer().into();
            let old = issuers.insert(name, Arc::new(IssuerState::new(policy)));
            check_orgs(issuers)?;
            Ok(old.inspect(|old| old.retire()))
        })
    }

    /// Answers the one that was there, retired.
    pub(crate) fn remove(&self, issuer: &str) -> Option<Arc<IssuerState>> {
        let removed = self.change(|issuers| {
            let old = issuers.remove(issuer);
            Ok::<_, PolicyError>(old.inspect(|old| old.retire()))
        });
        removed.ok().flatten()
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&mut Table) -> Result<T, PolicyError>,
    ) -> Result<T, PolicyError> {
        // Declared before the lock, and so dropped after it: with an issuer its source of keys may
        // end, and what that does then may well ask this table.
        let mut issuers = Table::new();
        let _old;
        let _guard = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        issuers.clone_from(&self.issuers.load());
        let answer = change(&mut issuers)?;
        _old = self.issuers.swap(Arc::new(core::mem::take(&mut issuers)));
        Ok(answer)
    }
}

/// A single issuer is the operator's own and may name whom it likes.
fn check_orgs(issuers: &Table) -> Result<(), PolicyError> {
    let unchecked = |state: &Arc<IssuerState>| state.policy.mapping.names_orgs_unchecked();
    if issuers.len() > 1 && issuers.values().any(unchecked) {
        return Err(PolicyError::AnyOrg);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PrincipalMapping, SigningKey, TokenIssuer};
    use ringwall_jose::{Algorithm, KeySource, StaticKeys};

    #[test]
    fn the_number_of_issuers_is_bounded() {
        let pkcs8 = SigningKey::generate_pkcs8(Algorithm::EdDsa).unwrap();
        let key = SigningKey::from_pkcs8(Algorithm::EdDsa, &pkcs8).unwrap();
        let keys = TokenIssuer::new("issuer", key).key_set().unwrap();
        let keys = Arc::new(StaticKeys::new(keys));
        let policy = |issuer: &str| {
            let keys: Arc<dyn KeySource> = Arc::<StaticKeys>::clone(&keys);
            IssuerPolicy::builder(issuer, "api", keys)
                .map_principal(PrincipalMapping::without_tenant)
                .build()
                .unwrap()
        };
        let table = IssuerTable::default();
        // Adding them one by one would take minutes.
        let state = Arc::new(IssuerState::new(policy("issuer")));
        let full = (0..MAX_ISSUERS)
            .map(|n| (n.to_string().into(), Arc::clone(&state)))
            .collect();
        table.issuers.store(Arc::new(full));
        let full = Some(PolicyError::TooManyIssuers);
        assert_eq!(table.add([policy("new")]).err(), full);
        assert_eq!(table.replace(policy("new")).err(), full);
        assert!(table.replace(policy("7")).unwrap().is_some());
        assert!(table.remove("8").is_some());
        assert_eq!(table.add([policy("new")]), Ok(()));
        assert_eq!(table.len(), MAX_ISSUERS);
    }
}
