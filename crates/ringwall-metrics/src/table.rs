//! What the metrics are called: the one place where a name is written.

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricType {
    /// Only grows, from zero at the start of the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size: `_bucket` with the label `le`, `_sum` and `_count`.
    Histogram,
}

impl MetricType {
    /// As the text formats have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric. Names, labels and meanings are stable: alerts are written against them.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Metric {
    /// The name, with the suffix that its type demands.
    pub name: &'static str,
    /// How it behaves.
    pub metric_type: MetricType,
    /// What is counted or measured.
    pub unit: &'static str,
    /// Each label, and the closed set that its values are of.
    pub labels: &'static [(&'static str, &'static str)],
    /// What it tells, in one sentence without a period.
    pub meaning: &'static str,
}

impl Metric {
    /// The name as the encoder wants it, which adds the suffix of counters itself.
    pub(crate) fn family(&self) -> &'static str {
        self.name.strip_suffix("_total").unwrap_or(self.name)
    }
}

pub(crate) const EVENTS: Metric = Metric {
    name: "ringwall_security_events_total",
    metric_type: MetricType::Counter,
    unit: "events",
    labels: &[(
        "kind",
        "the names of `EventKind`, each from the start; `other` for kinds that are newer than this crate",
    )],
    meaning: "Security events, those that a bound keeps out of logs included",
};

pub(crate) const CAUSES: Metric = Metric {
    name: "ringwall_security_event_causes_total",
    metric_type: MetricType::Counter,
    unit: "events",
    labels: &[
        ("kind", "the names of `EventKind`, and `other`"),
        (
            "cause",
            "fixed texts of the libraries, 512 pairs at most; `other` beyond",
        ),
    ],
    meaning: "The same events by their precise cause",
};

pub(crate) const STORES: Metric = Metric {
    name: "ringwall_store_unavailable_total",
    metric_type: MetricType::Counter,
    unit: "events",
    labels: &[("store", "`replay`, `revocation`, `api_keys`, `rate_limits`")],
    meaning: "Times that a store could not answer, so that a decision could not be reached",
};

const POLICY: &[(&str, &str)] = &[(
    "policy",
    "the names of rate limits given at the start, 64 at most; `other` for all the others",
)];

pub(crate) const LIMITED: Metric = Metric {
    name: "ringwall_ratelimit_denied_total",
    metric_type: MetricType::Counter,
    unit: "requests",
    labels: POLICY,
    meaning: "Requests that a rate limit refused; one that several refuse is counted by each",
};

pub(crate) const NEAR: Metric = Metric {
    name: "ringwall_ratelimit_near_total",
    metric_type: MetricType::Counter,
    unit: "buckets",
    labels: POLICY,
    meaning: "Times that a bucket of a rate limit came to 80 % of what it holds",
};

pub(crate) const WOULD_DENY: Metric = Metric {
    name: "ringwall_ratelimit_would_deny_total",
    metric_type: MetricType::Counter,
    unit: "requests",
    labels: POLICY,
    meaning: "Requests that a rate limit would have refused if it were not only tried out",
};

pub(crate) const DROPPED: Metric = Metric {
    name: "ringwall_events_dropped_total",
    metric_type: MetricType::Counter,
    unit: "events",
    labels: &[],
    meaning: "Events that were kept out of the logs because one source caused too many",
};

pub(crate) const STALE: Metric = Metric {
    name: "ringwall_key_source_stale",
    metric_type: MetricType::Gauge,
    unit: "0 or 1",
    labels: &[("issuer", "the names given at the start, 64 at most")],
    meaning: "Whether the keys of an issuer could not be refreshed lately; 1 too when there are none",
};

pub(crate) const UNAVAILABLE: Metric = Metric {
    name: "ringwall_key_source_unavailable",
    metric_type: MetricType::Gauge,
    unit: "0 or 1",
    labels: &[("issuer", "the names given at the start, 64 at most")],
    meaning: "Whether there are no keys of an issuer that may still be used",
};

pub(crate) const NOT_AFTER: Metric = Metric {
    name: "ringwall_certificate_not_after_timestamp_seconds",
    metric_type: MetricType::Gauge,
    unit: "seconds since 1970",
    labels: &[("certificate", "the names given at the start, 64 at most")],
    meaning: "When the certificate in use ends",
};

pub(crate) const CLASSES: Metric = Metric {
    name: "ringwall_http_responses_total",
    metric_type: MetricType::Counter,
    unit: "responses",
    labels: &[("class", "`1xx` to `5xx`, and `other`")],
    meaning: "Responses by the class of their status",
};

pub(crate) const BY_STATUS: Metric = Metric {
    name: "ringwall_http_responses_by_status_total",
    metric_type: MetricType::Counter,
    unit: "responses",
    labels: &[(
        "status",
        "400, 401, 403, 404, 405, 408, 409, 412, 413, 429, 500, 502, 503, 504",
    )],
    meaning: "Responses of the statuses that refusals and failures have",
};

pub(crate) const ABORTED: Metric = Metric {
    name: "ringwall_http_requests_aborted_total",
    metric_type: MetricType::Counter,
    unit: "requests",
    labels: &[],
    meaning: "Requests that ended without a response: the client left, or the service failed",
};

pub(crate) const DURATION: Metric = Metric {
    name: "ringwall_http_request_duration_seconds",
    metric_type: MetricType::Histogram,
    unit: "seconds",
    labels: &[("le", "14 bounds from 0.0005 to 30, and `+Inf`")],
    meaning: "Time from a request's header to its response's header",
};

/// Every metric, in the order in which they are rendered.
pub const METRICS: &[Metric] = &[
    EVENTS,
    CAUSES,
    STORES,
    LIMITED,
    NEAR,
    WOULD_DENY,
    DROPPED,
    STALE,
    UNAVAILABLE,
    NOT_AFTER,
    CLASSES,
    BY_STATUS,
    ABORTED,
    DURATION,
];
