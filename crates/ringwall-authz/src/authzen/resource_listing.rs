//! The application's resources, listed by a row filter.

use core::error::Error as StdError;
use core::fmt;
use core::time::Duration;

use ringwall_core::step::Step;

use crate::filter::Rows;

/// The longest cursor in bytes.
pub const MAX_CURSOR_BYTES: usize = 1024;

/// Lists the ids of the rows that meet a filter, for the resource search: an application runs its query with the WHERE
/// that `ringwall-postgres` or `ringwall-sqlite` pushes.
///
/// # Contract
///
/// - **Those rows and no others**: `rows` is the whole condition, the tenant included. Nothing but a page is left out.
/// - **Ids** are written as the policy's type of the id: a text as it is, a UUID with hyphens, a whole number in decimal
///   digits.
/// - **Bounded**: `limit` ids at most; a longer answer is refused. `next` says where the next page begins, in the
///   application's own words, of [`MAX_CURSOR_BYTES`] at most, and is `None` behind the last one. It comes back as `after`.
/// - **A cursor is a stranger's**: it travels through the enforcement point, which can change it. Bind it as a value, and
///   answer [`ListingError::UnknownCursor`] to what is none.
/// - **Bounded in time**: who does not answer within its own time-out answers an error.
pub trait ResourceListing: Send + Sync + fmt::Debug {
    /// A page of ids.
    fn resources(&self, query: ResourceQuery) -> Step<Result<ResourcePage, ListingError>>;
}

/// Which rows are listed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ResourceQuery {
    /// The type, as the policy names it.
    pub resource_type: Box<str>,
    /// The condition that they meet.
    pub rows: Rows,
    /// Where the page begins: the `next` of the page before.
    pub after: Option<String>,
    /// How many ids at most: at least one.
    pub limit: usize,
}

/// A page of ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourcePage {
    /// The ids.
    pub ids: Vec<String>,
    /// Where the next page begins. `None` when there is none.
    pub next: Option<String>,
}

/// Why no resources are listed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListingError {
    /// They cannot be listed now.
    #[error("the resources cannot be listed now")]
    Unavailable {
        /// When to try again.
        retry_after: Duration,
        /// Why, for logs.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// The cursor is none of the listing's.
    #[error("the cursor is none of this listing")]
    UnknownCursor,
    /// More ids than were asked for, or a cursor or an id that is too long.
    #[error("the listing broke its contract")]
    BrokenContract,
}
