//! What is counted, where it is logged, and who may fetch it.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::http::header;
use axum::routing::get;
use ringwall_authn::TokenVerifier;
use ringwall_core::event::{EventSink, SecurityEvent};
use ringwall_gate::TracingEvents;
use ringwall_gate::rate_limit::Policies;
use ringwall_jose::Health;
use ringwall_metrics::{BoundedEvents, CONTENT_TYPE, Metrics};
use tokio::net::TcpListener;

use crate::config::{Limits, Own};
use crate::server;

/// Where everything reports to: the log, bounded per source, and through the metrics once they are there.
/// It is made first, because what the metrics watch reports too.
#[derive(Debug)]
pub(crate) struct Events {
    log: Arc<BoundedEvents>,
    metrics: OnceLock<Arc<dyn EventSink>>,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            log: Arc::new(BoundedEvents::new(Arc::new(TracingEvents))),
            metrics: OnceLock::new(),
        }
    }
}

impl EventSink for Events {
    fn emit(&self, event: SecurityEvent) {
        match self.metrics.get() {
            Some(metrics) => metrics.emit(event),
            None => self.log.emit(event),
        }
    }
}

/// The metrics of the service, through which its events go from now on.
pub(crate) fn start(
    config: &Own,
    verifiers: &[TokenVerifier],
    limits: &Policies,
) -> Result<Metrics, ringwall_metrics::Error> {
    let mut metrics = Metrics::builder()
        .forward_bounded_to(Arc::clone(&config.events.log))
        .limits(limits.ids().map(|limit| limits.name(limit)));
    for verifier in verifiers {
        for (issuer, _) in verifier.health() {
            let (verifier, name) = (verifier.clone(), Arc::clone(&issuer));
            metrics = metrics.key_source(&*issuer, move || {
                let health = verifier.health();
                let mut of_issuer = health.iter().filter(|(issuer, _)| *issuer == name);
                of_issuer
                    .next()
                    .map_or(Health::Unavailable, |(_, health)| *health)
            });
        }
    }
    if let Some(tls) = &config.tls {
        let server = tls.server.clone();
        metrics = metrics.certificate("server", move || server.status().not_after);
    }
    let metrics = metrics.build()?;
    // There is one start, so nothing stands there yet.
    config.events.metrics.set(metrics.sink()).ok();
    Ok(metrics)
}

/// Serves `GET /metrics` on `listen` until `stop` resolves. It has a listener of its own, so that the gate
/// and what stands before it have nothing to do with it: whoever reaches the address may read.
pub(crate) async fn serve(
    listen: SocketAddr,
    metrics: Metrics,
    limits: Limits,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    tracing::info!(%address, "metrics");
    if !address.ip().is_loopback() {
        tracing::warn!("other machines can reach the metrics");
    }
    let page =
        get(move || async move { ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.render()) });
    let router = Router::new().route("/metrics", page);
    // A scraper or two: nobody else has anything to do here.
    let limits = Limits {
        connections: 8,
        ..limits
    };
    tokio::spawn(server::run(listener, None, router, limits, stop));
    Ok(())
}
