//! How many allocations the guard adds to a call: counts, not times, so that they can be asserted.
//!
//! Everything runs in process, on one thread, with a principal that is already in hand.

#[cfg(test)]
mod counting {
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::cell::Cell;

    thread_local! {
        static COUNT: Cell<usize> = const { Cell::new(0) };
    }

    /// Counts what this thread asks for: allocations, and growth in place of one.
    pub(super) struct Counting;

    #[expect(
        unsafe_code,
        reason = "a global allocator is unsafe to implement; this one forwards"
    )]
    // SAFETY: every call is forwarded unchanged to the system allocator.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            COUNT.set(COUNT.get().wrapping_add(1));
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
            unsafe { System.dealloc(pointer, layout) }
        }

        unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            COUNT.set(COUNT.get().wrapping_add(1));
            unsafe { System.realloc(pointer, layout, size) }
        }
    }

    pub(super) fn count() -> usize {
        COUNT.get()
    }
}

#[cfg(test)]
#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use http::Request;
    use http_body_util::{BodyExt as _, Full};
    use ringwall_core::attest::Attest;
    use ringwall_core::audit::MemoryAudit;
    use ringwall_core::clock::Timestamp;
    use ringwall_core::denial::Denial;
    use ringwall_core::event::DiscardEvents;
    use ringwall_core::principal::{
        Authentication, AuthenticationMethod, Principal, PrincipalKind, Subject, VerifiedPrincipal,
    };
    use ringwall_core::request::{HeaderValues, RequestView};
    use ringwall_core::step::Step;
    use ringwall_gate::{AuditScope, Authenticated, Authenticator, Gate, Presented};
    use ringwall_tonic::{GuardedRoutes, MethodPolicy, authenticated, guard, public};
    use tonic::service::Routes;
    use tonic_health::pb::health_server::{Health, HealthServer};
    use tower_service::Service as _;

    use super::counting::count;

    #[derive(Debug)]
    struct InHand(VerifiedPrincipal);

    impl Authenticator for InHand {
        fn presented(&self, view: &RequestView<'_>) -> Presented {
            match view.header("authorization") {
                HeaderValues::Absent => Presented::No,
                HeaderValues::One(_) | HeaderValues::Several(_) => Presented::InAuthorization,
            }
        }

        fn authenticate(&self, _view: &RequestView<'_>) -> Step<Result<Authenticated, Denial>> {
            Step::Done(Ok(self.0.clone().into()))
        }

        fn recheck(&self, _: &Authenticated, _: Timestamp) -> Step<Result<(), Denial>> {
            Step::Done(Ok(()))
        }

        fn proxy_headers(&self) -> Vec<Box<str>> {
            Vec::new()
        }
    }

    fn gate() -> Gate {
        let subject = Subject::new("ada").expect("a subject");
        let login = Authentication::new(AuthenticationMethod::Token);
        let principal = Principal::new(PrincipalKind::User, subject, login);
        let principal = VerifiedPrincipal::attest(principal, Attest::i_have_verified_this());
        Gate::builder("test")
            .authenticator(InHand(principal))
            .audit(Arc::new(MemoryAudit::new(64)))
            .events(Arc::new(DiscardEvents))
            .build()
            .expect("a gate")
    }

    fn health() -> HealthServer<impl Health> {
        tonic_health::server::health_reporter().1
    }

    fn guarded(policy: MethodPolicy) -> Routes {
        let server = guard(health()).method("Check", policy);
        let routes = GuardedRoutes::new(gate()).service(server);
        routes.into_routes().expect("routes")
    }

    /// Allocations of one call, to the end of its answer.
    async fn of(routes: Routes) -> usize {
        let mut routes = routes.prepare();
        let mut least = usize::MAX;
        // The first calls also fill caches.
        for _ in 0..8 {
            let request = Request::post("/grpc.health.v1.Health/Check")
                .header("content-type", "application/grpc")
                .header("authorization", "Bearer x")
                .body(Full::new(Bytes::from_static(&[0; 5])))
                .expect("a request");
            let before = count();
            let answer = routes.call(request).await.expect("infallible");
            let body = answer.into_body().collect().await.expect("a body");
            let used = count().wrapping_sub(before);
            let trailers = body.trailers().expect("trailers");
            assert_eq!(trailers["grpc-status"], "0");
            least = least.min(used);
        }
        least
    }

    #[tokio::test]
    async fn a_call_takes_few_more_allocations_than_without_a_guard() {
        let bare = of(Routes::new(health())).await;
        for (policy, more) in [
            (public().audit(AuditScope::Off), 2),
            (authenticated().audit(AuditScope::Off), 3),
            (authenticated(), 4),
        ] {
            let used = of(guarded(policy.clone())).await;
            let added = used.saturating_sub(bare);
            assert!(added <= more, "{added} more than {bare}: {policy:?}");
        }
    }
}
