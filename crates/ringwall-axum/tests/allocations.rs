//! How many allocations the gate adds to a request: counts, not times, so that they can be asserted.
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
            COUNT.set(COUNT.get() + 1);
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
            unsafe { System.dealloc(pointer, layout) }
        }

        unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            COUNT.set(COUNT.get() + 1);
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

    use axum::Router;
    use axum::body::Body;
    use axum::http::Request;
    use ringwall_axum::{CurrentPrincipal, Endpoint, GuardedRouter, get};
    use ringwall_core::attest::Attest;
    use ringwall_core::audit::MemoryAudit;
    use ringwall_core::denial::Denial;
    use ringwall_core::event::DiscardEvents;
    use ringwall_core::principal::{
        Authentication, AuthenticationMethod, Principal, PrincipalKind, Scope, Subject,
        VerifiedPrincipal,
    };
    use ringwall_core::request::{HeaderValues, RequestView};
    use ringwall_core::step::Step;
    use ringwall_gate::{AuditScope, Authenticated, Authenticator, Gate, Presented};
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
    }

    fn gate() -> Gate {
        let authentication = Authentication {
            method: AuthenticationMethod::Token,
            expires_at: None,
            credential_id: None,
        };
        let subject = Subject::new("u1").expect("a subject");
        let mut principal = Principal::new(PrincipalKind::User, subject, authentication);
        principal
            .scopes
            .push(Scope::new("cases:read").expect("a scope"));
        let principal = VerifiedPrincipal::attest(principal, Attest::i_have_verified_this());
        Gate::builder("test")
            .authenticator(InHand(principal))
            .audit(Arc::new(MemoryAudit::new(4096)))
            .events(Arc::new(DiscardEvents))
            .build()
            .expect("a gate")
    }

    fn guarded(endpoint: Endpoint) -> Router {
        let router = GuardedRouter::new(gate()).route("/hello", endpoint);
        router.into_router().expect("a router")
    }

    /// Allocations of one request after warm-up, without those of making the request. The router is
    /// finished first, as `axum::serve` finishes it.
    fn allocations(router: Router) -> usize {
        let mut router = router.with_state::<()>(());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let mut last = 0;
            for _ in 0..8 {
                let request = Request::get("/hello")
                    .header("authorization", "Bearer t")
                    .body(Body::empty())
                    .expect("a request");
                let before = count();
                let response = router.call(request).await.expect("infallible");
                last = count() - before;
                assert_eq!(response.status(), 200);
            }
            last
        })
    }

    async fn hello() -> &'static str {
        "hello"
    }

    #[test]
    fn the_gate_adds_at_most_three_allocations_to_a_request() {
        let bare = allocations(Router::new().route("/hello", axum::routing::get(hello)));
        let scoped = || get(hello).require_scope("cases:read");
        let quiet = allocations(guarded(scoped().audit(AuditScope::DenialsOnly)));
        let recorded = allocations(guarded(scoped()));
        let public = allocations(guarded(get(hello).public().audit(AuditScope::Off)));
        let named = async |CurrentPrincipal(_): CurrentPrincipal| "hello";
        let extracted = allocations(guarded(get(named).audit(AuditScope::DenialsOnly)));
        println!(
            "bare {bare}, gate +{}, with a memory trail +{}, public +{}, with the extractor +{}",
            quiet - bare,
            recorded - bare,
            public - bare,
            extracted - bare,
        );
        assert!(quiet - bare <= 3, "{quiet} against {bare}");
        assert!(public - bare <= 3, "{public} against {bare}");
        assert!(extracted - bare <= 3, "{extracted} against {bare}");
        // The intent owns the path of its request.
        assert!(recorded - quiet <= 1, "{recorded} against {quiet}");
    }
}
