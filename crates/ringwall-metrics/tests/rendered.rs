//! What is rendered, held against the table; and what is never in it.
#![cfg(test)]

use core::net::IpAddr;
use core::time::Duration;
use std::sync::Arc;

use ringwall_core::clock::Timestamp;
use ringwall_core::event::{EventKind, MemoryEvents, SecurityEvent};
use ringwall_jose::Health;
use ringwall_metrics::{
    BoundedEvents, DURATION_BUCKETS, Error, MAX_CAUSES, MAX_NAMES, METRICS, Metric, MetricType,
    Metrics, STATUSES,
};

/// Metrics in which each family has a sample.
fn full() -> Metrics {
    let metrics = Metrics::builder()
        .key_source("https://login.example.com", || Health::Stale)
        .certificate("server", || Timestamp::from_unix_seconds(1_800_000_000))
        .build()
        .unwrap();
    let sink = metrics.sink();
    sink.emit(SecurityEvent::new(EventKind::AccessDenied, "a cause"));
    metrics.observe_response(403, Duration::from_millis(3));
    metrics
}

/// The value of one series, by all that stands before it.
fn value(rendered: &str, series: &str) -> Option<String> {
    rendered.lines().find_map(|line| {
        let rest = line.strip_prefix(series)?.strip_prefix(' ')?;
        Some(rest.to_owned())
    })
}

/// The names of the samples that a metric has.
fn samples(metric: &Metric) -> Vec<String> {
    match metric.metric_type {
        MetricType::Counter | MetricType::Gauge => vec![metric.name.to_owned()],
        MetricType::Histogram => ["bucket", "sum", "count"]
            .map(|part| format!("{}_{part}", metric.name))
            .to_vec(),
    }
}

#[test]
fn the_table_names_what_is_rendered_and_nothing_else() {
    let rendered = full().render();
    let mut found: Vec<_> = rendered
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(['{', ' ']).next().unwrap().to_owned())
        .collect();
    found.dedup();
    let mut sorted = found.clone();
    sorted.sort();
    sorted.dedup();
    let mut expected: Vec<_> = METRICS.iter().flat_map(samples).collect();
    expected.sort();
    assert_eq!(sorted, expected);
}

#[test]
fn types_meanings_and_labels_are_those_of_the_table() {
    let rendered = full().render();
    for metric in METRICS {
        let family = metric.name.strip_suffix("_total").unwrap_or(metric.name);
        let typed = format!("# TYPE {family} {}\n", metric.metric_type.as_str());
        assert!(rendered.contains(&typed), "{typed}");
        let help = format!("# HELP {family} {}", metric.meaning);
        assert!(rendered.contains(&help), "{help}");
        assert_eq!(
            metric.metric_type == MetricType::Counter,
            metric.name.ends_with("_total"),
            "{}",
            metric.name
        );
        let sample = &samples(metric)[0];
        let line = rendered
            .lines()
            .find(|line| line.starts_with(sample.as_str()))
            .unwrap_or_else(|| panic!("{sample}"));
        let labels: Vec<_> = match line.split_once('{') {
            Some((_, labels)) => labels
                .split("=\"")
                .map(|part| part.rsplit(['"', ',']).next().unwrap())
                .collect(),
            None => Vec::new(),
        };
        // What follows the last value is no label.
        let labels = labels.split_last().map_or(&[][..], |(_, labels)| labels);
        let expected: Vec<_> = metric.labels.iter().map(|(label, _)| *label).collect();
        assert_eq!(labels, expected, "{line}");
    }
}

#[test]
fn the_readme_has_the_table() {
    let mut table =
        String::from("| metric | type | unit | labels | meaning |\n|---|---|---|---|---|\n");
    for metric in METRICS {
        let labels: Vec<_> = metric
            .labels
            .iter()
            .map(|(label, values)| format!("`{label}`: {values}"))
            .collect();
        let labels = match labels.as_slice() {
            [] => "none".to_owned(),
            labels => labels.join("; "),
        };
        table.push_str(&format!(
            "| `{}` | {} | {} | {labels} | {} |\n",
            metric.name,
            metric.metric_type.as_str(),
            metric.unit,
            metric.meaning,
        ));
    }
    let readme = include_str!("../README.md");
    assert!(readme.contains(&table), "the README lacks:\n{table}");
}

#[test]
fn the_table_says_the_bounds_as_they_are() {
    let labels = |name: &str| {
        let metric = METRICS.iter().find(|metric| metric.name == name).unwrap();
        format!("{:?}", metric.labels)
    };
    let causes = labels("ringwall_security_event_causes_total");
    assert!(causes.contains(&format!("{MAX_CAUSES} pairs at most")));
    let names = format!("given at the start, {MAX_NAMES} at most");
    for name in [
        "ringwall_key_source_stale",
        "ringwall_key_source_unavailable",
        "ringwall_certificate_not_after_timestamp_seconds",
    ] {
        assert!(labels(name).contains(&names), "{name}");
    }
    let statuses = STATUSES.map(|status| status.to_string()).join(", ");
    assert!(labels("ringwall_http_responses_by_status_total").contains(&statuses));
    let [first, .., last] = DURATION_BUCKETS.map(|bound| bound.as_secs_f64());
    let bounds = format!("{} bounds from {first} to {last}", DURATION_BUCKETS.len());
    assert!(labels("ringwall_http_request_duration_seconds").contains(&bounds));
}

#[test]
fn every_kind_has_a_series_from_the_start() {
    let metrics = Metrics::builder().build().unwrap();
    let rendered = metrics.render();
    for kind in EventKind::ALL {
        let series = format!(
            "ringwall_security_events_total{{kind=\"{}\"}}",
            kind.as_str()
        );
        assert_eq!(value(&rendered, &series).as_deref(), Some("0"), "{series}");
    }
    assert!(rendered.ends_with("# EOF\n"));
}

#[test]
fn each_event_is_counted_under_its_kind_and_cause_and_forwarded() {
    let kept = Arc::new(MemoryEvents::new(10_000));
    let metrics = Metrics::builder().forward_to(kept.clone()).build().unwrap();
    let sink = metrics.sink();
    for (number, kind) in EventKind::ALL.iter().enumerate() {
        for _ in 0..=number {
            sink.emit(SecurityEvent::new(*kind, "a \"cause\" of \\ its own\n"));
        }
    }
    let rendered = metrics.render();
    for (number, kind) in EventKind::ALL.iter().enumerate() {
        let (name, expected) = (kind.as_str(), (number + 1).to_string());
        let series = format!("ringwall_security_events_total{{kind=\"{name}\"}}");
        assert_eq!(value(&rendered, &series), Some(expected.clone()), "{name}");
        let series = format!(
            "ringwall_security_event_causes_total{{kind=\"{name}\",cause=\"a \\\"cause\\\" of \\\\ its own\\n\"}}"
        );
        assert_eq!(value(&rendered, &series), Some(expected), "{name}");
        assert_eq!(kept.count(*kind), number + 1);
    }
}

#[test]
fn stores_that_cannot_answer_are_counted_by_store() {
    let metrics = Metrics::builder().build().unwrap();
    let sink = metrics.sink();
    for (kind, times) in [
        (EventKind::ReplayStoreUnavailable, 1),
        (EventKind::ReplayUnavailable, 2),
        (EventKind::RevocationUnavailable, 4),
        (EventKind::ApiKeysUnavailable, 5),
        (EventKind::RateLimitsUnavailable, 6),
        (EventKind::SubjectsUnavailable, 7),
        (EventKind::KeysUnavailable, 9),
    ] {
        for _ in 0..times {
            sink.emit(SecurityEvent::new(kind, "a cause"));
        }
    }
    let rendered = metrics.render();
    for (store, expected) in [
        ("replay", "3"),
        ("revocation", "4"),
        ("api_keys", "5"),
        ("rate_limits", "6"),
        ("subjects", "7"),
    ] {
        let series = format!("ringwall_store_unavailable_total{{store=\"{store}\"}}");
        assert_eq!(
            value(&rendered, &series).as_deref(),
            Some(expected),
            "{store}"
        );
    }
}

#[test]
fn key_sources_are_asked_at_each_scrape() {
    let health = Arc::new(std::sync::Mutex::new(Health::Fresh));
    let asked = Arc::clone(&health);
    let metrics = Metrics::builder()
        .key_source("https://login.example.com", move || *asked.lock().unwrap())
        .build()
        .unwrap();
    for (now, stale, unavailable) in [
        (Health::Fresh, "0", "0"),
        (Health::Stale, "1", "0"),
        (Health::Unavailable, "1", "1"),
        (Health::Fresh, "0", "0"),
    ] {
        *health.lock().unwrap() = now;
        let rendered = metrics.render();
        let series =
            |name| format!("ringwall_key_source_{name}{{issuer=\"https://login.example.com\"}}");
        assert_eq!(value(&rendered, &series("stale")).as_deref(), Some(stale));
        let found = value(&rendered, &series("unavailable"));
        assert_eq!(found.as_deref(), Some(unavailable));
    }
}

#[test]
fn a_certificate_shows_its_end_and_none_when_it_has_none() {
    let metrics = Metrics::builder()
        .certificate("server", || Timestamp::from_unix_seconds(1_800_000_000))
        .certificate("unknown", || None)
        .build()
        .unwrap();
    let rendered = metrics.render();
    let name = "ringwall_certificate_not_after_timestamp_seconds";
    let found = value(&rendered, &format!("{name}{{certificate=\"server\"}}"));
    assert_eq!(found.as_deref(), Some("1800000000"));
    assert!(!rendered.contains("unknown"));
}

#[test]
fn metrics_count_what_a_bound_keeps_out_of_the_log() {
    let kept = Arc::new(MemoryEvents::new(100));
    let bounded = Arc::new(BoundedEvents::new(kept.clone()));
    let metrics = Metrics::builder()
        .forward_bounded_to(bounded)
        .build()
        .unwrap();
    let sink = metrics.sink();
    for _ in 0..50 {
        sink.emit(SecurityEvent::new(
            EventKind::AuthenticationFailed,
            "a cause",
        ));
    }
    let rendered = metrics.render();
    let series = "ringwall_security_events_total{kind=\"authentication_failed\"}";
    assert_eq!(value(&rendered, series).as_deref(), Some("50"));
    let found = value(&rendered, "ringwall_events_dropped_total");
    assert_eq!(found.as_deref(), Some("40"));
    assert_eq!(kept.count(EventKind::AuthenticationFailed), 10);
}

#[test]
fn responses_are_counted_by_class_and_by_the_statuses_of_refusals() {
    let metrics = Metrics::builder().build().unwrap();
    for status in [200, 204, 301, 401, 401, 429, 418, 503, 999] {
        metrics.observe_response(status, Duration::from_millis(7));
    }
    metrics.observe_aborted();
    let rendered = metrics.render();
    for (series, expected) in [
        ("ringwall_http_responses_total{class=\"1xx\"}", "0"),
        ("ringwall_http_responses_total{class=\"2xx\"}", "2"),
        ("ringwall_http_responses_total{class=\"3xx\"}", "1"),
        ("ringwall_http_responses_total{class=\"4xx\"}", "4"),
        ("ringwall_http_responses_total{class=\"5xx\"}", "1"),
        ("ringwall_http_responses_total{class=\"other\"}", "1"),
        (
            "ringwall_http_responses_by_status_total{status=\"401\"}",
            "2",
        ),
        (
            "ringwall_http_responses_by_status_total{status=\"429\"}",
            "1",
        ),
        (
            "ringwall_http_responses_by_status_total{status=\"403\"}",
            "0",
        ),
        ("ringwall_http_requests_aborted_total", "1"),
        (
            "ringwall_http_request_duration_seconds_bucket{le=\"0.005\"}",
            "0",
        ),
        (
            "ringwall_http_request_duration_seconds_bucket{le=\"0.01\"}",
            "9",
        ),
        (
            "ringwall_http_request_duration_seconds_bucket{le=\"+Inf\"}",
            "9",
        ),
        ("ringwall_http_request_duration_seconds_count", "9"),
        ("ringwall_http_request_duration_seconds_sum", "0.063"),
    ] {
        assert_eq!(
            value(&rendered, series).as_deref(),
            Some(expected),
            "{series}"
        );
    }
    // A status that callers choose makes no series.
    assert!(!rendered.contains("418") && !rendered.contains("999"));
}

/// Every field of an event that could tell of a caller, each with a text that is looked for.
#[test]
fn nothing_of_a_caller_is_in_what_is_rendered() {
    use ringwall_core::attest::Attest;
    use ringwall_core::principal::{
        Authentication, AuthenticationMethod, Principal, PrincipalKind, Subject, VerifiedPrincipal,
    };

    let metrics = full();
    let before = metrics.render().lines().count();
    for number in 0..200_u8 {
        let mut event = SecurityEvent::new(EventKind::AuthenticationFailed, "a cause");
        event.source = Some(IpAddr::from([203, 0, 113, number]));
        event.about = Some(format!("/secret-path/{number}").into());
        let principal = Principal::new(
            PrincipalKind::User,
            Subject::new(format!("mallory-{number}")).unwrap(),
            Authentication::new(AuthenticationMethod::ApiKey),
        );
        let attest = Attest::i_have_verified_this();
        event.principal = Some(VerifiedPrincipal::attest(principal, attest));
        event.at = Some(Timestamp::UNIX_EPOCH);
        metrics.sink().emit(event);
    }
    let rendered = metrics.render();
    for text in ["203.0.113", "secret-path", "mallory"] {
        assert!(!rendered.contains(text), "{text}");
    }
    assert_eq!(rendered.lines().count(), before + 1);
    assert!(!format!("{metrics:?}").contains("mallory"));
}

#[test]
fn threads_together_lose_no_event() {
    let metrics = Metrics::builder().build().unwrap();
    let causes = ["one", "two", "three", "four"];
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let sink = metrics.sink();
                for cause in causes.iter().cycle().take(10_000) {
                    sink.emit(SecurityEvent::new(EventKind::AccessDenied, cause));
                }
            });
        }
    });
    let rendered = metrics.render();
    for cause in causes {
        let series = format!(
            "ringwall_security_event_causes_total{{kind=\"access_denied\",cause=\"{cause}\"}}"
        );
        assert_eq!(value(&rendered, &series).as_deref(), Some("20000"));
    }
}

#[test]
fn refuses_names_without_bound() {
    let named = |names: &[String]| {
        let builder = Metrics::builder();
        let builder = names.iter().fold(builder, |builder, name| {
            builder.key_source(name.clone(), || Health::Fresh)
        });
        builder.build().map(|_| ())
    };
    let many: Vec<_> = (0..=MAX_NAMES).map(|number| number.to_string()).collect();
    assert_eq!(named(&many[1..]), Ok(()));
    assert_eq!(named(&many), Err(Error::TooMany { limit: MAX_NAMES }));
    let twice = ["same".to_owned(), "same".to_owned()];
    let name = "same".to_owned();
    assert_eq!(named(&twice), Err(Error::Repeated { name }));
    for name in ["", &"n".repeat(257)] {
        assert_eq!(named(&[name.to_owned()]), Err(Error::Name { limit: 256 }));
    }
    let certificate = Metrics::builder().certificate("", || None).build();
    assert_eq!(certificate.map(|_| ()), Err(Error::Name { limit: 256 }));
}

#[test]
fn rate_limits_are_counted_by_the_names_given_and_all_others_together() {
    let metrics = Metrics::builder()
        .limits(["burst", "daily"])
        .build()
        .unwrap();
    let sink = metrics.sink();
    let emit = |kind, limit: Option<&str>| {
        let mut event = SecurityEvent::new(kind, "a cause");
        event.about = limit.map(Arc::from);
        sink.emit(event);
    };
    for _ in 0..3 {
        emit(EventKind::RateLimited, Some("burst"));
    }
    emit(EventKind::RateLimited, Some("heavy"));
    emit(EventKind::RateLimited, None);
    emit(EventKind::RateLimitNear, Some("burst"));
    emit(EventKind::RateLimitWouldDeny, Some("daily"));
    emit(EventKind::AccessDenied, Some("burst"));
    let rendered = metrics.render();
    for (metric, expected) in [
        ("denied", ["3", "0", "2"]),
        ("near", ["1", "0", "0"]),
        ("would_deny", ["0", "1", "0"]),
    ] {
        for (policy, expected) in ["burst", "daily", "other"].iter().zip(expected) {
            let series = format!("ringwall_ratelimit_{metric}_total{{policy=\"{policy}\"}}");
            assert_eq!(
                value(&rendered, &series).as_deref(),
                Some(expected),
                "{series}"
            );
        }
    }
}

#[test]
fn a_rate_limit_cannot_have_the_name_of_all_others() {
    let named = |names: &[&str]| Metrics::builder().limits(names.to_vec()).build().map(drop);
    let name = "other".to_owned();
    assert_eq!(named(&["burst", "other"]), Err(Error::Repeated { name }));
    let name = "burst".to_owned();
    assert_eq!(named(&["burst", "burst"]), Err(Error::Repeated { name }));
}
