#![doc = include_str!("../README.md")]

mod bounded;
mod causes;
mod error;
#[cfg(feature = "tower")]
mod layer;
mod limits;
mod metrics;
mod responses;
mod state;
mod table;

pub use bounded::{
    BoundedEvents, BoundedEventsBuilder, DEFAULT_PER_MINUTE, DEFAULT_SOURCES, MAX_SOURCES,
};
pub use causes::{MAX_CAUSES, OTHER};
pub use error::Error;
#[cfg(feature = "tower")]
pub use layer::{MetricsFuture, MetricsLayer, MetricsService};
pub use metrics::{
    CONTENT_TYPE, MAX_NAME_BYTES, MAX_NAMES, Metrics, MetricsBuilder, PLAIN_CONTENT_TYPE,
};
pub use responses::{DURATION_BUCKETS, STATUSES};
pub use table::{METRICS, Metric, MetricType};
