//! Authorization in SQLite: row filters.

mod directory;
mod rows;

pub use directory::SqliteDirectory;
pub use rows::PushRows;
