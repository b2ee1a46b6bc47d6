//! What requests were answered, and how long that took.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

/// The statuses with a series of their own: those that refusals and failures have.
pub const STATUSES: [u16; 14] = [
    400, 401, 403, 404, 405, 408, 409, 412, 413, 429, 500, 502, 503, 504,
];

/// The same as label values.
const STATUS_NAMES: [&str; STATUSES.len()] = [
    "400", "401", "403", "404", "405", "408", "409", "412", "413", "429", "500", "502", "503",
    "504",
];

/// The classes by the first digit of the status; what has none of these is the last one.
const CLASS_NAMES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", crate::OTHER];

/// The upper bounds of the buckets of durations: from what a gate takes to what a time-out lets pass.
pub const DURATION_BUCKETS: [Duration; 14] = [
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
];

#[derive(Debug, Default)]
pub(crate) struct Responses {
    classes: [AtomicU64; CLASS_NAMES.len()],
    statuses: [AtomicU64; STATUSES.len()],
    aborted: AtomicU64,
    /// One for each bound, not summed up.
    buckets: [AtomicU64; DURATION_BUCKETS.len()],
    slower: AtomicU64,
    /// In microseconds: 58 years for 10,000 requests at a time, all the time.
    total_micros: AtomicU64,
}

impl Responses {
    pub(crate) fn observe(&self, status: u16, duration: Duration) {
        let class = status
            .checked_div(100)
            .and_then(|digit| digit.checked_sub(1))
            .and_then(|class| self.classes.get(..5)?.get(usize::from(class)));
        let [.., other] = &self.classes;
        add(class.unwrap_or(other), 1);
        if let Some(place) = STATUSES.iter().position(|own| *own == status)
            && let Some(count) = self.statuses.get(place)
        {
            add(count, 1);
        }
        let bucket = DURATION_BUCKETS
            .iter()
            .position(|bound| duration <= *bound)
            .and_then(|place| self.buckets.get(place));
        add(bucket.unwrap_or(&self.slower), 1);
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        add(&self.total_micros, micros);
    }

    pub(crate) fn abort(&self) {
        add(&self.aborted, 1);
    }

    pub(crate) fn by_class(&self) -> impl Iterator<Item = (&'static str, u64)> {
        CLASS_NAMES.into_iter().zip(self.classes.iter().map(read))
    }

    pub(crate) fn by_status(&self) -> impl Iterator<Item = (&'static str, u64)> {
        STATUS_NAMES.into_iter().zip(self.statuses.iter().map(read))
    }

    pub(crate) fn aborted(&self) -> u64 {
        read(&self.aborted)
    }

    /// The bounds in seconds with their counts, and the sum of all durations in seconds.
    pub(crate) fn durations(&self) -> (Vec<(f64, u64)>, f64) {
        let bounds = DURATION_BUCKETS.iter().map(Duration::as_secs_f64);
        let counts = self.buckets.iter().map(read);
        let slower = (f64::INFINITY, read(&self.slower));
        let buckets = bounds.zip(counts).chain([slower]).collect();
        let sum = Duration::from_micros(read(&self.total_micros)).as_secs_f64();
        (buckets, sum)
    }
}

fn add(count: &AtomicU64, number: u64) {
    count.fetch_add(number, Ordering::Relaxed);
}

fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_own_name() {
        let names: Vec<_> = STATUSES.iter().map(ToString::to_string).collect();
        assert_eq!(names, STATUS_NAMES);
    }

    #[test]
    fn every_status_that_can_be_written_has_a_class() {
        let responses = Responses::default();
        for status in 0..=u16::MAX {
            responses.observe(status, Duration::ZERO);
        }
        let classes: Vec<_> = responses.by_class().collect();
        let others = u64::from(u16::MAX) + 1 - 500;
        assert_eq!(
            classes,
            [
                ("1xx", 100),
                ("2xx", 100),
                ("3xx", 100),
                ("4xx", 100),
                ("5xx", 100),
                ("other", others)
            ]
        );
        assert!(responses.by_status().all(|(_, count)| count == 1));
    }

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_is_not_below_it() {
        let responses = Responses::default();
        for duration in DURATION_BUCKETS {
            responses.observe(200, duration);
        }
        responses.observe(200, Duration::from_secs(31));
        let (buckets, sum) = responses.durations();
        assert_eq!(buckets.len(), DURATION_BUCKETS.len() + 1);
        assert!(buckets.iter().all(|(_, count)| *count == 1), "{buckets:?}");
        let expected: Duration = DURATION_BUCKETS.iter().sum();
        assert!((sum - 31.0 - expected.as_secs_f64()).abs() < 1e-6, "{sum}");
    }
}
