//! What the monitoring sees, and what it does not.

use std::error::Error;
use std::fs;
use std::net::SocketAddr;

use serde_json::Value;

use crate::tour::Tour;
use crate::tour::client::{Ask, Client};
use crate::tour::expect::Expect;
use crate::tour::forge::ALPHA;
use crate::tour::outside::ISSUER;

/// Enough to show that the log is bounded where the metrics are not.
const FAILURES: u64 = 30;

/// `client` asks the service that was started last, and `token` is a good one there.
pub(crate) async fn run(
    tour: &mut Tour,
    client: &Client,
    token: &str,
) -> Result<(), Box<dyn Error>> {
    tour.area("Production: metrics");
    let log = tour.logs.last().cloned().ok_or("there is no log")?;
    let address = address(&fs::read_to_string(&log)?).ok_or("no metrics are served")?;
    let monitoring = Client::new(address);
    let page = || Ask::get("/metrics");
    let openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let expect = Expect::status(200).header("content-type", openmetrics);
    let before = tour
        .ask(
            "the metrics, on an address of their own",
            &monitoring,
            page(),
            expect,
        )
        .await
        .body;
    tour.ask(
        "anything else there",
        &monitoring,
        Ask::get("/api/whoami"),
        Expect::status(404),
    )
    .await;
    tour.ask(
        "the metrics where the service is, with a token",
        client,
        page().bearer(token),
        Expect::status(404),
    )
    .await;

    let whoami = Ask::get("/api/whoami");
    for _ in 0..FAILURES {
        client.ask(&whoami.clone().bearer("not.a.token")).await;
    }
    let after = monitoring.ask(&page()).await.body;
    let failed = "ringwall_security_events_total{kind=\"authentication_failed\"}";
    let ambiguous = "ringwall_security_events_total{kind=\"credentials_ambiguous\"}";
    let refused = "ringwall_http_responses_by_status_total{status=\"401\"}";
    let dropped = "ringwall_events_dropped_total";
    for (tried, series) in [
        (
            format!("{FAILURES} bad tokens: failed authentications counted"),
            [failed, ambiguous],
        ),
        (
            format!("{FAILURES} bad tokens: answers 401 counted"),
            [refused, ""],
        ),
    ] {
        let sum = |page: &str| {
            series
                .iter()
                .filter_map(|series| value(page, series))
                .fold(0, u64::saturating_add)
        };
        let more = sum(&after).saturating_sub(sum(&before));
        tour.note(&tried, FAILURES.to_string(), more.to_string());
    }
    let left_out = value(&after, dropped).unwrap_or(0) > value(&before, dropped).unwrap_or(0);
    tour.happened(
        "some of them left out of the log, and that counted",
        left_out,
    );
    let summed_up = fs::read_to_string(&log)?.contains("\"kind\":\"events_dropped\"");
    tour.happened("and summed up there", summed_up);

    let stale = format!("ringwall_key_source_stale{{issuer=\"{ISSUER}\"}}");
    let got = value(&after, &stale).map_or("none".to_owned(), |value| value.to_string());
    tour.note("whether the keys are stale", "0", got);
    let (org, _) = ALPHA.tenant.unwrap_or_default();
    let found: Vec<_> = [ALPHA.subject, org, "/api", "127.0.0.1", "\"second\"", token]
        .into_iter()
        .filter(|text| after.contains(text))
        .collect();
    tour.note(
        "a subject, an organisation, a path, an address, a key id or a token in them",
        "[]",
        format!("{found:?}"),
    );
    Ok(())
}

/// Where the metrics are, as the log of the start has it.
fn address(log: &str) -> Option<SocketAddr> {
    log.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|line| {
            line.get("message")
                .is_some_and(|message| message == "metrics")
        })?
        .get("address")?
        .as_str()?
        .parse()
        .ok()
}

/// The value of a series.
fn value(page: &str, series: &str) -> Option<u64> {
    page.lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?
        .parse()
        .ok()
}
