//! The Authorization API over lists that SQLite filters.

#[cfg(test)]
mod searches;
