//! What an event costs on its way: counted, bounded, and counted by the peer's own table of series.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use prometheus_client::metrics::{counter::Counter, family::Family};
use ringwall_core::event::{DiscardEvents, EventKind, EventSink, SecurityEvent};
use ringwall_metrics::{BoundedEvents, Metrics};

use crate::{
    goals::Goals,
    race::{Length, Pairs, Race},
    report::{Report, fastest, print_times},
};

const OURS: &str = "ours";
const FAMILY: &str = "prometheus-client-family";
const DISCARD: &str = "discard";
const FLOOD: &str = "ours bounded=one-source";
const BOTNET: &str = "ours bounded=many-sources";

/// What one label set is at the peer.
type Labels = [(&'static str, &'static str); 2];

const CAUSES: [&str; 4] = [
    "the token has expired",
    "the signature does not verify",
    "the caller lacks a scope that the route demands",
    "a credential was accepted",
];

/// An event that is counted must stay far below what it tells of.
const COUNT_GOAL_NANOS: f64 = 50.0;
const BOUND_GOAL_NANOS: f64 = 500.0;

pub fn run(length: Length, report: &mut Report, goals: &mut Goals) {
    let metrics = Metrics::builder().build().expect("no names");
    let sink = metrics.sink();
    let family: Family<Labels, Counter> = Family::default();
    let next = AtomicUsize::new(0);
    let cause = || CAUSES[next.fetch_add(1, Ordering::Relaxed) % CAUSES.len()];
    let count = || {
        sink.emit(SecurityEvent::new(
            EventKind::AuthenticationSucceeded,
            cause(),
        ));
    };
    let count_in_family = || {
        let kind = EventKind::AuthenticationSucceeded.as_str();
        let labels = [("kind", kind), ("cause", cause())];
        family.get_or_create(&labels).inc();
    };
    let discard = || {
        DiscardEvents.emit(SecurityEvent::new(
            EventKind::AuthenticationSucceeded,
            cause(),
        ));
    };

    let mut race = Race::new();
    race.add(OURS, count);
    race.add(FAMILY, count_in_family);
    race.add(DISCARD, discard);
    let times = race.run(length);
    print_times("an event is counted", &times);
    let (ours, peer) = (fastest(&times, OURS), fastest(&times, FAMILY));
    report.compare("kind=events op=count threads=1", ours, FAMILY, peer);
    goals.at_most("events, counting one", COUNT_GOAL_NANOS, ours, "ns");

    let mut pairs = Pairs::new();
    pairs.add(OURS, count);
    pairs.add(FAMILY, count_in_family);
    let times = pairs.run(length);
    print_times("an event is counted, by two threads at once", &times);
    let (ours, peer) = (fastest(&times, OURS), fastest(&times, FAMILY));
    report.compare("kind=events op=count threads=2", ours, FAMILY, peer);

    // One source that never stops, and one event each of more sources than the table has places for.
    let flood = BoundedEvents::new(Arc::new(DiscardEvents));
    let botnet = BoundedEvents::new(Arc::new(DiscardEvents));
    let fail = |bounded: &BoundedEvents, source: u32| {
        let mut event = SecurityEvent::new(EventKind::AuthenticationFailed, CAUSES[0]);
        event.source = Some(IpAddr::V4(Ipv4Addr::from_bits(source)));
        bounded.emit(event);
    };
    let source = AtomicUsize::new(0);
    let mut race = Race::new();
    race.add(FLOOD, || fail(&flood, 1));
    race.add(BOTNET, || {
        let number = source.fetch_add(7_919, Ordering::Relaxed);
        fail(&botnet, number as u32);
    });
    let times = race.run(length);
    print_times("an event that is bounded", &times);
    for name in [FLOOD, BOTNET] {
        let nanos = fastest(&times, name);
        goals.at_most(&format!("events, {name}"), BOUND_GOAL_NANOS, nanos, "ns");
    }
}
