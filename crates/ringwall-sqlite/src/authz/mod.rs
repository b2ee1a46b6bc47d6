//! Authorization in SQLite: row filters.

mod rows;

pub use rows::PushRows;
