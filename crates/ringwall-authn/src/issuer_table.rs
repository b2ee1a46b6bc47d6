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
///
/// No issuer ends under the lock, one that was refused neither: with an issuer its source of keys
/// may end, and what that does then may well ask this table. Who calls [`Self::change`] therefore
/// holds on to what goes in and to what comes out until the lock was given back.
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
        let states: Vec<_> = policies
            .into_iter()
            .take(MAX_ISSUERS.saturating_add(1))
            .map(|policy| Arc::new(IssuerState::new(policy)))
            .collect();
        self.change(|issuers| {
            for state in &states {
                if issuers.len() >= MAX_ISSUERS {
                    return Err(PolicyError::TooManyIssuers);
                }
                let name = state.policy.issuer().into();
                if issuers.insert(name, Arc::clone(state)).is_some() {
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
        let state = Arc::new(IssuerState::new(policy));
        self.change(|issuers| {
            let name = state.policy.issuer();
            if issuers.len() >= MAX_ISSUERS && !issuers.contains_key(name) {
                return Err(PolicyError::TooManyIssuers);
            }
            let old = issuers.insert(name.into(), Arc::clone(&state));
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
        let _guard = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut issuers = Table::clone(&self.issuers.load());
        let answer = change(&mut issuers)?;
        self.issuers.store(Arc::new(issuers));
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

    fn keys() -> Arc<dyn KeySource> {
        let pkcs8 = SigningKey::generate_pkcs8(Algorithm::EdDsa).unwrap();
        let key = SigningKey::from_pkcs8(Algorithm::EdDsa, &pkcs8).unwrap();
        let keys = TokenIssuer::new("issuer", key).key_set().unwrap();
        Arc::new(StaticKeys::new(keys))
    }

    #[test]
    fn who_leaves_the_table_is_retired_and_who_stays_is_not() {
        let (table, keys) = (IssuerTable::default(), keys());
        let builder = |name: &str| IssuerPolicy::builder(name, "api", Arc::clone(&keys));
        let policy = |name: &str| {
            let builder = builder(name).map_principal(PrincipalMapping::without_tenant);
            builder.build().unwrap()
        };
        table.add([policy("a"), policy("b")]).unwrap();
        let (a, b) = (table.find("a").unwrap(), table.find("b").unwrap());
        // It may name any organisation beside another issuer, so nothing is changed.
        let any_org = builder("a").build().unwrap();
        assert_eq!(table.replace(any_org).err(), Some(PolicyError::AnyOrg));
        assert!(!a.is_retired());
        assert!(Arc::ptr_eq(
            &table.replace(policy("a")).unwrap().unwrap(),
            &a
        ));
        assert!(a.is_retired() && !b.is_retired());
        assert!(Arc::ptr_eq(&table.remove("b").unwrap(), &b));
        assert!(b.is_retired() && !table.find("a").unwrap().is_retired());
    }

    #[test]
    fn the_number_of_issuers_is_bounded() {
        let keys = keys();
        let policy = |issuer: &str| {
            IssuerPolicy::builder(issuer, "api", Arc::clone(&keys))
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
