//! An assertion that sends requests.

use core::fmt;
use core::future::Future;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::failure::fail;

pin_project! {
    /// An assertion that sends requests: await it.
    ///
    /// One that is dropped without being awaited fails the test, since it has asserted nothing.
    #[must_use = "an assertion asserts nothing until it is awaited"]
    pub struct Assertion<F> {
        #[pin]
        future: F,
        bomb: Bomb,
    }
}

/// Goes off when the assertion was forgotten.
struct Bomb {
    asked_at: &'static Location<'static>,
    is_awaited: bool,
}

impl<F: Future<Output = ()>> Assertion<F> {
    pub(crate) const fn new(asked_at: &'static Location<'static>, future: F) -> Self {
        Self {
            future,
            bomb: Bomb {
                asked_at,
                is_awaited: false,
            },
        }
    }
}

impl<F: Future<Output = ()>> Future for Assertion<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        this.bomb.is_awaited = true;
        this.future.poll(context)
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        // A second panic during the first would abort, and hide what went wrong.
        if !self.is_awaited && !std::thread::panicking() {
            fail(&format!(
                "the assertion at {} was never awaited, so it asserted nothing: add `.await`",
                self.asked_at
            ));
        }
    }
}

impl<F> fmt::Debug for Assertion<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assertion")
            .field("asked_at", &self.bomb.asked_at)
            .finish_non_exhaustive()
    }
}
