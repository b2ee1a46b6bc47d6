//! Why the database cannot be used.

use std::error::Error as StdError;

/// A cause, for logs alone.
pub(crate) type Source = Box<dyn StdError + Send + Sync + 'static>;

/// Why a database cannot be opened, migrated, or used by a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is out of its range.
    #[error("the configuration of SQLite cannot be used: {0}")]
    Configuration(&'static str),
    /// Others on this machine may change the file, and with it who is let in.
    #[error("the SQLite file is not used, since {0}")]
    Exposed(&'static str),
    /// The file cannot be made, opened or read, or others kept it locked for too long.
    #[error("the SQLite file cannot be used at the moment")]
    Unavailable(#[source] Source),
    /// The schema is older than this program: run `ringwall migrate`.
    #[error(
        "the schema of the database is at version {found} and has to be at {needed}: run `ringwall migrate`"
    )]
    NotMigrated {
        /// The version of the schema; 0 when there is none.
        found: u32,
        /// The version that this program works with.
        needed: u32,
    },
    /// The schema is newer than this program: a newer program migrated it. There is no way back; run the
    /// newer program.
    #[error(
        "the schema of the database is at version {found}, and this program knows versions up to {known}"
    )]
    TooNew {
        /// The version of the schema.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// A step that was applied is not the one that this program knows under its number, so what the
    /// schema looks like is anybody's guess. Nothing was changed.
    #[error("step {version} of the schema was applied with another text than this program knows")]
    Changed {
        /// The number of the step.
        version: u32,
    },
    /// The record of applied steps cannot be read. Nothing was changed.
    #[error("the record of schema steps cannot be read")]
    Corrupt(#[source] Source),
}

impl Error {
    /// Whether the same call may succeed later without anybody doing something.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Configuration(_)
            | Self::Exposed(_)
            | Self::NotMigrated { .. }
            | Self::TooNew { .. }
            | Self::Changed { .. }
            | Self::Corrupt(_) => false,
        }
    }

    pub(crate) fn of_database(error: sqlx::Error) -> Self {
        if is_corruption(&error) {
            Self::Corrupt(source(error))
        } else {
            Self::Unavailable(source(error))
        }
    }
}

/// What the database answered, without values that were stored.
#[derive(Debug, thiserror::Error)]
#[error("SQLite answered {code}: {message}")]
struct Answer {
    code: String,
    message: String,
}

/// The cause as it may be logged.
pub(crate) fn source(error: sqlx::Error) -> Source {
    if let sqlx::Error::Database(answer) = &error {
        return Box::new(Answer {
            code: answer.code().unwrap_or_default().into_owned(),
            message: answer.message().to_owned(),
        });
    }
    Box::new(error)
}

/// Whether the file is no database, is damaged, or holds values of another type than was written.
pub(crate) fn is_corruption(error: &sqlx::Error) -> bool {
    if let sqlx::Error::Database(answer) = error {
        let code = answer.code().and_then(|code| code.parse::<u32>().ok());
        // The low byte is the primary code: SQLITE_CORRUPT, SQLITE_NOTADB.
        return code.is_some_and(|code| matches!(code & 0xff, 11 | 26));
    }
    matches!(
        error,
        sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::TypeNotFound { .. }
    )
}

/// It took too long.
#[derive(Debug, thiserror::Error)]
#[error("no answer in time")]
pub(crate) struct TooSlow;
