//! Everything that is counted, as a sink on the one side and a collector on the other.

use core::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeMetric as _, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use ringwall_core::clock::Timestamp;
use ringwall_core::event::{EventKind, EventSink, SecurityEvent};
use ringwall_jose::Health;

use crate::bounded::BoundedEvents;
use crate::causes::{Counts, OTHER};
use crate::limits::{self, LimitCounts};
use crate::responses::Responses;
use crate::table::{self, Metric, MetricType};

/// Something that is asked at each scrape, and the name of its series.
pub(crate) struct Watched<T> {
    pub(crate) name: String,
    pub(crate) read: Box<dyn Fn() -> T + Send + Sync>,
}

impl<T> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watched").field(&self.name).finish()
    }
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) counts: Counts,
    pub(crate) limits: LimitCounts,
    pub(crate) responses: Responses,
    pub(crate) key_sources: Vec<Watched<Health>>,
    pub(crate) certificates: Vec<Watched<Option<Timestamp>>>,
    pub(crate) bounded: Option<Arc<BoundedEvents>>,
    pub(crate) forward: Arc<dyn EventSink>,
}

impl EventSink for State {
    fn emit(&self, event: SecurityEvent) {
        self.counts.add(event.kind, event.cause);
        self.limits.add(&event);
        self.forward.emit(event);
    }
}

impl State {
    /// How often the stores could not answer. Each is the sum of the kinds that say so.
    fn stores(&self) -> [(&'static str, u64); 5] {
        let count = |kind| self.counts.of_kind(kind);
        let replay = count(EventKind::ReplayStoreUnavailable)
            .saturating_add(count(EventKind::ReplayUnavailable));
        [
            ("replay", replay),
            ("revocation", count(EventKind::RevocationUnavailable)),
            ("api_keys", count(EventKind::ApiKeysUnavailable)),
            ("rate_limits", count(EventKind::RateLimitsUnavailable)),
            ("subjects", count(EventKind::SubjectsUnavailable)),
        ]
    }

    fn dropped(&self) -> u64 {
        self.bounded.as_ref().map_or(0, |bounded| bounded.dropped())
    }
}

impl Collector for State {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut events = begin(&mut encoder, &table::EVENTS)?;
        for kind in EventKind::ALL {
            let count = self.counts.of_kind(*kind);
            counter(&mut events, &[("kind", kind.as_str())], count)?;
        }
        let newer = self.counts.of_newer_kinds();
        if newer > 0 {
            counter(&mut events, &[("kind", OTHER)], newer)?;
        }

        let mut causes = begin(&mut encoder, &table::CAUSES)?;
        for (kind, cause, count) in self.counts.pairs() {
            counter(&mut causes, &[("kind", kind), ("cause", cause)], count)?;
        }

        let mut stores = begin(&mut encoder, &table::STORES)?;
        for (store, count) in self.stores() {
            counter(&mut stores, &[("store", store)], count)?;
        }

        type Read = fn(&limits::Counts) -> u64;
        let by_limit: [(&Metric, Read); 3] = [
            (&table::LIMITED, limits::Counts::denied),
            (&table::NEAR, limits::Counts::near),
            (&table::WOULD_DENY, limits::Counts::would_deny),
        ];
        for (metric, read) in by_limit {
            let mut family = begin(&mut encoder, metric)?;
            for (policy, counts) in self.limits.iter() {
                counter(&mut family, &[("policy", policy)], read(counts))?;
            }
        }

        let dropped = begin(&mut encoder, &table::DROPPED)?;
        ConstCounter::new(self.dropped()).encode(dropped)?;

        // Asked once, so that the two gauges are of one moment.
        let healths: Vec<_> = self
            .key_sources
            .iter()
            .map(|watched| (&*watched.name, (watched.read)()))
            .collect();
        let mut stale = begin(&mut encoder, &table::STALE)?;
        for (name, health) in &healths {
            let value = i64::from(*health != Health::Fresh);
            gauge(&mut stale, &[("issuer", *name)], value)?;
        }
        let mut unavailable = begin(&mut encoder, &table::UNAVAILABLE)?;
        for (name, health) in &healths {
            let value = i64::from(*health == Health::Unavailable);
            gauge(&mut unavailable, &[("issuer", *name)], value)?;
        }

        let mut ends = begin(&mut encoder, &table::NOT_AFTER)?;
        for watched in &self.certificates {
            if let Some(end) = (watched.read)() {
                let labels = [("certificate", &*watched.name)];
                gauge(&mut ends, &labels, end.unix_seconds())?;
            }
        }

        let mut classes = begin(&mut encoder, &table::CLASSES)?;
        for (class, count) in self.responses.by_class() {
            counter(&mut classes, &[("class", class)], count)?;
        }
        let mut statuses = begin(&mut encoder, &table::BY_STATUS)?;
        for (status, count) in self.responses.by_status() {
            counter(&mut statuses, &[("status", status)], count)?;
        }
        let aborted = begin(&mut encoder, &table::ABORTED)?;
        ConstCounter::new(self.responses.aborted()).encode(aborted)?;

        let (buckets, sum) = self.responses.durations();
        let count = buckets
            .iter()
            .fold(0, |sum: u64, (_, count)| sum.saturating_add(*count));
        begin(&mut encoder, &table::DURATION)?
            .encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }
}

fn begin<'a>(
    encoder: &'a mut DescriptorEncoder<'_>,
    metric: &Metric,
) -> Result<MetricEncoder<'a>, fmt::Error> {
    use prometheus_client::metrics::MetricType as Encoded;
    let metric_type = match metric.metric_type {
        MetricType::Counter => Encoded::Counter,
        MetricType::Gauge => Encoded::Gauge,
        MetricType::Histogram => Encoded::Histogram,
    };
    encoder.encode_descriptor(metric.family(), metric.meaning, None, metric_type)
}

fn counter<const N: usize>(
    family: &mut MetricEncoder<'_>,
    labels: &[(&str, &str); N],
    value: u64,
) -> fmt::Result {
    ConstCounter::new(value).encode(family.encode_family(labels)?)
}

fn gauge<const N: usize>(
    family: &mut MetricEncoder<'_>,
    labels: &[(&str, &str); N],
    value: i64,
) -> fmt::Result {
    ConstGauge::new(value).encode(family.encode_family(labels)?)
}
