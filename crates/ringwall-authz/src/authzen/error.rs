//! Why there is no answer.

use core::fmt;
use core::time::Duration;

use super::resource_listing::ListingError;
use crate::directory::DirectoryError;
use crate::filter::FilterError;

/// The longest place that is told, in bytes.
const MAX_POINTER_BYTES: usize = 256;

/// A request is none of the specification's, or is beyond a bound. 400.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRequest {
    pointer: Box<str>,
    fault: RequestFault,
}

/// What is wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestFault {
    /// It is no JSON (RFC 8259), or no UTF-8.
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The byte of the line.
        column: usize,
    },
    /// It is longer than this many bytes.
    TooLong(usize),
    /// Objects and arrays stand within one another deeper than this.
    TooDeep(usize),
    /// There are more of them than this.
    TooMany(usize),
    /// A key stands twice in one object (RFC 7493 §2.3).
    DuplicateKey,
    /// What is required is not there.
    Missing,
    /// It is not what has to stand there.
    WrongType(&'static str),
    /// It is a text that cannot stand there.
    InvalidText(&'static str),
    /// It is of another type than the policy says of this attribute.
    AttributeType,
    /// The token is not one of ours, or the request is not the one that it was given for (§8.2).
    OtherToken,
}

impl InvalidRequest {
    /// A fault at this place, a JSON Pointer.
    pub(super) fn at(pointer: impl fmt::Display, fault: RequestFault) -> Self {
        let pointer = pointer.to_string();
        let mut end = pointer.len().min(MAX_POINTER_BYTES);
        while !pointer.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        Self {
            pointer: pointer.get(..end).unwrap_or_default().into(),
            fault,
        }
    }

    /// Where: a JSON Pointer (RFC 6901), empty for the document as a whole, and cut off behind 256 bytes.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// What is wrong.
    #[must_use]
    pub const fn fault(&self) -> RequestFault {
        self.fault
    }
}

/// Such as `"/subject/id": it has to be a text`. The place is escaped, and holds keys of the request; values are not told.
impl fmt::Display for InvalidRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.pointer.is_empty() {
            write!(f, "{:?}: ", self.pointer)?;
        }
        match self.fault {
            RequestFault::Syntax { line, column } => {
                write!(f, "it is no JSON (line {line}, column {column})")
            }
            RequestFault::TooLong(bytes) => write!(f, "it is longer than {bytes} bytes"),
            RequestFault::TooDeep(depth) => write!(f, "it is nested deeper than {depth}"),
            RequestFault::TooMany(number) => write!(f, "there are more than {number}"),
            RequestFault::DuplicateKey => f.write_str("the key stands twice in one object"),
            RequestFault::Missing => f.write_str("it is required"),
            RequestFault::WrongType(expected) => write!(f, "it has to be {expected}"),
            RequestFault::InvalidText(expected) => write!(f, "it has to be {expected}"),
            RequestFault::AttributeType => {
                f.write_str("it is of another type than the policy says")
            }
            RequestFault::OtherToken => {
                f.write_str("the token was given for another request, or is none")
            }
        }
    }
}

impl core::error::Error for InvalidRequest {}

/// Why a question has no answer. None of these is a decision: whoever enforces denies.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthzenError {
    /// The request is wrong. 400.
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
    /// The directory of subjects did not answer. 503.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The application did not list its resources. 503, or 500 when it listed what it must not.
    #[error(transparent)]
    Listing(#[from] ListingError),
    /// The rows cannot be filtered as the policy decides. 500.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// This search is not offered here. 500: the metadata does not name it.
    #[error("this search is not offered")]
    NotOffered,
}

impl AuthzenError {
    /// The status of the HTTPS binding (§10.1.2). Beside the 500 of the specification there is 503 with a time for what may
    /// be answered later, a 5xx like it (§7.2.1).
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        match self {
            Self::Invalid(_) | Self::Listing(ListingError::UnknownCursor) => 400,
            Self::Directory(_) | Self::Listing(ListingError::Unavailable { .. }) => 503,
            Self::Listing(ListingError::BrokenContract) | Self::Filter(_) | Self::NotOffered => 500,
        }
    }

    /// Whether the same request can be answered later, and when to try.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Directory(DirectoryError::Unavailable { retry_after, .. })
            | Self::Listing(ListingError::Unavailable { retry_after, .. }) => Some(*retry_after),
            Self::Directory(
                DirectoryError::Corrupt { .. } | DirectoryError::Full | DirectoryError::Invalid(_),
            ) => Some(Duration::from_secs(1)),
            Self::Invalid(_)
            | Self::Listing(ListingError::UnknownCursor | ListingError::BrokenContract)
            | Self::Filter(_)
            | Self::NotOffered => None,
        }
    }
}
