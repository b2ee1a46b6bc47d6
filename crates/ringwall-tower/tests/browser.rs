//! What browsers are told, through the tower layers: the corpus of `ringwall-browser`, and what is tower's
//! own.

#[cfg(test)]
#[path = "../../ringwall-browser/tests/corpus/mod.rs"]
mod corpus;

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use crate::corpus::{CLIENT, Case, HANDLER_FIELD, Lines, NONCE_FIELD, PROXY, Seen, Whose};
    use bytes::Bytes;
    use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
    use http_body_util::{BodyExt as _, Full, Limited};
    use ringwall_browser::{ContentSecurityPolicy, CorsPolicy, CspNonce, SecurityHeaders, Source};
    use ringwall_gate::{Access, Gate, RoutePolicy};
    use ringwall_tower::{CorsPolicyLayer, GateLayer, Origin, Peer, SecurityHeadersLayer};
    use ringwall_transport::TrustedProxies;
    use tower::util::BoxCloneSyncService;
    use tower::{Layer as _, ServiceExt as _, service_fn};

    type Body = Full<Bytes>;
    type Boxed = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

    #[tokio::test]
    async fn each_case_of_the_corpus_is_answered_as_written() {
        let mut outcomes = Vec::new();
        for case in crate::corpus::cases() {
            outcomes.push(case.check(&answer(&case).await));
        }
        crate::corpus::report(outcomes);
    }

    /// The layers of the case, the headers outermost.
    fn service(case: &Case) -> Boxed {
        let handler = handler(case.status, case.handler.clone());
        let inner = match &case.cors {
            Some(policy) => {
                BoxCloneSyncService::new(CorsPolicyLayer::new(policy.clone()).layer(handler))
            }
            None => handler,
        };
        match &case.headers {
            Some(headers) => {
                let proxy = PROXY.split(':').next().expect("an address");
                let proxies = TrustedProxies::builder().network(proxy).build();
                let layer = SecurityHeadersLayer::new(headers.clone())
                    .with_proxies(proxies.expect("proxies"));
                BoxCloneSyncService::new(layer.layer(inner))
            }
            None => inner,
        }
    }

    fn handler(status: u16, lines: Lines) -> Boxed {
        BoxCloneSyncService::new(service_fn(move |request: Request<Body>| {
            let lines = lines.clone();
            async move {
                let mut response = Response::new(Full::new(Bytes::from_static(b"answered")));
                *response.status_mut() = status.try_into().expect("a status");
                let headers = response.headers_mut();
                append(headers, lines);
                headers.insert(HANDLER_FIELD, HeaderValue::from_static("ran"));
                if let Some(nonce) = request.extensions().get::<CspNonce>() {
                    headers.insert(NONCE_FIELD, nonce.as_str().parse().expect("a value"));
                }
                Ok(response)
            }
        }))
    }

    fn append(headers: &mut HeaderMap, lines: Lines) {
        for (name, value) in lines {
            let name: HeaderName = name.parse().expect("a name");
            headers.append(
                name,
                HeaderValue::from_bytes(value.as_bytes()).expect("a value"),
            );
        }
    }

    async fn answer(case: &Case) -> Seen {
        let mut request = Request::new(Body::default());
        *request.method_mut() = case.method.parse().expect("a method");
        append(request.headers_mut(), case.request.clone());
        let client = CLIENT.parse().expect("an address");
        let peer = match case.whose {
            Whose::ClientWithTls => Some(Peer::tls(client, None)),
            Whose::ClientWithout => Some(Peer::plain(client)),
            Whose::ClientUnknown => Some(Peer::new(client)),
            Whose::TrustedProxy => Some(Peer::plain(PROXY.parse().expect("an address"))),
            Whose::Nobody => None,
        };
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        let response = service(case).oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let text = |value: &HeaderValue| value.to_str().expect("ASCII").to_owned();
        Seen {
            status: parts.status.as_u16(),
            lines: parts
                .headers
                .iter()
                .map(|(name, value)| (name.as_str().to_owned(), text(value)))
                .collect(),
            is_empty: body.collect().await.expect("a body").to_bytes().is_empty(),
        }
    }

    fn policy() -> CorsPolicy {
        let builder = CorsPolicy::builder()
            .with_defaults()
            .origin("https://app.example.com");
        builder.build().expect("a policy")
    }

    fn preflight() -> Request<Body> {
        let mut request = Request::new(Body::default());
        *request.method_mut() = Method::OPTIONS;
        let lines = [
            ("origin", "https://app.example.com"),
            ("access-control-request-method", "PUT"),
        ];
        let lines = lines.map(|(name, value)| (name.to_owned(), value.to_owned()));
        append(request.headers_mut(), lines.into());
        request
    }

    /// A gate that lets nobody in.
    fn gate() -> GateLayer {
        let gate = Gate::builder("api")
            .without_authenticators()
            .without_audit();
        let door = RoutePolicy::new("all", Access::Authenticated);
        GateLayer::new(gate.build().expect("a gate").door(door))
    }

    #[tokio::test]
    async fn a_preflight_is_answered_in_front_of_a_gate_that_refuses_everything_else() {
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        let inner = service_fn(move |_: Request<Limited<Body>>| {
            counted.fetch_add(1, Ordering::Relaxed);
            async { Ok::<_, Infallible>(Response::new(Body::default())) }
        });
        let service = CorsPolicyLayer::new(policy()).layer(gate().layer(inner));
        let asked = service
            .clone()
            .oneshot(preflight())
            .await
            .expect("an answer");
        assert_eq!(asked.status(), 204);
        assert_eq!(
            asked.headers()["access-control-allow-origin"],
            "https://app.example.com"
        );

        let mut plain = preflight();
        plain.headers_mut().remove("access-control-request-method");
        let plain = service.clone().oneshot(plain).await.expect("an answer");
        assert_eq!(plain.status(), 401);

        let mut actual = preflight();
        *actual.method_mut() = Method::GET;
        let actual = service.oneshot(actual).await.expect("an answer");
        assert_eq!(actual.status(), 401);
        // The page learns why.
        assert_eq!(
            actual.headers()["access-control-allow-origin"],
            "https://app.example.com"
        );
        assert_eq!(runs.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_gates_refusal_has_the_security_headers() {
        let inner = service_fn(async |_: Request<Limited<Body>>| {
            Ok::<_, Infallible>(Response::new(Body::default()))
        });
        let service = SecurityHeadersLayer::new(SecurityHeaders::api()).layer(gate().layer(inner));
        let answer = service
            .oneshot(Request::new(Body::default()))
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 401);
        assert_eq!(answer.headers()["x-frame-options"], "DENY");
        assert_eq!(answer.headers()["cache-control"], "no-store");
    }

    fn nonces() -> SecurityHeaders {
        let csp = ContentSecurityPolicy::builder().script_src([Source::nonce()]);
        SecurityHeaders::page(csp.build().expect("a policy"))
    }

    #[tokio::test]
    async fn each_answer_has_a_nonce_of_its_own() {
        let service = SecurityHeadersLayer::new(nonces()).layer(handler(200, Lines::new()));
        let mut seen = Vec::new();
        for _ in 0..64 {
            let request = Request::new(Body::default());
            let answer = service.clone().oneshot(request).await.expect("an answer");
            let nonce = answer.headers()[NONCE_FIELD].to_str().expect("ASCII");
            let policy = answer.headers()["content-security-policy"].to_str();
            assert!(policy.expect("ASCII").contains(&format!("'nonce-{nonce}'")));
            seen.push(nonce.to_owned());
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 64);
    }

    #[tokio::test]
    async fn a_nonce_that_a_request_brought_along_is_replaced_or_taken_out() {
        let stale = CspNonce::generate().expect("random bytes");
        let none = SecurityHeaders::api();
        for (headers, expected) in [(nonces(), true), (none, false)] {
            let mut request = Request::new(Body::default());
            request.extensions_mut().insert(stale.clone());
            let service = SecurityHeadersLayer::new(headers).layer(handler(200, Lines::new()));
            let answer = service.oneshot(request).await.expect("an answer");
            let nonce = answer.headers().get(NONCE_FIELD);
            assert_eq!(nonce.is_some(), expected);
            assert!(nonce.is_none_or(|nonce| nonce != stale.as_str()));
        }
    }

    #[tokio::test]
    async fn finds_the_connection_where_a_framework_keeps_it() {
        fn always_tls(_: &http::Extensions) -> Origin<'_> {
            Origin {
                scheme: Some("https"),
                ..Origin::default()
            }
        }
        let layer = SecurityHeadersLayer::new(SecurityHeaders::api()).with_origin(always_tls);
        let service = layer.layer(handler(200, Lines::new()));
        let request = Request::new(Body::default());
        let answer = service.oneshot(request).await.expect("an answer");
        assert!(answer.headers().contains_key("strict-transport-security"));
    }

    #[tokio::test]
    async fn an_error_of_the_service_stays_an_error() {
        let failing = service_fn(async |_: Request<Body>| Err::<Response<Body>, _>("broken"));
        let inner = CorsPolicyLayer::new(policy()).layer(failing);
        let service = SecurityHeadersLayer::new(SecurityHeaders::api()).layer(inner);
        let answer = service.oneshot(Request::new(Body::default())).await;
        assert_eq!(answer.expect_err("an error"), "broken");
    }
}
