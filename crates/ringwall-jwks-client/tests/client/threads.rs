//! What only happens between threads: here in the one order that is wanted.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use ringwall_core::clock::{MonotonicClock, SystemClock};
use ringwall_core::step::Step;
use ringwall_jose::KeySource as _;
use ringwall_jwks_client::{PrefetchError, RefreshError, RefreshPolicy};
use tokio::runtime::{Builder, Runtime};

use crate::support::*;

type Hook = Box<dyn FnOnce()>;

thread_local! {
    /// What is to happen when this thread looks at the clock, look by look.
    static LOOKS: RefCell<VecDeque<Option<Hook>>> = const { RefCell::new(VecDeque::new()) };
}

/// The machine's clock. Whoever looks at it can be held up for as long as the test wants.
#[derive(Debug)]
struct Hooked(SystemClock);

impl MonotonicClock for Hooked {
    fn elapsed(&self) -> Duration {
        let hook = LOOKS.with(|looks| looks.borrow_mut().pop_front());
        if let Some(Some(hook)) = hook {
            hook();
        }
        self.0.elapsed()
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

fn ready(runtime: &Runtime, fetcher: &Arc<Scripted>) -> Bench {
    let _entered = runtime.enter();
    let bench = Bench::with(fetcher, |builder| {
        builder.clock(Arc::new(Hooked(SystemClock::new())))
    });
    runtime.block_on(bench.client.prefetch()).unwrap();
    bench
}

#[test]
fn a_key_that_comes_between_two_looks_at_the_state_is_found() {
    for held_up_at in 0..4 {
        let runtime = Arc::new(runtime());
        let fetcher = Scripted::serving(&set(&["old"]));
        let bench = ready(&runtime, &fetcher);
        fetcher.serve(&set(&["old", "new"]));
        // Meanwhile somebody else asks for the same key, gets it, and starts the cool-down.
        let (client, handle) = (bench.client.clone(), Arc::clone(&runtime));
        LOOKS.with(|looks| {
            let mut looks = looks.borrow_mut();
            looks.clear();
            looks.extend((0..held_up_at).map(|_| None));
            looks.push_back(Some(Box::new(move || {
                let other = std::thread::spawn(move || {
                    handle.block_on(client.look_for("new").into_future())
                });
                assert_eq!(other.join().unwrap(), Ok(true));
            })));
        });
        let answer = match bench.client.look_for("new") {
            Step::Done(answer) => answer,
            Step::Wait(answer) => runtime.block_on(answer),
        };
        assert_eq!(answer, Ok(true), "held up at look {held_up_at}");
        LOOKS.with(|looks| looks.borrow_mut().clear());
        assert_eq!(fetcher.calls(), 2);
    }
}

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// An executor that is not tokio's.
fn wait<T>(step: Step<T>) -> T {
    let mut future = match step {
        Step::Done(answer) => return answer,
        Step::Wait(future) => future,
    };
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(answer) = future.as_mut().poll(&mut context) {
            return answer;
        }
        std::thread::park();
    }
}

#[test]
fn whoever_waits_needs_no_runtime_of_their_own() {
    let runtime = runtime();
    let fetcher = Scripted::serving(&set(&["old"]));
    let client = {
        let _entered = runtime.enter();
        let bench = Bench::with(&fetcher, |builder| {
            builder.policy(RefreshPolicy {
                timeout: Duration::from_millis(200),
                missing_key_cool_down: Duration::from_millis(1),
                ..policy()
            })
        });
        runtime.block_on(bench.client.prefetch()).unwrap();
        bench.client
    };
    fetcher.serve(&set(&["old", "new"]));
    assert_eq!(wait(client.look_for("new")), Ok(true));
    std::thread::sleep(Duration::from_millis(5));
    fetcher.set(|_| Reply::Never);
    let step = client.look_for("other");
    assert!(wait(step).is_err(), "after the time-out");
    // The runtime ends while somebody waits.
    std::thread::sleep(Duration::from_millis(5));
    let step = client.look_for("other");
    drop(runtime);
    assert!(wait(step).is_err());
}

fn impatient() -> RefreshPolicy {
    RefreshPolicy {
        timeout: Duration::from_millis(100),
        backoff: Duration::from_millis(20),
        max_backoff: Duration::from_millis(40),
        ..policy()
    }
}

/// Waits, in real time, until it is so.
fn until(mut it_is_so: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if it_is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it never was so");
}

#[test]
fn a_runtime_whose_blocking_threads_are_all_busy_delays_attempts_and_does_not_end_them() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (free, busy) = std::sync::mpsc::channel::<()>();
    runtime.spawn_blocking(move || busy.recv().ok());
    let fetcher = Scripted::serving(&set(&["a"]));
    let client = {
        let _entered = runtime.enter();
        Bench::with(&fetcher, |builder| builder.policy(impatient())).client
    };
    let failed = runtime
        .block_on(async { tokio::time::timeout(Duration::from_secs(10), client.prefetch()).await });
    assert!(
        matches!(
            failed,
            Ok(Err(PrefetchError::Failed(RefreshError::Builder)))
        ),
        "{failed:?}"
    );
    drop(free);
    until(|| client.keys().is_ok());
}

#[test]
fn code_that_builds_sets_for_ever_holds_one_thread_and_no_more() {
    let runtime = runtime();
    let fetcher = Scripted::serving(&set(&["a"]));
    let (free, stuck) = std::sync::mpsc::channel::<()>();
    let stuck = Mutex::new(stuck);
    let calls = Arc::new(AtomicUsize::new(0));
    let client = {
        let _entered = runtime.enter();
        let calls = Arc::clone(&calls);
        let bench = Bench::with(&fetcher, |builder| {
            builder.policy(impatient()).key_set(move || {
                calls.fetch_add(1, Ordering::SeqCst);
                stuck.lock().unwrap().recv().ok();
                ringwall_jose::KeySet::builder()
            })
        });
        bench.client
    };
    until(|| client.status().failures >= 5);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    drop(free);
    until(|| client.keys().is_ok());
}

#[test]
fn keys_that_come_during_a_look_at_them_end_the_wait_for_the_first_ones() {
    let runtime = runtime();
    let fetcher = Scripted::new(|_| Reply::Never);
    let bench = {
        let _entered = runtime.enter();
        Bench::with(&fetcher, |builder| {
            builder
                .clock(Arc::new(Hooked(SystemClock::new())))
                .policy(impatient())
        })
    };
    let (client, other) = (bench.client.clone(), Arc::clone(&fetcher));
    LOOKS.with(|looks| {
        looks.borrow_mut().push_back(Some(Box::new(move || {
            other.serve(&set(&["a"]));
            until(|| client.status().keys == 1);
        })));
    });
    // The next refresh would be minutes later.
    runtime
        .block_on(async { tokio::time::timeout(seconds(10), bench.client.prefetch()).await })
        .unwrap()
        .unwrap();
}

#[test]
fn whoever_waits_in_a_runtime_is_not_held_up_by_that_of_the_client() {
    let idle = Builder::new_current_thread().enable_all().build().unwrap();
    let fetcher = Scripted::serving(&set(&["a"]));
    let client = {
        let _entered = idle.enter();
        Bench::with(&fetcher, |builder| builder.policy(impatient())).client
    };
    idle.block_on(client.prefetch()).unwrap();
    // From here on, nobody drives the tasks and timers of that runtime.
    let answer = runtime().block_on(async {
        tokio::time::timeout(seconds(10), client.look_for("b").into_future()).await
    });
    assert!(matches!(answer, Ok(Err(_))), "{answer:?}");
}
