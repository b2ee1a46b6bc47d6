//! Contenders measured side by side, in many short rounds.

use std::{
    hint::black_box,
    sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use ringwall_core::clock::{MonotonicClock as _, SystemClock};

/// How long a contender runs at a stretch: short enough that many stretches fall between two
/// interruptions by other programs, long enough that the clock's own cost vanishes.
const STRETCH: Duration = Duration::from_micros(400);

/// How often the number of operations of a stretch is measured.
const LOOKS: u32 = 5;

/// Runs an operation a number of times.
type Run<'a> = Box<dyn FnMut(u32) + 'a>;

/// Several contenders for one task.
#[derive(Default)]
pub struct Race<'a> {
    contenders: Vec<(String, Run<'a>)>,
}

/// One contender's times, in nanoseconds per operation.
#[derive(Clone, Debug)]
pub struct Times {
    /// Who.
    pub name: String,
    /// The fastest stretch: what the operation costs when nothing else interferes.
    pub minimum: f64,
    /// The stretch in the middle.
    pub median: f64,
}

/// How long to race.
#[derive(Clone, Copy, Debug)]
pub struct Length {
    rounds: usize,
    stretch: Duration,
}

impl Length {
    /// Rounds enough for minima that repeat within a per cent or two.
    pub const FULL: Self = Self {
        rounds: 1000,
        stretch: STRETCH,
    };

    /// For contenders that take milliseconds each.
    pub const BRIEF: Self = Self {
        rounds: 50,
        stretch: STRETCH,
    };

    /// Every contender a few times.
    pub const SMOKE: Self = Self {
        rounds: 2,
        stretch: Duration::ZERO,
    };

    /// Whether the times mean nothing.
    #[must_use]
    pub fn is_smoke(self) -> bool {
        self.stretch.is_zero()
    }
}

impl<'a> Race<'a> {
    /// Nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a contender. What the operation answers is dropped within the measured time.
    pub fn add<T>(&mut self, name: &str, mut operation: impl FnMut() -> T + 'a) {
        self.add_stretches(name, move |times| {
            for _ in 0..times {
                drop(black_box(operation()));
            }
        });
    }

    fn add_stretches(&mut self, name: &str, run: impl FnMut(u32) + 'a) {
        self.contenders.push((name.to_owned(), Box::new(run)));
    }

    /// Measures all of them. In every round each runs for one stretch; each round starts with
    /// another contender, and every other one goes backwards, so that nobody always runs behind
    /// the same neighbour.
    #[must_use]
    pub fn run(mut self, length: Length) -> Vec<Times> {
        let times: Vec<u32> = self
            .contenders
            .iter_mut()
            .map(|(_, run)| calibrate(run, length.stretch))
            .collect();
        self.run_for(&times, length)
    }

    /// With this many operations in each stretch of each contender.
    fn run_for(mut self, times: &[u32], length: Length) -> Vec<Times> {
        let clock = SystemClock::new();
        let count = self.contenders.len();
        let mut samples = vec![Vec::with_capacity(length.rounds); count];
        for round in 0..length.rounds {
            for step in 0..count {
                let place = if round % 2 == 0 {
                    (round / 2 + step) % count
                } else {
                    (round / 2 + count - step) % count
                };
                let start = clock.elapsed();
                self.contenders[place].1(times[place]);
                let elapsed = clock.elapsed() - start;
                samples[place].push(elapsed.as_secs_f64() * 1e9 / f64::from(times[place]));
            }
        }
        self.contenders
            .into_iter()
            .zip(samples)
            .map(|((name, _), mut samples)| {
                samples.sort_unstable_by(f64::total_cmp);
                Times {
                    name,
                    minimum: samples[0],
                    median: samples[samples.len() / 2],
                }
            })
            .collect()
    }
}

/// A contender: its name, and its operation so many times.
type Pair<'a> = (String, Box<dyn Fn(u32) + Sync + 'a>);

/// Contenders whose operation two threads do at once, the same number of times each. A stretch ends
/// when both have done theirs, so one in which the second thread did not get a processor is a slow
/// one, and not the fastest.
#[derive(Default)]
pub struct Pairs<'a> {
    contenders: Vec<Pair<'a>>,
}

/// What the second thread is told, and tells.
#[derive(Default)]
struct Errand {
    /// The number of the errand; zero before the first.
    given: AtomicU64,
    place: AtomicUsize,
    times: AtomicU32,
    done: AtomicU64,
}

impl<'a> Pairs<'a> {
    /// Nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a contender. What the operation answers is dropped within the measured time.
    pub fn add<T>(&mut self, name: &str, operation: impl Fn() -> T + Sync + 'a) {
        let run = move |times: u32| {
            for _ in 0..times {
                drop(black_box(operation()));
            }
        };
        self.contenders.push((name.to_owned(), Box::new(run)));
    }

    /// Measures all of them, as [`Race::run`] does.
    #[must_use]
    pub fn run(self, length: Length) -> Vec<Times> {
        // Alone: a second thread that does not get a processor now would make all stretches short.
        let times: Vec<u32> = self
            .contenders
            .iter()
            .map(|(_, run)| calibrate(&mut |times| run(times), length.stretch))
            .collect();
        let errand = Errand::default();
        thread::scope(|scope| {
            scope.spawn(|| errand.work(&self.contenders));
            let mut race = Race::new();
            for (place, (name, run)) in self.contenders.iter().enumerate() {
                let errand = &errand;
                race.add_stretches(name, move |times| {
                    let number = errand.give(place, times);
                    run(times);
                    until(|| errand.done.load(Ordering::Acquire) == number);
                });
            }
            let measured = race.run_for(&times, length);
            errand.give(0, 0);
            measured
        })
    }
}

impl Errand {
    /// None at all (zero times) ends the second thread.
    fn give(&self, place: usize, times: u32) -> u64 {
        self.place.store(place, Ordering::Relaxed);
        self.times.store(times, Ordering::Relaxed);
        self.given.fetch_add(1, Ordering::Release) + 1
    }

    fn work(&self, contenders: &[Pair<'_>]) {
        for number in 1.. {
            until(|| self.given.load(Ordering::Acquire) == number);
            let times = self.times.load(Ordering::Relaxed);
            if times == 0 {
                return;
            }
            contenders[self.place.load(Ordering::Relaxed)].1(times);
            self.done.store(number, Ordering::Release);
        }
    }
}

/// Waits at a processor, since to be woken takes as long as a good part of a stretch; but not for
/// ever, where there are fewer processors than threads.
fn until(is_so: impl Fn() -> bool) {
    for spins in 0_u32.. {
        if is_so() {
            return;
        }
        if spins < 10_000 {
            std::hint::spin_loop();
        } else {
            thread::yield_now();
        }
    }
}

/// How many operations fill a stretch; also warms caches and branch predictors.
fn calibrate(run: &mut dyn FnMut(u32), stretch: Duration) -> u32 {
    let clock = SystemClock::new();
    let mut times = 1_u32;
    loop {
        let start = clock.elapsed();
        run(times);
        let elapsed = clock.elapsed() - start;
        if elapsed >= stretch || times >= 1 << 20 {
            break;
        }
        times *= 2;
    }
    // The doubling overshoots; more looks at the full count give the mean, and the fastest of them is
    // one in which nothing else ran: a stretch of too few operations would only ever see what the
    // contender before it left in the caches.
    let one = (0..LOOKS)
        .map(|_| {
            let start = clock.elapsed();
            run(times);
            (clock.elapsed() - start).as_secs_f64() / f64::from(times)
        })
        .fold(f64::INFINITY, f64::min);
    ((stretch.as_secs_f64() / one) as u32).max(1)
}
