//! The machine against a world of its own record: a server that is up and down, attempts of any
//! length, callers with unknown key ids at any time.

#![expect(clippy::arithmetic_side_effects, reason = "tests, within bounds")]

use core::time::Duration;

use proptest::prelude::*;

use super::*;

/// One step of the world.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Time passes, in milliseconds.
    Pass(u64),
    /// Somebody has a token whose key is not there.
    Ask,
    /// The server goes down, or comes up.
    Down(bool),
    /// How long the following attempts take, in milliseconds; more than the time-out permits is
    /// cut off.
    Slow(u64),
    /// What the server says of freshness, in seconds.
    MaxAge(Option<u64>),
    /// What a failing server asks for, in seconds.
    RetryAfter(Option<u64>),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0_u64..20_000).prop_map(Act::Pass),
        1 => (0_u64..2_000_000).prop_map(Act::Pass),
        4 => Just(Act::Ask),
        1 => any::<bool>().prop_map(Act::Down),
        1 => (0_u64..20_000).prop_map(Act::Slow),
        1 => proptest::option::of(0_u64..2_000).prop_map(Act::MaxAge),
        1 => proptest::option::of(0_u64..100_000).prop_map(Act::RetryAfter),
    ]
}

struct World {
    policy: RefreshPolicy,
    machine: Machine,
    now: Duration,
    jitter: u16,
    down_since: Option<Duration>,
    slow: Duration,
    max_age: Option<Duration>,
    retry_after: Option<Duration>,
    /// The attempt under way: its end, and whether it will succeed.
    running: Option<(Duration, bool)>,
    last_begin: Option<Duration>,
    last_success: Option<Duration>,
    /// Since when each attempt that is made succeeds.
    good_since: Duration,
    /// When unknown key ids caused attempts.
    caused: Vec<Duration>,
    waiting: Vec<u64>,
    done: u64,
}

impl World {
    fn new(policy: RefreshPolicy, jitter: u16) -> Self {
        Self {
            policy,
            machine: Machine::new(policy, Duration::ZERO),
            now: Duration::ZERO,
            jitter,
            down_since: None,
            slow: Duration::ZERO,
            max_age: None,
            retry_after: None,
            running: None,
            last_begin: None,
            last_success: None,
            good_since: Duration::ZERO,
            caused: Vec::new(),
            waiting: Vec::new(),
            done: 0,
        }
    }

    /// What the driver does until `end`, event by event.
    fn run_until(&mut self, end: Duration) {
        loop {
            let next_event = match self.running {
                Some((ends_at, _)) => ends_at,
                None => match self.machine.next(self.now) {
                    Next::Attempt => self.now,
                    Next::Sleep(pause) => {
                        assert!(!pause.is_zero(), "a sleep of nothing spins");
                        assert!(pause <= self.policy.max_ttl, "asleep for too long");
                        self.now + pause
                    }
                },
            };
            if next_event > end {
                self.now = end;
                return self.check();
            }
            self.now = next_event;
            match self.running.take() {
                Some((_, success)) => self.end_attempt(success),
                None if self.machine.next(self.now) == Next::Attempt => self.begin_attempt(),
                None => {}
            }
            self.check();
        }
    }

    fn begin_attempt(&mut self) {
        if let Some(last) = self.last_begin {
            // Nobody is asked twice at once, except that one regular attempt and one for an
            // unknown key id can follow each other directly.
            let caused_now = self.caused.last().is_some_and(|caused| *caused >= last);
            let shortest = self.policy.backoff / 2;
            assert!(caused_now || self.now - last >= shortest, "hammering");
        }
        self.last_begin = Some(self.now);
        self.machine.begin();
        let longest = self.policy.longest_attempt();
        let success = self.down_since.is_none() && self.slow < longest;
        self.running = Some((self.now + self.slow.min(longest), success));
    }

    fn end_attempt(&mut self, success: bool) {
        let jitter = Jitter(self.jitter);
        self.jitter = self.jitter.wrapping_mul(25_173).wrapping_add(13_849);
        if success {
            self.machine.succeed(self.now, self.max_age, jitter);
            self.last_success = Some(self.now);
        } else {
            self.machine.fail(self.now, self.retry_after, jitter);
        }
        self.done += 1;
        assert_eq!(self.done, self.machine.attempts());
        let done = self.done;
        let before = self.waiting.len();
        self.waiting.retain(|attempt| *attempt > done);
        for _ in self.waiting.len()..before {
            self.machine.waited();
        }
    }

    fn ask(&mut self) {
        let under_way = self.running.is_some();
        match self.machine.missing(self.now) {
            Missing::Wait { attempt, wake } => {
                assert!(attempt > self.done && attempt <= self.done + 1);
                assert!(!(under_way && wake), "two fetches at once");
                if wake {
                    if let Some(last) = self.caused.last() {
                        let cool_down = self.policy.missing_key_cool_down;
                        assert!(self.now - *last >= cool_down, "within the cool-down");
                    }
                    self.caused.push(self.now);
                    assert_eq!(self.machine.next(self.now), Next::Attempt);
                }
                self.waiting.push(attempt);
                assert!(self.waiting.len() <= self.policy.max_waiting);
            }
            Missing::Absent => {
                // Only somebody who looked since the cool-down began may say so.
                let began = *self.caused.last().expect("a cool-down");
                assert!(self.last_success.is_some_and(|success| success >= began));
                assert!(self.now - began < self.policy.missing_key_cool_down);
            }
            Missing::Unknown { retry_after } => {
                assert!(!retry_after.is_zero());
                assert!(retry_after <= self.policy.missing_key_cool_down.max(self.policy.timeout));
            }
        }
    }

    fn check(&self) {
        assert_eq!(self.machine.waiting(), self.waiting.len());
        let Some(last_success) = self.last_success else {
            assert_eq!(self.machine.expires_at(), Duration::ZERO);
            return;
        };
        let stale_at = self.machine.stale_at().expect("a success");
        assert!(stale_at >= last_success + self.policy.min_ttl);
        assert!(stale_at <= last_success + self.policy.max_ttl);
        assert_eq!(
            self.machine.expires_at(),
            stale_at + self.policy.max_stale,
            "keys live exactly this long without a refresh"
        );
        // When every attempt succeeds, keys are stale no longer than one pause; if attempts are not
        // made ahead, they are for the length of one, too.
        let is_ahead = self.policy.refresh_ahead >= self.policy.longest_attempt();
        if is_ahead && self.is_good() && self.now >= stale_at {
            let good = self.now - self.good_since;
            assert!(good <= self.policy.longest_gap(), "stale for {good:?}");
        }
    }

    fn is_good(&self) -> bool {
        self.down_since.is_none() && self.slow < self.policy.longest_attempt()
    }

    fn act(&mut self, act: Act) {
        let was_good = self.is_good();
        match act {
            Act::Pass(millis) => self.run_until(self.now + Duration::from_millis(millis)),
            Act::Ask => self.ask(),
            Act::Down(true) => {
                self.down_since.get_or_insert(self.now);
                // What was under way is cut off, at the worst moment: at its end.
                if let Some((_, success)) = &mut self.running {
                    *success = false;
                }
            }
            Act::Down(false) => self.down_since = None,
            Act::Slow(millis) => self.slow = Duration::from_millis(millis),
            Act::MaxAge(seconds) => self.max_age = seconds.map(Duration::from_secs),
            Act::RetryAfter(seconds) => self.retry_after = seconds.map(Duration::from_secs),
        }
        if !was_good && self.is_good() {
            self.good_since = self.now;
        }
        self.run_until(self.now);
    }
}

proptest! {
    #[test]
    fn property_the_machine_holds_in_any_world(
        acts in proptest::collection::vec(act(), 1..300),
        jitter: u16,
        max_waiting in 0_usize..20,
    ) {
        let policy = RefreshPolicy { max_waiting, ..RefreshPolicy::default() };
        let mut world = World::new(policy, jitter);
        for act in acts {
            world.act(act);
        }
    }

    /// The promise itself, in its own words. Mostly at its edge: outages of nearly that length,
    /// which begin when a refresh is about to, or under way.
    #[test]
    fn property_an_outage_that_is_not_too_long_refuses_nobody(
        before in prop_oneof![0_u64..4_000_000, 0_u64..20_000],
        until_due in prop_oneof![0_u64..100, 0_u64..300_000],
        over in prop_oneof![Just(0), 0_u64..15_000],
        outage in prop_oneof![0_u64..3_600_000, 0_u64..16_000],
        is_at_the_edge: bool,
        slow in prop_oneof![0_u64..14_999, Just(14_999_u64)],
        max_age in proptest::option::of(0_u64..2_000),
        retry_after in proptest::option::of(0_u64..100_000),
        is_ahead: bool,
        jitter: u16,
    ) {
        let mut policy = RefreshPolicy::default();
        if !is_ahead {
            policy.refresh_ahead = Duration::ZERO;
        }
        let mut world = World::new(policy, jitter);
        for act in [
            Act::MaxAge(max_age),
            Act::RetryAfter(retry_after),
            Act::Slow(slow),
            Act::Pass(20_000),
            Act::Pass(before),
        ] {
            world.act(act);
        }
        let longest = u64::try_from(world.policy.longest_outage().as_millis()).unwrap();
        let outage = if is_at_the_edge {
            while world.running.is_some() {
                world.act(Act::Pass(100));
            }
            let next = world.machine.due().saturating_sub(world.now);
            let next = u64::try_from(next.as_millis()).unwrap();
            world.act(Act::Pass(next.saturating_sub(until_due) + over));
            longest.saturating_sub(outage % 16_000)
        } else {
            outage % longest
        };
        world.act(Act::Down(true));
        prop_assert!(world.last_success.is_some());
        let down_at = world.now;
        let mut left = outage;
        while left > 0 {
            let step = left.min(997);
            left -= step;
            world.act(Act::Pass(step));
            prop_assert!(world.now < world.machine.expires_at());
        }
        world.act(Act::Down(false));
        while world.last_success.is_some_and(|success| success <= down_at) {
            world.act(Act::Pass(997));
            prop_assert!(world.now < world.machine.expires_at());
            // The attempt under way, one pause, and one attempt.
            let waited = world.now.saturating_sub(world.good_since);
            let due = world.policy.max_ttl.max(world.policy.longest_gap());
            prop_assert!(waited <= due + Duration::from_secs(1));
        }
    }
}

#[test]
fn absent_is_said_only_after_a_look() {
    let policy = RefreshPolicy::default();
    let second = Duration::from_secs(1);
    let mut machine = Machine::new(policy, Duration::ZERO);
    machine.begin();
    machine.succeed(Duration::ZERO, None, Jitter(0));
    assert!(matches!(
        machine.missing(second),
        Missing::Wait { wake: true, .. }
    ));
    assert_eq!(machine.next(second), Next::Attempt);
    let before_it_begins = machine.missing(second);
    assert_eq!(
        before_it_begins,
        Missing::Wait {
            wake: false,
            attempt: 2
        }
    );
    machine.begin();
    assert!(matches!(
        machine.missing(second),
        Missing::Wait {
            wake: false,
            attempt: 2
        }
    ));
    machine.fail(2 * second, None, Jitter(0));
    assert_eq!(
        machine.missing(2 * second),
        Missing::Unknown {
            retry_after: 29 * second
        }
    );
    assert_eq!(machine.due(), 270 * second, "the regular pace is kept");
}

#[test]
fn an_attempt_for_an_unknown_key_that_fails_when_the_regular_one_is_due_counts_as_it() {
    let second = Duration::from_secs(1);
    let mut machine = Machine::new(RefreshPolicy::default(), Duration::ZERO);
    machine.begin();
    machine.succeed(Duration::ZERO, None, Jitter(0));
    machine.missing(269 * second);
    machine.begin();
    machine.fail(271 * second, None, Jitter(0));
    assert_eq!(machine.failures(), 1);
    assert_eq!(machine.next(271 * second), Next::Sleep(second));
}
