//! What is known of subjects: the policy information point, and the directory that is behind it.

mod change;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod facts;
mod listing;
#[cfg(feature = "conformance")]
pub mod listing_conformance;
mod memory;

use core::fmt;

use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{OrgId, Subject};
use ringwall_core::step::Step;

pub use change::{FactChange, FactChangeKind};
pub use error::DirectoryError;
pub use facts::{
    InvalidFact, MAX_FACT_BYTES, MAX_FACTS, StoredAttribute, SubjectFacts, check_name,
};
pub use listing::{MAX_LISTED_SUBJECTS, SubjectListing};
pub use memory::MemoryDirectory;

/// The answer of a directory.
pub type DirectoryAnswer<T> = Step<Result<T, DirectoryError>>;

/// Tells what is known of a subject in an organisation (XACML: policy information point).
///
/// # Contract
///
/// - **One moment**: roles, attributes and departments of one answer were true together.
/// - **Complete**: what is not in the answer is not so. A part that cannot be read makes an error, never a shorter
///   answer.
/// - **Fresh**: a change that was answered before the question was asked is in the answer, in whichever process. What
///   keeps answers says for how long.
/// - **Of the organisation alone**: what is known of the same subject elsewhere is not told.
/// - Nobody is no error: of a subject of whom nothing is known, nothing is told.
/// - **Bounded in time**: who does not answer within its own time-out answers an error.
pub trait PolicyInformationPoint: Send + Sync + fmt::Debug {
    /// What is known of `subject` in `org`. Attributes that are over are told with their end, which decisions look at.
    fn facts(&self, org: &OrgId, subject: &Subject) -> DirectoryAnswer<SubjectFacts>;
}

/// A directory of subjects that can be changed: by administrators, never by the subjects themselves.
///
/// # Contract
///
/// As of [`PolicyInformationPoint`], and:
///
/// - **Durable**: what was answered `Ok` is there after a crash of the process; of the store too, if it says so.
/// - **Atomic**: a change is there as a whole or not at all, and each makes the version of its subject greater.
/// - **Retries**: every change may be repeated; one that is there already changes nothing but the version.
/// - **Bounded**: a subject has 1,000 facts at most; one more is refused ([`DirectoryError::Full`]).
/// - [`change`](Self::change) and [`purge`](Self::purge) are all there is to write: the others are names for changes.
///
/// `ringwall_authz::directory::conformance` (feature `conformance`) is the suite that holds a directory against this.
pub trait SubjectDirectory: PolicyInformationPoint {
    /// Makes a change.
    fn change(&self, org: &OrgId, subject: &Subject, change: FactChange) -> DirectoryAnswer<()>;

    /// Forgets attributes that ended before `over`. Answers how many there were.
    fn purge(&self, over: Timestamp) -> DirectoryAnswer<u64>;

    /// Gives the subject a role.
    fn grant_role(&self, org: &OrgId, subject: &Subject, role: &str) -> DirectoryAnswer<()> {
        checked(self, org, subject, FactChange::grant_role(role))
    }

    /// Takes a role from the subject.
    fn revoke_role(&self, org: &OrgId, subject: &Subject, role: &str) -> DirectoryAnswer<()> {
        checked(self, org, subject, FactChange::revoke_role(role))
    }

    /// Gives the subject a value of an attribute. A value that it has gets this end.
    fn grant_attribute(
        &self,
        org: &OrgId,
        subject: &Subject,
        attribute: &StoredAttribute,
    ) -> DirectoryAnswer<()> {
        let change = FactChange::grant_attribute(attribute.clone());
        checked(self, org, subject, change)
    }

    /// Takes a value of an attribute from the subject.
    fn revoke_attribute(
        &self,
        org: &OrgId,
        subject: &Subject,
        key: &str,
        value: &str,
    ) -> DirectoryAnswer<()> {
        checked(self, org, subject, FactChange::revoke_attribute(key, value))
    }

    /// Makes the subject one of a department.
    fn add_department(
        &self,
        org: &OrgId,
        subject: &Subject,
        department: &str,
    ) -> DirectoryAnswer<()> {
        checked(self, org, subject, FactChange::add_department(department))
    }

    /// Makes the subject none of a department.
    fn remove_department(
        &self,
        org: &OrgId,
        subject: &Subject,
        department: &str,
    ) -> DirectoryAnswer<()> {
        let change = FactChange::remove_department(department);
        checked(self, org, subject, change)
    }

    /// Forgets all that is known of the subject. Its version stays.
    fn forget(&self, org: &OrgId, subject: &Subject) -> DirectoryAnswer<()> {
        self.change(org, subject, FactChange::forget())
    }
}

fn checked<D: SubjectDirectory + ?Sized>(
    directory: &D,
    org: &OrgId,
    subject: &Subject,
    change: Result<FactChange, InvalidFact>,
) -> DirectoryAnswer<()> {
    match change {
        Ok(change) => directory.change(org, subject, change),
        Err(error) => Step::Done(Err(error.into())),
    }
}
