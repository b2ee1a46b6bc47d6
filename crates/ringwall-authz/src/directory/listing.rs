//! Who is in a directory.

use core::fmt;

use ringwall_core::principal::{OrgId, Subject};

use super::DirectoryAnswer;

/// The most subjects that one call lists.
pub const MAX_LISTED_SUBJECTS: usize = 1000;

/// Lists the subjects of an organisation, a page at a time: for those who look for who may do something.
///
/// # Contract
///
/// - **Of the organisation alone**: subjects of whom something is known elsewhere are not told.
/// - **Known**: a subject is told when at least one fact of it is stored, also an attribute that is over and was not
///   purged yet. One who was [forgotten](super::SubjectDirectory::forget) is not told.
/// - **In order**: by the bytes of their names, each once, all of them greater than `after`. No more than `limit`, and no
///   more than [`MAX_LISTED_SUBJECTS`].
/// - **Complete**: fewer than both of these means that there are no more. A part that cannot be read makes an error,
///   never a shorter answer.
/// - Pages are no snapshot: whoever comes or goes between two calls may be missed, and whoever stays is told once.
/// - **Bounded in time**, as [`PolicyInformationPoint`](super::PolicyInformationPoint) says.
///
/// `ringwall_authz::directory::listing_conformance` (feature `conformance`) is the suite that holds a directory against
/// this.
pub trait SubjectListing: Send + Sync + fmt::Debug {
    /// The first subjects of `org` behind `after`, or of all when that is `None`.
    fn subjects(
        &self,
        org: &OrgId,
        after: Option<&Subject>,
        limit: usize,
    ) -> DirectoryAnswer<Vec<Subject>>;
}
