//! The layer in front of plain tower services.

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{Ready, ready};
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll};

    use bytes::Bytes;
    use http::{Request, Response, StatusCode};
    use http_body_util::{BodyExt as _, Full, Limited};
    use ringwall_core::attest::Attest;
    use ringwall_core::audit::{AuditOutcome, MemoryAudit};
    use ringwall_core::clock::Timestamp;
    use ringwall_core::denial::Denial;
    use ringwall_core::event::DiscardEvents;
    use ringwall_core::principal::{
        Authentication, AuthenticationMethod, Principal, PrincipalKind, Subject, VerifiedPrincipal,
    };
    use ringwall_core::request::{HeaderValues, RequestView};
    use ringwall_core::step::Step;
    use ringwall_gate::{
        Access, Admitted, Authenticated, Authenticator, Gate, Presented, RoutePolicy,
    };
    use ringwall_tower::{GateLayer, Peer};
    use tower::{Layer as _, Service, ServiceExt};

    #[derive(Debug)]
    struct Names;

    impl Authenticator for Names {
        fn presented(&self, view: &RequestView<'_>) -> Presented {
            match view.header("authorization") {
                HeaderValues::Absent => Presented::No,
                HeaderValues::One(_) | HeaderValues::Several(_) => Presented::InAuthorization,
            }
        }

        fn authenticate(&self, view: &RequestView<'_>) -> Step<Result<Authenticated, Denial>> {
            let HeaderValues::One(name) = view.header("authorization") else {
                return Step::Done(Err(Denial::unauthenticated("test")));
            };
            let name = String::from_utf8_lossy(name).into_owned();
            let answer = if name == "mallory" {
                Err(Denial::unauthenticated("test"))
            } else {
                let authentication = Authentication::new(AuthenticationMethod::Token);
                let subject = Subject::new(name.as_str()).expect("a subject");
                let principal = Principal::new(PrincipalKind::User, subject, authentication);
                let capability = Attest::i_have_verified_this();
                Ok(VerifiedPrincipal::attest(principal, capability).into())
            };
            if name == "slow" {
                return Step::wait(async {
                    tokio::task::yield_now().await;
                    answer
                });
            }
            Step::Done(answer)
        }

        fn recheck(&self, _accepted: &Authenticated, _now: Timestamp) -> Step<Result<(), Denial>> {
            Step::Done(Ok(()))
        }

        fn proxy_headers(&self) -> Vec<Box<str>> {
            Vec::new()
        }
    }

    fn gate() -> (Gate, Arc<MemoryAudit>) {
        let audit = Arc::new(MemoryAudit::new(64));
        let gate = Gate::builder("test")
            .authenticator(Names)
            .audit(audit.clone())
            .events(Arc::new(DiscardEvents))
            .build();
        (gate.expect("a gate"), audit)
    }

    fn layer(gate: &Gate, access: Access) -> GateLayer {
        GateLayer::new(gate.door(RoutePolicy::new("the route", access).with_body_limit(10)))
    }

    fn outcomes(audit: &MemoryAudit) -> Vec<Option<AuditOutcome>> {
        audit
            .snapshot()
            .iter()
            .map(|record| record.outcome)
            .collect()
    }

    fn request(name: &str) -> Request<Full<Bytes>> {
        let builder = Request::get("/x");
        let builder = if name.is_empty() {
            builder
        } else {
            builder.header("authorization", name)
        };
        builder.body(Full::default()).expect("a request")
    }

    /// Answers the subject; counts how often it is called without having been polled ready.
    #[derive(Debug)]
    struct Echo {
        ready: bool,
        unready_calls: Arc<AtomicUsize>,
    }

    impl Echo {
        fn new() -> (Self, Arc<AtomicUsize>) {
            let unready_calls = Arc::new(AtomicUsize::new(0));
            let echo = Self {
                ready: false,
                unready_calls: unready_calls.clone(),
            };
            (echo, unready_calls)
        }
    }

    impl Clone for Echo {
        /// Readiness is not cloned, as with a service that holds a permit.
        fn clone(&self) -> Self {
            Self {
                ready: false,
                unready_calls: self.unready_calls.clone(),
            }
        }
    }

    impl<B> Service<Request<B>> for Echo {
        type Response = Response<Full<Bytes>>;
        type Error = Infallible;
        type Future = Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            self.ready = true;
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<B>) -> Self::Future {
            if !core::mem::take(&mut self.ready) {
                self.unready_calls.fetch_add(1, Ordering::SeqCst);
            }
            let admitted = request.extensions().get::<Admitted>().expect("the proof");
            let name = admitted.principal().map(|who| who.subject.to_string());
            ready(Ok(Response::new(Full::from(name.unwrap_or_default()))))
        }
    }

    #[tokio::test]
    async fn the_service_that_was_ready_is_the_one_that_is_called() {
        let (gate, audit) = gate();
        let (echo, unready_calls) = Echo::new();
        let mut service = layer(&gate, Access::Authenticated).layer(echo);
        for name in ["ada", "slow", "mallory", "slow", "ada"] {
            let ready = ServiceExt::<Request<Full<Bytes>>>::ready(&mut service).await;
            let answer = ready.expect("infallible").call(request(name)).await;
            let answer = answer.expect("infallible");
            if name == "mallory" {
                assert_eq!(answer.status(), 401);
                continue;
            }
            assert_eq!(answer.status(), 200);
            let body = answer
                .into_body()
                .collect()
                .await
                .expect("a body")
                .to_bytes();
            assert_eq!(body, name);
        }
        assert_eq!(unready_calls.load(Ordering::SeqCst), 0);
        assert_eq!(outcomes(&audit).len(), 5);
    }

    #[tokio::test]
    async fn a_refusal_is_a_problem_document_and_without_body_for_head() {
        let (gate, _) = gate();
        let service = layer(&gate, Access::Authenticated).layer(Echo::new().0);
        let answer = service
            .clone()
            .oneshot(request(""))
            .await
            .expect("infallible");
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let body = answer
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        assert!(body.starts_with(b"{\"type\""));
        for name in ["", "mallory"] {
            let mut head = request(name);
            *head.method_mut() = http::Method::HEAD;
            let answer = service.clone().oneshot(head).await.expect("infallible");
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
            let body = answer
                .into_body()
                .collect()
                .await
                .expect("a body")
                .to_bytes();
            assert!(body.is_empty());
        }
    }

    #[tokio::test]
    async fn the_peer_comes_from_the_extension_and_from_no_header() {
        let (gate, audit) = gate();
        let service = layer(&gate, Access::Public).layer(Echo::new().0);
        let peer: SocketAddr = ([192, 0, 2, 7], 1).into();
        let mut with = request("");
        with.extensions_mut().insert(Peer::plain(peer));
        let mut without = request("");
        let claimed = http::HeaderValue::from_static("192.0.2.9");
        without.headers_mut().insert("x-forwarded-for", claimed);
        for request in [with, without] {
            service.clone().oneshot(request).await.expect("infallible");
        }
        let sources: Vec<_> = audit
            .snapshot()
            .iter()
            .map(|record| record.intent.source)
            .collect();
        assert_eq!(sources, [Some(peer.ip()), None]);
    }

    #[tokio::test]
    async fn an_outer_proof_is_replaced() {
        let (gate, _) = gate();
        let inner = layer(&gate, Access::Public).layer(Echo::new().0);
        let outer = layer(&gate, Access::Authenticated).layer(inner);
        let answer = outer.oneshot(request("ada")).await.expect("infallible");
        let body = answer
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        assert!(body.is_empty(), "the public door asked nobody: {body:?}");
    }

    #[tokio::test]
    async fn a_body_without_a_length_is_cut_off_at_the_limit() {
        let (gate, _) = gate();
        let read = tower::service_fn(async |request: Request<Limited<_>>| {
            let body: Result<_, _> = request.into_body().collect().await;
            let text = body.map_or("cut off".to_owned(), |body| {
                body.to_bytes().len().to_string()
            });
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(text)))
        });
        let service = layer(&gate, Access::Public).layer(read);
        for (length, expected) in [(10, "10"), (11, "cut off")] {
            let body = Full::<Bytes>::from("x".repeat(length));
            let request = Request::post("/x").body(body).expect("a request");
            let answer = service.clone().oneshot(request).await.expect("infallible");
            let body = answer
                .into_body()
                .collect()
                .await
                .expect("a body")
                .to_bytes();
            assert_eq!(body, expected);
        }
    }

    #[tokio::test]
    async fn a_service_that_fails_or_hangs_is_recorded_as_cancelled() {
        let (gate, audit) = gate();
        let fails = tower::service_fn(async |_: Request<Limited<Full<Bytes>>>| {
            Err::<Response<Full<Bytes>>, _>("broken")
        });
        let service = layer(&gate, Access::Authenticated).layer(fails);
        assert_eq!(service.oneshot(request("ada")).await.err(), Some("broken"));
        let hangs = tower::service_fn(async |_: Request<Limited<Full<Bytes>>>| {
            std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>().await
        });
        for name in ["ada", "slow"] {
            let service = layer(&gate, Access::Authenticated).layer(hangs);
            let call = service.oneshot(request(name));
            let soon = std::time::Duration::from_millis(20);
            assert!(tokio::time::timeout(soon, call).await.is_err());
        }
        assert_eq!(outcomes(&audit), [Some(AuditOutcome::Cancelled); 3]);
    }

    #[tokio::test]
    async fn another_protocol_renders_refusals_its_own_way() {
        let (gate, _) = gate();
        let grpc = layer(&gate, Access::Authenticated).with_refusals(|denial, _| {
            let mut response = Response::new(Bytes::new());
            let code = http::HeaderValue::from(denial.grpc_code());
            response.headers_mut().insert("grpc-status", code);
            response
        });
        let service = grpc.layer(Echo::new().0);
        let answer = service.oneshot(request("")).await.expect("infallible");
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["grpc-status"], "16");
    }
}
