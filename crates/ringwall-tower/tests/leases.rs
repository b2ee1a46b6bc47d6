//! Answers that go on end with the credential of their caller, and what only proxies may set never
//! reaches a service.

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Poll};
    use std::time::Duration;

    use bytes::Bytes;
    use http::{HeaderMap, Request, Response};
    use http_body::{Body, Frame, SizeHint};
    use http_body_util::BodyExt as _;
    use ringwall_core::attest::Attest;
    use ringwall_core::clock::Timestamp;
    use ringwall_core::denial::Denial;
    use ringwall_core::event::DiscardEvents;
    use ringwall_core::principal::{
        Authentication, AuthenticationMethod, Principal, PrincipalKind, Subject, VerifiedPrincipal,
    };
    use ringwall_core::request::{HeaderValues, RequestView};
    use ringwall_core::step::Step;
    use ringwall_gate::{Access, Authenticated, Authenticator, Gate, Presented, RoutePolicy};
    use ringwall_tower::{BoxError, CredentialOver, GateBody, GateLayer};
    use tokio::time::Interval;
    use tower::{Layer as _, ServiceExt as _, service_fn};

    /// Accepts anybody until it is told not to.
    #[derive(Debug)]
    struct Revocable(Arc<AtomicBool>);

    impl Authenticator for Revocable {
        fn presented(&self, view: &RequestView<'_>) -> Presented {
            match view.header("authorization") {
                HeaderValues::Absent => Presented::No,
                HeaderValues::One(_) | HeaderValues::Several(_) => Presented::InAuthorization,
            }
        }

        fn authenticate(&self, _view: &RequestView<'_>) -> Step<Result<Authenticated, Denial>> {
            let authentication = Authentication::new(AuthenticationMethod::Token);
            let subject = Subject::new("ada").expect("a subject");
            let principal = Principal::new(PrincipalKind::User, subject, authentication);
            let attest = Attest::i_have_verified_this();
            Step::Done(Ok(VerifiedPrincipal::attest(principal, attest).into()))
        }

        fn recheck(&self, _accepted: &Authenticated, _now: Timestamp) -> Step<Result<(), Denial>> {
            let is_revoked = self.0.load(Ordering::Relaxed);
            let answer = move || {
                if is_revoked {
                    Err(Denial::unauthenticated("test"))
                } else {
                    Ok(())
                }
            };
            Step::wait(async move {
                tokio::task::yield_now().await;
                answer()
            })
        }

        fn proxy_headers(&self) -> Vec<Box<str>> {
            vec!["x-client-subject".into()]
        }
    }

    /// A body that says something every second, for ever.
    struct Ticks(Interval);

    impl Body for Ticks {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let frame = || Some(Ok(Frame::data(Bytes::from_static(b"tick"))));
            self.0.poll_tick(context).map(|_| frame())
        }
    }

    /// A body that always has something to say, and of which nobody knows the length.
    struct Talk;

    impl Body for Talk {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
        }
    }

    /// A body of known length, which never comes to its end.
    struct Known;

    impl Body for Known {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(3)
        }
    }

    fn gate(revoked: &Arc<AtomicBool>) -> Gate {
        Gate::builder("test")
            .authenticator(Revocable(Arc::clone(revoked)))
            .without_audit()
            .events(Arc::new(DiscardEvents))
            .build()
            .expect("a gate")
    }

    async fn ask<B>(gate: &Gate, access: Access, make: fn() -> B) -> GateBody<B>
    where
        B: Body<Data = Bytes, Error = Infallible>,
    {
        let service =
            service_fn(
                move |_: Request<_>| async move { Ok::<_, Infallible>(Response::new(make())) },
            );
        let door = gate.door(RoutePolicy::new("the route", access));
        let service = GateLayer::new(door).layer(service);
        let request = Request::builder()
            .uri("/ticks")
            .header("authorization", "x")
            .body(String::new())
            .expect("a request");
        let Ok(response) = service.oneshot(request).await;
        assert_eq!(response.status(), 200);
        response.into_body()
    }

    fn ticks() -> Ticks {
        Ticks(tokio::time::interval(Duration::from_secs(1)))
    }

    async fn next<B>(body: &mut GateBody<B>) -> Option<Result<Frame<Bytes>, BoxError>>
    where
        B: Body<Data = Bytes, Error = Infallible> + Unpin,
    {
        body.frame().await
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_goes_on_breaks_off_when_the_credential_is_revoked() {
        let revoked = Arc::new(AtomicBool::new(false));
        let mut body = ask(&gate(&revoked), Access::Authenticated, ticks).await;
        for _ in 0..100 {
            assert!(matches!(next(&mut body).await, Some(Ok(_))));
        }
        revoked.store(true, Ordering::Relaxed);
        let mut more = 0;
        let error = loop {
            match next(&mut body).await {
                Some(Ok(_)) => more += 1,
                Some(Err(error)) => break error,
                None => panic!("the client would take this for the whole answer"),
            }
        };
        assert!(error.is::<CredentialOver>());
        assert!(more <= 30, "{more} seconds");
        assert!(next(&mut body).await.is_none());
        assert!(body.is_end_stream());
    }

    #[tokio::test]
    async fn nothing_of_an_answer_is_sent_before_the_first_look() {
        let revoked = Arc::new(AtomicBool::new(true));
        let mut body = ask(&gate(&revoked), Access::Authenticated, || Talk).await;
        let first = next(&mut body).await.expect("an end that is seen");
        assert!(first.expect_err("an error").is::<CredentialOver>());
        assert!(next(&mut body).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_to_nobody_goes_on() {
        let revoked = Arc::new(AtomicBool::new(true));
        let mut body = ask(&gate(&revoked), Access::Public, ticks).await;
        for _ in 0..100 {
            assert!(matches!(next(&mut body).await, Some(Ok(_))));
        }
    }

    #[tokio::test]
    async fn an_answer_of_known_length_is_not_cut_off() {
        let revoked = Arc::new(AtomicBool::new(true));
        let mut body = ask(&gate(&revoked), Access::Authenticated, || Known).await;
        assert!(matches!(next(&mut body).await, Some(Ok(_))));
    }

    #[tokio::test]
    async fn what_only_a_proxy_may_set_does_not_reach_the_service() {
        let gate = gate(&Arc::new(AtomicBool::new(false)));
        let service = service_fn(async |request: Request<_>| {
            let headers: HeaderMap = request.headers().clone();
            Ok::<_, Infallible>(Response::new(format!("{headers:?}")))
        });
        let door = gate.door(RoutePolicy::new("the route", Access::Public));
        let service = GateLayer::new(door).layer(service);
        let request = Request::builder()
            .header("X-Client-Subject", "CN=root")
            .header("x-client-subject", "CN=root")
            .header("x-other", "kept")
            .body(String::new())
            .expect("a request");
        let Ok(response) = service.oneshot(request).await;
        let seen = response.into_body().collect().await.expect("a body");
        let seen = String::from_utf8(seen.to_bytes().to_vec()).expect("text");
        assert_eq!(seen, "{\"x-other\": \"kept\"}");
    }
}
