//! The alert rules, held against the table of metrics and run by Prometheus's own tool.
#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ringwall_core::event::EventKind;
use ringwall_metrics::{METRICS, Metric, MetricType, Metrics, STATUSES};

const RULES: &str = include_str!("../alerts/ringwall.rules.yml");
const CASES: &str = include_str!("../alerts/ringwall.rules.test.yml");

const VARIABLE: &str = "RINGWALL_TEST_PROMTOOL";

/// Runs promtool, whose standard input is `input`.
fn promtool(args: &[&str], input: &str) -> Output {
    let program = std::env::var_os(VARIABLE).unwrap_or_else(|| {
        panic!(
            "{VARIABLE} is not set: run `cargo xtask test -p ringwall-metrics`, which installs \
             promtool where it may and sets it, or set it to the promtool of Prometheus 2.42 or later \
             (Debian has it in the package prometheus)"
        )
    });
    let file = tempfile::tempdir().unwrap();
    let path = file.path().join("input");
    fs::write(&path, input).unwrap();
    Command::new(program)
        .args(args)
        .stdin(fs::File::open(path).unwrap())
        .output()
        .expect("promtool runs")
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The outcome of the cases against `rules`.
fn judged(rules: &str, folder: &Path) -> Output {
    fs::write(folder.join("ringwall.rules.yml"), rules).unwrap();
    let cases = folder.join("ringwall.rules.test.yml");
    fs::write(&cases, CASES).unwrap();
    promtool(&["test", "rules", cases.to_str().unwrap()], "")
}

/// Each alert's name and expression.
fn alerts() -> Vec<(&'static str, &'static str)> {
    let mut alerts = Vec::new();
    let mut name = "";
    for line in RULES.lines().map(str::trim) {
        if let Some(found) = line.strip_prefix("- alert: ") {
            name = found;
        } else if let Some(expression) = line.strip_prefix("expr: ") {
            alerts.push((name, expression));
        }
    }
    alerts
}

/// The metric that a name in an expression is of, with the suffixes of histograms.
fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| {
        metric.name == name
            || (metric.metric_type == MetricType::Histogram
                && ["_bucket", "_sum", "_count"]
                    .iter()
                    .any(|suffix| name.strip_suffix(suffix) == Some(metric.name)))
    })
}

/// Every name of ours in `text`.
fn names(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("ringwall_"))
        .collect()
}

/// The values that expressions and series demand of `label`.
fn values<'a>(text: &'a str, label: &str) -> Vec<&'a str> {
    text.split(&format!("{label}=\""))
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect()
}

#[test]
fn promtool_accepts_the_rules() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("alerts/ringwall.rules.yml");
    let output = promtool(&["check", "rules", path.to_str().unwrap()], "");
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn the_alerts_fire_when_they_should_and_only_then() {
    let folder = tempfile::tempdir().unwrap();
    let output = judged(RULES, folder.path());
    assert!(output.status.success(), "{}", said(&output));
}

/// The mutation rule, for a language without a compiler: alerts that never fire and alerts that always do
/// are noticed, each by a case of its own.
#[test]
fn the_cases_notice_each_alert_that_never_or_always_fires() {
    let folder = tempfile::tempdir().unwrap();
    for other in ["vector(1) > 2", "vector(1)"] {
        let rules = alerts()
            .iter()
            .fold(RULES.to_owned(), |rules, (_, expression)| {
                rules.replace(expression, other)
            });
        assert_eq!(
            rules.matches(&format!("expr: {other}\n")).count(),
            alerts().len()
        );
        let output = judged(&rules, folder.path());
        assert!(!output.status.success(), "{other}");
        let said = said(&output);
        for (name, _) in alerts() {
            assert!(
                said.contains(&format!("alertname: {name},")),
                "{name}: {said}"
            );
        }
    }
}

#[test]
fn every_metric_of_a_rule_and_of_a_case_is_in_the_table() {
    let found = names(RULES);
    assert!(found.len() > 10);
    for name in found.into_iter().chain(names(CASES)) {
        assert!(metric(name).is_some(), "{name}");
    }
}

#[test]
fn every_label_of_a_rule_has_a_value_that_occurs() {
    let kinds: Vec<_> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
    let both = [RULES, CASES].concat();
    assert!(!values(&both, "kind").is_empty());
    for kind in values(&both, "kind") {
        assert!(kinds.contains(&kind), "{kind}");
    }
    for status in values(&both, "status") {
        assert!(STATUSES.contains(&status.parse().unwrap()), "{status}");
    }
    let rendered = Metrics::builder().build().unwrap().render();
    for label in ["store", "class"] {
        assert!(!values(&both, label).is_empty());
        for value in values(&both, label) {
            let value = format!("{label}=\"{value}\"");
            assert!(rendered.contains(&value), "{value}");
        }
    }
}

#[test]
fn every_alert_has_cases() {
    let alerts = alerts();
    assert_eq!(alerts.len(), RULES.matches("- alert: ").count());
    for (name, _) in alerts {
        let line = format!("alertname: {name}\n");
        assert!(CASES.contains(&line), "{name}");
    }
}

/// What Prometheus reads, and what its own linter says of the names.
#[test]
fn promtool_has_nothing_against_what_is_rendered() {
    let metrics = Metrics::builder()
        .key_source("https://login.example.com", || ringwall_jose::Health::Fresh)
        .certificate("server", || {
            Some(ringwall_core::clock::Timestamp::UNIX_EPOCH)
        })
        .build()
        .unwrap();
    metrics.observe_response(200, core::time::Duration::from_millis(3));
    let output = promtool(&["check", "metrics"], &metrics.render_plain());
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&output), "");
}
