use core::net::Ipv4Addr;

use proptest::prelude::*;
use ringwall_core::event::MemoryEvents;

use super::*;

struct Setting {
    kept: Arc<MemoryEvents>,
    clock: Arc<ringwall_core::clock::ManualClock>,
    bounded: BoundedEvents,
}

impl Setting {
    fn new(per_minute: u32, sources: usize) -> Self {
        let kept = Arc::new(MemoryEvents::new(100_000));
        let clock = Arc::new(ringwall_core::clock::ManualClock::new(
            Timestamp::UNIX_EPOCH,
        ));
        let bounded = BoundedEvents::builder(kept.clone())
            .per_minute(NonZeroU32::new(per_minute).expect("not zero"))
            .sources(sources)
            .clock(clock.clone())
            .build()
            .expect("within bounds");
        Self {
            kept,
            clock,
            bounded,
        }
    }

    fn emit(&self, kind: EventKind, source: impl Into<IpAddr>) {
        let mut event = SecurityEvent::new(kind, "a cause");
        event.source = Some(source.into());
        self.bounded.emit(event);
    }

    fn fail(&self, source: &str) {
        let source: IpAddr = source.parse().expect("an address");
        self.emit(EventKind::AuthenticationFailed, source);
    }

    fn passed(&self) -> usize {
        self.kept.count(EventKind::AuthenticationFailed)
    }

    fn summed_up(&self) -> Vec<u64> {
        let events = self.kept.snapshot();
        let summaries = events
            .iter()
            .filter(|event| event.kind == EventKind::EventsDropped);
        summaries.map(|event| event.count).collect()
    }
}

#[test]
fn passes_on_the_number_that_was_set_and_counts_the_rest() {
    let setting = Setting::new(10, 100);
    for _ in 0..25 {
        setting.fail("192.0.2.1");
    }
    assert_eq!(setting.passed(), 10);
    assert_eq!(setting.bounded.dropped(), 15);
}

#[test]
fn a_source_that_floods_hides_no_other_one() {
    let setting = Setting::new(2, 100);
    for _ in 0..1000 {
        setting.fail("192.0.2.1");
    }
    setting.fail("192.0.2.2");
    assert_eq!(setting.passed(), 3);
}

#[test]
fn a_flood_of_one_kind_hides_no_other_kind_of_the_same_source() {
    let setting = Setting::new(2, 100);
    for _ in 0..1000 {
        setting.emit(EventKind::CredentialsMissing, Ipv4Addr::LOCALHOST);
    }
    setting.fail("127.0.0.1");
    assert_eq!(setting.passed(), 1);
}

#[test]
fn what_nobody_can_cause_at_will_always_passes() {
    let setting = Setting::new(1, 1);
    for _ in 0..50 {
        setting.emit(EventKind::AuditFailed, Ipv4Addr::LOCALHOST);
        setting.emit(EventKind::AuthenticationSucceeded, Ipv4Addr::LOCALHOST);
        setting.emit(EventKind::AccessDenied, Ipv4Addr::LOCALHOST);
    }
    assert_eq!(setting.kept.snapshot().len(), 150);
}

#[test]
fn in_an_outage_one_source_fills_no_log() {
    for kind in [
        EventKind::KeysUnavailable,
        EventKind::RevocationUnavailable,
        EventKind::ReplayStoreUnavailable,
        EventKind::ApiKeysUnavailable,
        EventKind::RateLimitsUnavailable,
        EventKind::SubjectsUnavailable,
        EventKind::RateLimited,
        EventKind::RateLimitNear,
        EventKind::RateLimitWouldDeny,
        EventKind::RateLimitTableFull,
        EventKind::ClockUnavailable,
    ] {
        let setting = Setting::new(2, 100);
        for _ in 0..50 {
            setting.emit(kind, Ipv4Addr::LOCALHOST);
        }
        assert_eq!(setting.kept.count(kind), 2, "{kind:?}");
        assert_eq!(setting.bounded.dropped(), 48);
    }
}

#[test]
fn an_ipv6_network_of_64_bits_is_one_source() {
    let setting = Setting::new(2, 100);
    for host in 1..=50 {
        setting.fail(&format!("2001:db8:0:1::{host:x}"));
        setting.fail(&format!("2001:db8:0:1:{host:x}::"));
    }
    setting.fail("2001:db8:0:2::1");
    assert_eq!(setting.passed(), 3);
}

#[test]
fn an_ipv4_address_in_the_form_of_ipv6_is_the_same_source_and_no_other_one() {
    let setting = Setting::new(1, 100);
    setting.fail("192.0.2.1");
    setting.fail("::ffff:192.0.2.1");
    assert_eq!(setting.passed(), 1);
    setting.fail("::ffff:192.0.2.2");
    assert_eq!(setting.passed(), 2);
}

#[test]
fn events_without_an_address_are_one_source() {
    let setting = Setting::new(2, 100);
    for _ in 0..5 {
        let event = SecurityEvent::new(EventKind::AuthenticationFailed, "a cause");
        setting.bounded.emit(event);
    }
    assert_eq!(setting.passed(), 2);
}

#[test]
fn sums_up_at_once_and_then_once_a_minute() {
    let setting = Setting::new(1, 100);
    setting.fail("192.0.2.1");
    assert!(setting.summed_up().is_empty());
    for _ in 0..5 {
        setting.fail("192.0.2.1");
    }
    assert_eq!(setting.summed_up(), [1]);
    setting.clock.advance(Duration::from_secs(59));
    setting.emit(EventKind::AccessDenied, Ipv4Addr::LOCALHOST);
    assert_eq!(setting.summed_up(), [1]);
    // Whatever the next event is.
    setting.clock.advance(Duration::from_secs(1));
    setting.emit(EventKind::AccessDenied, Ipv4Addr::LOCALHOST);
    assert_eq!(setting.summed_up(), [1, 4]);
    setting.clock.advance(Duration::from_secs(600));
    setting.emit(EventKind::AccessDenied, Ipv4Addr::LOCALHOST);
    assert_eq!(setting.summed_up(), [1, 4]);
}

#[test]
fn what_was_not_summed_up_yet_is_when_it_is_dropped() {
    let setting = Setting::new(1, 100);
    for _ in 0..5 {
        setting.fail("192.0.2.1");
    }
    let Setting { kept, bounded, .. } = setting;
    drop(bounded);
    let events = kept.snapshot();
    let counts = events.iter().filter(|e| e.kind == EventKind::EventsDropped);
    assert_eq!(counts.map(|event| event.count).sum::<u64>(), 4);
}

#[test]
fn a_source_that_paused_for_two_minutes_is_heard_again() {
    let setting = Setting::new(3, 100);
    for _ in 0..9 {
        setting.fail("192.0.2.1");
    }
    setting.clock.advance(Duration::from_secs(120));
    for _ in 0..9 {
        setting.fail("192.0.2.1");
    }
    assert_eq!(setting.passed(), 6);
    assert_eq!(setting.bounded.sources(), 1);
}

#[test]
fn a_full_table_leaves_out_unknown_sources_and_forgets_none_that_it_knows() {
    let setting = Setting::new(3, 16);
    setting.fail("192.0.2.1");
    for number in 0..10_000 {
        setting.fail(&Ipv4Addr::from_bits(0x0a00_0000 + number).to_string());
    }
    assert!(setting.bounded.sources() <= 16);
    let before = setting.passed();
    setting.fail("192.0.2.1");
    setting.fail("192.0.2.1");
    setting.fail("192.0.2.1");
    assert_eq!(setting.passed(), before + 2);
}

#[test]
fn a_million_random_sources_leave_the_table_as_small_as_it_was_set_and_every_event_counted() {
    let setting = Setting::new(10, DEFAULT_SOURCES);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut most = 0;
    for number in 0..1_000_000_u32 {
        // A xorshift generator: the order does not matter, and that it is the same each time does.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let address = Ipv6Addr::from_bits(u128::from(state) << 64);
        setting.emit(EventKind::AuthenticationFailed, address);
        if number % 100_000 == 0 {
            setting.clock.advance(Duration::from_secs(30));
        }
        if number % 10_000 == 0 {
            most = most.max(setting.bounded.sources());
        }
    }
    assert!(most <= 2 * DEFAULT_SOURCES, "{most}");
    for Shard(shard) in &setting.bounded.shards {
        let shard = shard.lock().unwrap();
        // What a table of the limit has room for, whatever came.
        let room = HashMap::<Source, u32>::with_capacity(setting.bounded.limit).capacity();
        assert!(shard.young.capacity() <= room, "{}", shard.young.capacity());
        assert!(shard.old.capacity() <= room, "{}", shard.old.capacity());
    }
    let passed = setting.passed() as u64;
    assert_eq!(passed + setting.bounded.dropped(), 1_000_000);
}

#[test]
fn threads_together_pass_on_no_more_than_one_would_and_lose_no_count() {
    let setting = Setting::new(10, 100);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    setting.fail("192.0.2.1");
                    setting.fail("192.0.2.2");
                }
            });
        }
    });
    assert_eq!(setting.passed(), 20);
    assert_eq!(setting.bounded.dropped(), 16_000 - 20);
    setting.bounded.flush();
    assert_eq!(setting.summed_up().iter().sum::<u64>(), 16_000 - 20);
}

/// Holds every event until it is let go, as a log on a disk that hangs does.
#[derive(Debug)]
struct Stuck(std::sync::Barrier);

impl EventSink for Stuck {
    fn emit(&self, event: SecurityEvent) {
        if event.cause == "the one that hangs" {
            self.0.wait();
            self.0.wait();
        }
    }
}

#[test]
fn nobody_waits_for_a_sink_that_hangs_with_another_event() {
    let stuck = Arc::new(Stuck(std::sync::Barrier::new(2)));
    let bounded = BoundedEvents::new(stuck.clone());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let kind = EventKind::AuthenticationFailed;
            bounded.emit(SecurityEvent::new(kind, "the one that hangs"));
        });
        stuck.0.wait();
        // Of the same source, so of the same lock: this would wait for ever if it were held.
        for _ in 0..100 {
            let kind = EventKind::AuthenticationFailed;
            bounded.emit(SecurityEvent::new(kind, "another one"));
        }
        assert_eq!(bounded.dropped(), 91);
        stuck.0.wait();
    });
}

#[test]
fn refuses_bounds_that_bound_nothing() {
    for given in [0, MAX_SOURCES + 1, usize::MAX] {
        let built = BoundedEvents::builder(Arc::new(MemoryEvents::new(0)))
            .sources(given)
            .build();
        let limit = MAX_SOURCES;
        assert_eq!(built.expect_err("refused"), Error::Sources { given, limit });
    }
}

/// Steps of a second or more, and who fails at each.
fn histories() -> impl Strategy<Value = Vec<(u64, u8)>> {
    prop::collection::vec((0_u64..50, 0_u8..4), 1..300)
}

/// Lets `history` happen with one bound per minute; answers when events of each source passed.
fn play(history: &[(u64, u8)], most: u32) -> (Setting, [Vec<Duration>; 4]) {
    let setting = Setting::new(most, 1000);
    let mut passed: [Vec<Duration>; 4] = Default::default();
    for (pause, who) in history {
        setting.clock.advance(Duration::from_secs(*pause));
        let before = setting.passed();
        setting.fail(&format!("192.0.2.{who}"));
        if setting.passed() > before {
            passed[usize::from(*who)].push(setting.clock.elapsed());
        }
    }
    (setting, passed)
}

#[test]
fn one_source_takes_a_place_for_each_bounded_kind_and_no_more() {
    let setting = Setting::new(5, 4096);
    let one: IpAddr = "192.0.2.1".parse().expect("an address");
    for _ in 0..100 {
        for kind in EventKind::ALL {
            setting.emit(*kind, one);
        }
    }
    let bounded = EventKind::ALL.iter().filter(|kind| is_bounded(**kind));
    assert_eq!((setting.bounded.sources(), bounded.count()), (18, 18));
    // As many as the documentation says fill the table, and others are left out then.
    for n in 0..1000_u32 {
        for kind in EventKind::ALL {
            setting.emit(*kind, Ipv4Addr::from_bits(0x0a00_0000 | n));
        }
    }
    assert_eq!(setting.bounded.sources(), 4096);
    for (kind, passes) in [
        (EventKind::HandshakeFailed, 0),
        // It needs an identity.
        (EventKind::ApiKeyRevoked, 1),
    ] {
        let before = setting.kept.count(kind);
        setting.emit(kind, Ipv4Addr::new(198, 51, 100, 7));
        assert_eq!(setting.kept.count(kind), before + passes, "{kind:?}");
    }
}

/// Whether the last and the first of some times are a minute or more apart.
fn spans_a_minute(window: &[Duration]) -> bool {
    match window {
        [first, .., last] => last.saturating_sub(*first) >= MINUTE,
        _ => false,
    }
}

proptest! {
    #[test]
    fn property_no_minute_has_more_of_a_source_than_was_set(
        history in histories(),
        most in 1_u32..6,
    ) {
        let (setting, passed) = play(&history, most);
        let all: usize = passed.iter().map(Vec::len).sum();
        let left_out = usize::try_from(setting.bounded.dropped()).expect("fits");
        prop_assert_eq!(all.saturating_add(left_out), history.len());
        let one_more = usize::try_from(most).expect("fits").saturating_add(1);
        for times in &passed {
            prop_assert!(times.windows(one_more).all(spans_a_minute), "{:?}", times);
        }
    }

    #[test]
    fn property_what_was_left_out_is_summed_up_to_the_last_one(history in histories()) {
        let (setting, _) = play(&history, 2);
        setting.bounded.flush();
        prop_assert_eq!(setting.summed_up().iter().sum::<u64>(), setting.bounded.dropped());
    }

    #[test]
    fn property_a_source_that_never_stops_is_heard_again_and_again(
        pauses in prop::collection::vec(0_u64..50, 1..300),
    ) {
        let history: Vec<_> = pauses.into_iter().map(|pause| (pause, 1)).collect();
        let (setting, [_, times, ..]) = play(&history, 1);
        // Two generations, each of which ends with the first event after its minute.
        let longest = Duration::from_secs(220);
        let ends = times.iter().copied().skip(1).chain([setting.clock.elapsed()]);
        for (heard, next) in times.iter().zip(ends) {
            prop_assert!(next.saturating_sub(*heard) <= longest, "{:?}", times);
        }
    }
}
