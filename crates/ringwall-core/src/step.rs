//! An answer that is often there at once.

use core::future::{Future, IntoFuture};
use core::pin::Pin;
use core::task::{Context, Poll};

/// A boxed future that owns all it needs, so that it can outlive the call that made it.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send + 'static>>;

/// Either the answer itself or a future of it.
///
/// Checks on the hot path (a cached token, an in-memory limit) know their answer without waiting.
/// Returning a boxed future for them would cost an allocation per request for nothing; a `Step`
/// costs none. Whoever does have to wait clones its handle into the future, which is `'static`.
///
/// ```
/// use ringwall_core::step::Step;
///
/// async fn double(step: Step<u32>) -> u32 {
///     step.await * 2
/// }
/// # let mut future = Box::pin(double(Step::Done(21)));
/// # let waker = std::task::Waker::noop();
/// # let mut context = std::task::Context::from_waker(&waker);
/// # assert_eq!(future.as_mut().poll(&mut context), std::task::Poll::Ready(42));
/// # use std::future::Future;
/// ```
#[must_use = "a step that waits does nothing until it is awaited"]
pub enum Step<T> {
    /// The answer.
    Done(T),
    /// The answer will come.
    Wait(BoxFuture<T>),
}

impl<T> Step<T> {
    /// A step that waits for `future`.
    pub fn wait(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self::Wait(Box::pin(future))
    }

    /// Applies `function` to the answer, now or when it comes.
    pub fn map<U>(self, function: impl FnOnce(T) -> U + Send + 'static) -> Step<U>
    where
        T: Send + 'static,
    {
        match self {
            Self::Done(value) => Step::Done(function(value)),
            Self::Wait(future) => Step::wait(async move { function(future.await) }),
        }
    }
}

impl<T> core::fmt::Debug for Step<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Done(_) => "Step::Done",
            Self::Wait(_) => "Step::Wait",
        })
    }
}

impl<T: Unpin> IntoFuture for Step<T> {
    type Output = T;
    type IntoFuture = StepFuture<T>;

    fn into_future(self) -> StepFuture<T> {
        StepFuture(match self {
            Self::Done(value) => State::Done(Some(value)),
            Self::Wait(future) => State::Wait(future),
        })
    }
}

/// The future of a [`Step`]. It never completes a second time: like a fused future, it stays
/// pending after its answer was taken.
pub struct StepFuture<T>(State<T>);

enum State<T> {
    Done(Option<T>),
    Wait(BoxFuture<T>),
}

impl<T> core::fmt::Debug for StepFuture<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("StepFuture")
    }
}

impl<T: Unpin> Future for StepFuture<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match &mut self.0 {
            State::Done(value) => value.take().map_or(Poll::Pending, Poll::Ready),
            State::Wait(future) => {
                let answer = core::task::ready!(future.as_mut().poll(context));
                self.0 = State::Done(None);
                Poll::Ready(answer)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::task::Waker;

    fn poll<T: Unpin>(future: &mut StepFuture<T>) -> Poll<T> {
        Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn gives_its_answer_once_and_stays_pending_after_it() {
        for step in [Step::Done(7), Step::wait(async { 7 })] {
            let mut future = step.into_future();
            assert_eq!(poll(&mut future), Poll::Ready(7));
            assert_eq!(poll(&mut future), Poll::Pending);
        }
    }

    #[test]
    fn maps_both_forms() {
        for step in [Step::Done(20), Step::wait(async { 20 })] {
            assert_eq!(
                poll(&mut step.map(|n| n + 1).into_future()),
                Poll::Ready(21)
            );
        }
    }
}
