//! All cases in all frameworks.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::answer::Answer;
use crate::case::{Case, Earlier, Protocol, Request, Verdict};
use crate::credentials::Credentials;
use crate::expect::{Outcome, admissions};
use crate::gates::{Bench, Mark};
use crate::wire::{Wire, wire};
use crate::{actix_site, axum_site, http1, http2, tonic_site, tower_site, vectors};

/// A framework with a protocol that it speaks.
#[derive(Clone, Copy, Debug)]
enum Lane {
    AxumHttp1,
    AxumHttp2,
    ActixHttp1,
    ActixHttp2,
    Tonic,
    TowerHttp1,
    TowerHttp2,
}

const LANES: [Lane; 7] = [
    Lane::AxumHttp1,
    Lane::AxumHttp2,
    Lane::ActixHttp1,
    Lane::ActixHttp2,
    Lane::Tonic,
    Lane::TowerHttp1,
    Lane::TowerHttp2,
];

impl Lane {
    const fn protocol(self) -> Protocol {
        match self {
            Self::AxumHttp1 | Self::ActixHttp1 | Self::TowerHttp1 => Protocol::Http1,
            Self::AxumHttp2 | Self::ActixHttp2 | Self::TowerHttp2 => Protocol::Http2,
            Self::Tonic => Protocol::Grpc,
        }
    }

    async fn serve(self, bench: &Bench) -> SocketAddr {
        match self {
            Self::AxumHttp1 | Self::AxumHttp2 => axum_site::serve(bench).await,
            Self::ActixHttp1 | Self::ActixHttp2 => actix_site::serve(bench),
            Self::Tonic => tonic_site::serve(bench).await,
            Self::TowerHttp1 | Self::TowerHttp2 => tower_site::serve(bench).await,
        }
    }
}

/// Sends every case to one framework by one protocol, one after the other, so that what the gate tells
/// belongs to the case. Each service has a gate of its own.
///
/// Of a request that is to be refused a server may tell its client before the gate has told anything: the
/// stream is reset while the request is still on its way to the door. So these requests have services of
/// their own, where nothing but a refusal may be told, whichever of them it belongs to.
async fn replay(lane: Lane, cases: &[(String, Case)], credentials: &Credentials) -> Vec<String> {
    let mut sites = BTreeMap::new();
    let protocol = lane.protocol();
    let mut failures = Vec::new();
    for (file, case) in cases {
        if case.excluded.contains_key(&protocol) {
            continue;
        }
        let own = case.gate.counts().then_some(&case.name);
        let key = (case.gate, case.verdict == Verdict::Refused, own);
        let (address, bench) = match sites.entry(key) {
            Entry::Occupied(site) => site.into_mut(),
            Entry::Vacant(place) => {
                let bench = Bench::new(case.gate, credentials);
                place.insert((lane.serve(&bench).await, bench))
            }
        };
        if let Err(error) = earlier(*address, bench, case, protocol, credentials).await {
            failures.push(format!("{lane:?} · {file} · {}\n    {error}", case.name));
            continue;
        }
        let answered = before(*address, bench, case, protocol, credentials).await;
        let sent = answered
            .and_then(|answered| wire(&case.request, protocol, credentials, answered.as_deref()));
        let differences = match sent {
            Err(error) => vec![error],
            Ok(sent) => {
                let mark = bench.mark();
                let answer = exchange(*address, &case.request, sent).await;
                let told = bench.told_since(mark).await;
                let outcome = Outcome {
                    case,
                    protocol,
                    answer: &answer,
                    told: &told,
                };
                outcome.differences()
            }
        };
        if !differences.is_empty() {
            let differences = differences.join("\n    ");
            failures.push(format!(
                "{lane:?} · {file} · {}\n    {differences}",
                case.name
            ));
        }
    }
    for ((gate, is_refused, _), (_, bench)) in &sites {
        if *is_refused {
            let told = bench.told_since(Mark::default()).await;
            let came = admissions(&told);
            if !came.is_empty() {
                failures.push(format!("{lane:?} · {gate:?} · {}", came.join(", ")));
            }
        }
    }
    failures
}

/// Sends what the client sent earlier, and waits until everything is told of it.
async fn earlier(
    address: SocketAddr,
    bench: &Bench,
    case: &Case,
    protocol: Protocol,
    credentials: &Credentials,
) -> Result<(), String> {
    for Earlier { times, request } in &case.earlier {
        for _ in 0..*times {
            let sent = wire(request, protocol, credentials, None)?;
            let mark = bench.mark();
            let answer = exchange(address, request, sent).await;
            if answer.status == 0 {
                return Err("nothing came of what was sent earlier".to_owned());
            }
            bench.told_since(mark).await;
        }
    }
    Ok(())
}

/// Sends what the client sent before, and waits until everything is told of it: the nonce that its answer
/// told, if it sent anything.
async fn before(
    address: SocketAddr,
    bench: &Bench,
    case: &Case,
    protocol: Protocol,
    credentials: &Credentials,
) -> Result<Option<String>, String> {
    let Some(request) = &case.before else {
        return Ok(None);
    };
    let sent = wire(request, protocol, credentials, None)?;
    let mark = bench.mark();
    let answer = exchange(address, request, sent).await;
    bench.told_since(mark).await;
    match answer.values("dpop-nonce").as_slice() {
        [nonce] => Ok(Some((*nonce).to_owned())),
        several => Err(format!("the answer before tells {several:?}")),
    }
}

async fn exchange(address: SocketAddr, request: &Request, sent: Wire) -> Answer {
    match sent {
        Wire::Http1(bytes) => http1::exchange(address, &bytes, request.method() == "HEAD").await,
        Wire::Http2(sent) => http2::exchange(address, sent).await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_request_has_one_verdict_in_every_framework_and_protocol() {
    let cases = Arc::new(vectors::load().unwrap_or_else(|wrong| panic!("{}", wrong.join("\n"))));
    let credentials = Arc::new(Credentials::new());
    let lanes = LANES.map(|lane| {
        let (cases, credentials) = (Arc::clone(&cases), Arc::clone(&credentials));
        tokio::spawn(async move { replay(lane, &cases, &credentials).await })
    });
    let mut failures = Vec::new();
    for lane in lanes {
        failures.extend(lane.await.expect("a lane that ends"));
    }
    assert!(
        failures.is_empty(),
        "{} of {} cases in {} lanes:\n{}",
        failures.len(),
        cases.len(),
        LANES.len(),
        failures.join("\n")
    );
}
