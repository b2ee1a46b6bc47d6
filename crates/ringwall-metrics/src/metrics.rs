//! The metrics of a process.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;
use ringwall_core::clock::Timestamp;
use ringwall_core::event::{DiscardEvents, EventSink};
use ringwall_jose::Health;

use crate::bounded::BoundedEvents;
use crate::causes::{Counts, OTHER};
use crate::error::Error;
use crate::limits::LimitCounts;
use crate::responses::Responses;
use crate::state::{State, Watched};

/// The media type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The media type of [`Metrics::render_plain`].
pub const PLAIN_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Names that one label may take: each is a time series. A service that trusts more issuers than this
/// watches the important ones; the events tell of all.
pub const MAX_NAMES: usize = 64;

/// The longest name, in bytes.
pub const MAX_NAME_BYTES: usize = 256;

/// Counts what the libraries report and what requests are answered, for Prometheus to fetch.
///
/// Cloning shares it. Counting takes no lock and writes to two counters; labels are of closed sets, so
/// neither memory nor the number of series grows with what callers send. No label has a subject, an
/// address, a path, an organisation or the id of a key.
///
/// Counters start at zero with the process, as Prometheus expects.
#[derive(Clone)]
pub struct Metrics {
    state: Arc<State>,
    registry: Arc<Registry>,
}

/// Options of [`Metrics`].
#[must_use = "nothing is counted before `build`"]
pub struct MetricsBuilder {
    forward: Arc<dyn EventSink>,
    bounded: Option<Arc<BoundedEvents>>,
    limits: Vec<String>,
    key_sources: Vec<Watched<Health>>,
    certificates: Vec<Watched<Option<Timestamp>>>,
}

impl Metrics {
    /// Counts events, forwards them to nobody, and watches nothing.
    pub fn builder() -> MetricsBuilder {
        MetricsBuilder {
            forward: Arc::new(DiscardEvents),
            bounded: None,
            limits: Vec::new(),
            key_sources: Vec::new(),
            certificates: Vec::new(),
        }
    }

    /// What counts each event and forwards it: give it to the gate, and to whatever else reports events.
    #[must_use]
    pub fn sink(&self) -> Arc<dyn EventSink> {
        Arc::clone(&self.state) as Arc<dyn EventSink>
    }

    /// Counts a response, `duration` after its request came. For adapters; with the feature `tower`, the
    /// layer does it.
    pub fn observe_response(&self, status: u16, duration: Duration) {
        self.state.responses.observe(status, duration);
    }

    /// Counts a request that ended without a response.
    pub fn observe_aborted(&self) {
        self.state.responses.abort();
    }

    /// All metrics in the text format of OpenMetrics 1.0, of the media type [`CONTENT_TYPE`]: 6 KB at the
    /// start, and some 80 KB when every place for a cause is taken.
    ///
    /// Serve it on an address that only the monitoring reaches: it tells how a service is attacked, and
    /// whether that works.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing into a text does not fail. If it did, the end mark would be missing, and the reader
        // would refuse the rest.
        text::encode(&mut text, &self.registry).ok();
        text
    }

    /// The same in the older text format (0.0.4) of the media type [`PLAIN_CONTENT_TYPE`], for readers
    /// that do not know OpenMetrics. Prometheus knows both.
    #[must_use]
    pub fn render_plain(&self) -> String {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry).ok();
        text
    }
}

impl MetricsBuilder {
    /// Where events go after they were counted, all of them.
    pub fn forward_to(mut self, sink: Arc<dyn EventSink>) -> Self {
        self.forward = sink;
        self.bounded = None;
        self
    }

    /// Where events go after they were counted, bounded per source. What is left out there is counted as
    /// `ringwall_events_dropped_total`.
    pub fn forward_bounded_to(mut self, sink: Arc<BoundedEvents>) -> Self {
        self.forward = Arc::clone(&sink) as Arc<dyn EventSink>;
        self.bounded = Some(sink);
        self
    }

    /// Counts what these rate limits refuse in a series of each; what others refuse is counted together, as
    /// `other`.
    pub fn limits(mut self, names: impl IntoIterator<Item: Into<String>>) -> Self {
        self.limits.extend(names.into_iter().map(Into::into));
        self
    }

    /// Watches the keys of `issuer`. `health` is asked at each scrape, so it answers at once; it is
    /// `KeySource::health` of the source.
    ///
    /// Events would not do: a file that becomes readable again with the keys it had reports nothing, and
    /// a task that died never does.
    pub fn key_source(
        mut self,
        issuer: impl Into<String>,
        health: impl Fn() -> Health + Send + Sync + 'static,
    ) -> Self {
        self.key_sources.push(Watched {
            name: issuer.into(),
            read: Box::new(health),
        });
        self
    }

    /// Watches when a certificate ends, such as `TlsStatus::not_after` of `ringwall-transport`. `end` is
    /// asked at each scrape; `None` leaves the series out.
    pub fn certificate(
        mut self,
        name: impl Into<String>,
        end: impl Fn() -> Option<Timestamp> + Send + Sync + 'static,
    ) -> Self {
        self.certificates.push(Watched {
            name: name.into(),
            read: Box::new(end),
        });
        self
    }

    /// The metrics.
    ///
    /// # Errors
    ///
    /// [`Error`] for names that are too many, too long, empty or the same.
    pub fn build(self) -> Result<Metrics, Error> {
        check(self.key_sources.iter().map(|watched| &*watched.name))?;
        check(self.limits.iter().map(|name| &**name))?;
        if self.limits.iter().any(|name| name == OTHER) {
            // The series of all others has it.
            return Err(Error::Repeated {
                name: OTHER.to_owned(),
            });
        }
        check(self.certificates.iter().map(|watched| &*watched.name))?;
        let state = Arc::new(State {
            counts: Counts::new(),
            limits: LimitCounts::new(self.limits),
            responses: Responses::default(),
            key_sources: self.key_sources,
            certificates: self.certificates,
            bounded: self.bounded,
            forward: self.forward,
        });
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Arc::clone(&state)));
        Ok(Metrics {
            state,
            registry: Arc::new(registry),
        })
    }
}

fn check<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            return Err(Error::Name {
                limit: MAX_NAME_BYTES,
            });
        }
        if seen.contains(&name) {
            return Err(Error::Repeated {
                name: name.to_owned(),
            });
        }
        if seen.len() >= MAX_NAMES {
            return Err(Error::TooMany { limit: MAX_NAMES });
        }
        seen.push(name);
    }
    Ok(())
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for MetricsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsBuilder")
            .field("forward", &self.forward)
            .field("limits", &self.limits)
            .field("key_sources", &self.key_sources)
            .field("certificates", &self.certificates)
            .finish_non_exhaustive()
    }
}
