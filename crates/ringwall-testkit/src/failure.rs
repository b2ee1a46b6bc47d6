//! How an assertion fails: the one place of this crate that panics.

use core::fmt;

/// Fails the test with `message`, at the place of whoever is marked `#[track_caller]` above.
#[track_caller]
#[expect(
    clippy::panic,
    reason = "a test that fails panics: that is what assertions are for"
)]
pub(crate) fn fail(message: &str) -> ! {
    panic!("{message}")
}

/// The value, or the failure of the test: for what cannot fail unless the test is put together
/// wrongly.
#[track_caller]
pub(crate) fn must<T, E: fmt::Display>(result: Result<T, E>, what: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => fail(&format!("{what}: {error}")),
    }
}
