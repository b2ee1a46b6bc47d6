//! A directory in memory.

use core::ops::Bound;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{OrgId, Subject};
use ringwall_core::step::Step;

use super::change::FactChange;
use super::facts::SubjectFacts;
use super::{
    DirectoryAnswer, DirectoryError, MAX_LISTED_SUBJECTS, PolicyInformationPoint, SubjectDirectory,
    SubjectListing,
};

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
}

impl PolicyInformationPoint for MemoryDirectory {
    fn facts(&self, org: &OrgId, subject: &Subject) -> DirectoryAnswer<SubjectFacts> {
        let key = (Box::from(org.as_str()), Box::from(subject.as_str()));
        let facts = self.subjects().get(&key).cloned();
        Step::Done(Ok(facts.unwrap_or_default()))
    }
}

impl SubjectDirectory for MemoryDirectory {
    fn change(&self, org: &OrgId, subject: &Subject, change: FactChange) -> DirectoryAnswer<()> {
        let mut subjects = self.subjects();
        let key = (Box::from(org.as_str()), Box::from(subject.as_str()));
        let facts = subjects.entry(key).or_default();
        let changed = change.apply(facts);
        Step::Done(changed.map(|changed| *facts = changed))
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

impl SubjectListing for MemoryDirectory {
    fn subjects(
        &self,
        org: &OrgId,
        after: Option<&Subject>,
        limit: usize,
    ) -> DirectoryAnswer<Vec<Subject>> {
        // No name is empty.
        let after = after.map_or("", Subject::as_str);
        let start = (Box::from(org.as_str()), Box::from(after));
        let behind = (Bound::Excluded(start), Bound::Unbounded);
        let subjects = self.subjects();
        let names = subjects
            .range::<(Box<str>, Box<str>), _>(behind)
            .take_while(|((own, _), _)| **own == *org.as_str())
            .filter(|(_, facts)| facts.count() > 0)
            .take(limit.min(MAX_LISTED_SUBJECTS))
            .map(|((_, name), _)| Subject::new(name.clone()));
        Step::Done(
            names
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| DirectoryError::Corrupt {
                    source: Some(Box::new(error)),
                }),
        )
    }
}
