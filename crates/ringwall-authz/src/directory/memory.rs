//! A directory in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{OrgId, Subject};
use ringwall_core::step::Step;

use super::facts::{MAX_FACTS, StoredAttribute, SubjectFacts, check_name};
use super::{DirectoryAnswer, DirectoryError, PolicyInformationPoint, SubjectDirectory};

/// By organisation and subject.
type Subjects = BTreeMap<(Box<str>, Box<str>), SubjectFacts>;

/// A directory in memory, for tests and for services whose subjects are all in their configuration. It forgets
/// everything with the process.
#[derive(Debug, Default)]
pub struct MemoryDirectory {
    subjects: Mutex<Subjects>,
}

impl MemoryDirectory {
    /// A directory in which nobody is.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn subjects(&self) -> MutexGuard<'_, Subjects> {
        // Each change is made as a whole, so what is there is right whoever panicked.
        self.subjects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(
        &self,
        org: &OrgId,
        subject: &Subject,
        change: impl FnOnce(&mut SubjectFacts),
    ) -> DirectoryAnswer<()> {
        let mut subjects = self.subjects();
        let key = (Box::from(org.as_str()), Box::from(subject.as_str()));
        let facts = subjects.entry(key).or_default();
        let mut changed = facts.clone();
        change(&mut changed);
        if changed.count() > MAX_FACTS && changed.count() > facts.count() {
            return Step::Done(Err(DirectoryError::Full));
        }
        changed.version = facts.version.saturating_add(1);
        *facts = changed;
        Step::Done(Ok(()))
    }
}

impl PolicyInformationPoint for MemoryDirectory {
    fn facts(&self, org: &OrgId, subject: &Subject) -> DirectoryAnswer<SubjectFacts> {
        let key = (Box::from(org.as_str()), Box::from(subject.as_str()));
        let facts = self.subjects().get(&key).cloned();
        Step::Done(Ok(facts.unwrap_or_default()))
    }
}

fn add(names: &mut Vec<Box<str>>, name: &str) {
    if let Err(place) = names.binary_search_by(|own| (**own).cmp(name)) {
        names.insert(place, name.into());
    }
}

impl SubjectDirectory for MemoryDirectory {
    fn grant_role(&self, org: &OrgId, subject: &Subject, role: &str) -> DirectoryAnswer<()> {
        if let Err(error) = check_name(role) {
            return Step::Done(Err(error.into()));
        }
        self.change(org, subject, |facts| add(&mut facts.roles, role))
    }

    fn revoke_role(&self, org: &OrgId, subject: &Subject, role: &str) -> DirectoryAnswer<()> {
        if let Err(error) = check_name(role) {
            return Step::Done(Err(error.into()));
        }
        self.change(org, subject, |facts| {
            facts.roles.retain(|own| **own != *role)
        })
    }

    fn grant_attribute(
        &self,
        org: &OrgId,
        subject: &Subject,
        attribute: &StoredAttribute,
    ) -> DirectoryAnswer<()> {
        if let Err(error) = attribute.check() {
            return Step::Done(Err(error.into()));
        }
        self.change(org, subject, |facts| {
            facts
                .attributes
                .retain(|own| own.key != attribute.key || own.value != attribute.value);
            facts.attributes.push(attribute.clone());
            facts.attributes.sort_unstable();
        })
    }

    fn revoke_attribute(
        &self,
        org: &OrgId,
        subject: &Subject,
        key: &str,
        value: &str,
    ) -> DirectoryAnswer<()> {
        if let Err(error) = StoredAttribute::new(key, value, None).check() {
            return Step::Done(Err(error.into()));
        }
        self.change(org, subject, |facts| {
            facts
                .attributes
                .retain(|own| *own.key != *key || *own.value != *value);
        })
    }

    fn add_department(
        &self,
        org: &OrgId,
        subject: &Subject,
        department: &str,
    ) -> DirectoryAnswer<()> {
        if let Err(error) = check_name(department) {
            return Step::Done(Err(error.into()));
        }
        self.change(org, subject, |facts| {
            add(&mut facts.departments, department)
        })
    }

    fn remove_department(
        &self,
        org: &OrgId,
        subject: &Subject,
        department: &str,
    ) -> DirectoryAnswer<()> {
        if let Err(error) = check_name(department) {
            return Step::Done(Err(error.into()));
        }
        self.change(org, subject, |facts| {
            facts.departments.retain(|own| **own != *department);
        })
    }

    fn forget(&self, org: &OrgId, subject: &Subject) -> DirectoryAnswer<()> {
        self.change(org, subject, |facts| {
            *facts = SubjectFacts::new(facts.version)
        })
    }

    fn purge(&self, over: Timestamp) -> DirectoryAnswer<u64> {
        let mut purged: u64 = 0;
        for facts in self.subjects().values_mut() {
            let before = facts.attributes.len();
            facts
                .attributes
                .retain(|own| own.expires_at.is_none_or(|end| end >= over));
            let gone = before.saturating_sub(facts.attributes.len());
            purged = purged.saturating_add(u64::try_from(gone).unwrap_or(u64::MAX));
        }
        Step::Done(Ok(purged))
    }
}
