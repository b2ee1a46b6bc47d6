//! Stores that do not wait.

use core::future::{Future, IntoFuture as _};
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use ringwall_core::step::Step;

/// The answer of a step that does not wait.
pub(crate) fn at_once<T: Unpin>(step: Step<T>) -> T {
    done(step.into_future())
}

/// What a future comes to that does not wait.
pub(crate) fn done<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits"),
    }
}
