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
    use std::net::SocketAddr;
    use std::sync::Arc;

    use axum::Router;
    use axum::body::Body;
    use axum::extract::ConnectInfo;
    use axum::http::Request;
    use ringwall_authn::jose::{Algorithm, StaticKeys};
    use ringwall_authn::{IssuerPolicy, SigningKey, TokenIssuer, TokenRequest, TokenVerifier};
    use ringwall_axum::{CurrentPrincipal, Endpoint, GuardedRouter, get};
    use ringwall_core::attest::Attest;
    use ringwall_core::audit::MemoryAudit;
    use ringwall_core::clock::{SystemClock, Timestamp, WallClock as _};
    use ringwall_core::denial::Denial;
    use ringwall_core::event::DiscardEvents;
    use ringwall_core::principal::{
        Authentication, AuthenticationMethod, Principal, PrincipalKind, Scope, Subject,
        VerifiedPrincipal,
    };
    use ringwall_core::request::{HeaderValues, RequestView};
    use ringwall_core::step::Step;
    use ringwall_gate::rate_limit::{KeyPart, LimitRule, LimitRules, Quota};
    use ringwall_gate::{AuditScope, Authenticated, Authenticator, Gate, Presented, RateLimits};
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

        fn recheck(&self, _accepted: &Authenticated, _now: Timestamp) -> Step<Result<(), Denial>> {
            Step::Done(Ok(()))
        }

        fn proxy_headers(&self) -> Vec<Box<str>> {
            Vec::new()
        }
    }

    impl InHand {
        fn new() -> Self {
            let authentication = Authentication::new(AuthenticationMethod::Token);
            let subject = Subject::new("u1").expect("a subject");
            let mut principal = Principal::new(PrincipalKind::User, subject, authentication);
            principal
                .scopes
                .push(Scope::new("cases:read").expect("a scope"));
            Self(VerifiedPrincipal::attest(
                principal,
                Attest::i_have_verified_this(),
            ))
        }
    }

    fn gate(in_hand: InHand) -> Gate {
        Gate::builder("test")
            .authenticator(in_hand)
            .audit(Arc::new(MemoryAudit::new(4096)))
            .events(Arc::new(DiscardEvents))
            .build()
            .expect("a gate")
    }

    fn guarded(gate: Gate, endpoint: Endpoint) -> Router {
        let router = GuardedRouter::new(gate).route("/hello", endpoint);
        router.into_router().expect("a router")
    }

    /// Allocations of one request after warm-up, without those of making the request. The router is
    /// finished first, as `axum::serve` finishes it.
    fn allocations(router: Router, bearer: &str) -> usize {
        allocations_from(None, router, bearer)
    }

    /// The same of a caller whose address is known, which axum keeps beside the request.
    fn allocations_from(peer: Option<SocketAddr>, router: Router, bearer: &str) -> usize {
        let mut router = router.with_state::<()>(());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let mut last = 0;
            for _ in 0..8 {
                let mut request = Request::get("/hello")
                    .header("authorization", format!("Bearer {bearer}"))
                    .body(Body::empty())
                    .expect("a request");
                if let Some(peer) = peer {
                    request.extensions_mut().insert(ConnectInfo(peer));
                }
                let before = count();
                let response = router.call(request).await.expect("infallible");
                last = count().wrapping_sub(before);
                assert_eq!(response.status(), 200);
            }
            last
        })
    }

    async fn hello() -> &'static str {
        "hello"
    }

    /// What `router` adds to the same handler in bare axum.
    fn added(router: Router, bearer: &str) -> usize {
        let bare = Router::new().route("/hello", axum::routing::get(hello));
        let added = allocations(router, bearer).checked_sub(allocations(bare, bearer));
        added.expect("a gate does not save allocations")
    }

    #[test]
    fn the_gate_adds_at_most_three_allocations_to_a_request() {
        let scoped = get(hello).require_scope("cases:read");
        let quiet = scoped.audit(AuditScope::DenialsOnly);
        assert!(added(guarded(gate(InHand::new()), quiet), "t") <= 2);
        let public = get(hello).public().audit(AuditScope::Off);
        assert!(added(guarded(gate(InHand::new()), public), "t") <= 2);
        let extracted = get(async |CurrentPrincipal(_): CurrentPrincipal| "hello");
        let extracted = extracted.audit(AuditScope::DenialsOnly);
        assert!(added(guarded(gate(InHand::new()), extracted), "t") <= 2);
    }

    #[test]
    fn a_memory_trail_costs_one_more_for_the_path_that_the_record_owns() {
        let recorded = get(hello).require_scope("cases:read");
        assert!(added(guarded(gate(InHand::new()), recorded), "t") <= 3);
    }

    #[test]
    fn a_real_token_in_the_cache_costs_no_more_than_a_principal_in_hand() {
        let pkcs8 = SigningKey::generate_pkcs8(Algorithm::EdDsa).expect("random bytes");
        let key = SigningKey::from_pkcs8(Algorithm::EdDsa, &pkcs8).expect("a key");
        let issuer = TokenIssuer::new("https://issuer.example", key);
        let now = SystemClock::new().now().expect("a clock");
        let request = TokenRequest::new(Subject::new("u1").expect("a subject"), "cases")
            .scopes([Scope::new("cases:read").expect("a scope")]);
        let token = issuer.issue(&request, now).expect("a token");
        let keys = Arc::new(StaticKeys::new(issuer.key_set().expect("keys")));
        let policy = IssuerPolicy::builder("https://issuer.example", "cases", keys);
        let verifier = TokenVerifier::builder().issuer(policy.build().expect("a policy"));
        let gate = Gate::builder("test")
            .tokens(verifier.build().expect("a verifier"))
            .audit(Arc::new(MemoryAudit::new(4096)))
            .events(Arc::new(DiscardEvents))
            .build();
        let scoped = get(hello).require_scope("cases:read");
        let quiet = scoped.audit(AuditScope::DenialsOnly);
        let router = guarded(gate.expect("a gate"), quiet);
        assert!(added(router, token.token.expose()) <= 2);
    }

    /// Three limits of the caller, and that of failed credentials, which is charged and given back.
    #[test]
    fn limits_add_no_allocation_unless_they_are_told() {
        let quota = Quota::per_second(1000).expect("a quota");
        let limit = |name, part| LimitRule::new(name, quota, [part]);
        let limits = || {
            let rules = LimitRules::builder()
                .limit(limit("address", KeyPart::Address))
                .limit(limit("user", KeyPart::User))
                .limit(limit("identity", KeyPart::Identity))
                .tier("default", ["address", "user", "identity"])
                .failed_credentials(limit("failed", KeyPart::Address))
                .build();
            RateLimits::in_memory(rules.expect("rules"), 100)
        };
        let counted = |limits: Option<RateLimits>| {
            let gate = Gate::builder("test")
                .authenticator(InHand::new())
                .audit(Arc::new(MemoryAudit::new(4096)))
                .events(Arc::new(DiscardEvents));
            let gate = match limits {
                Some(limits) => gate.rate_limits(limits),
                None => gate,
            };
            let scoped = get(hello).require_scope("cases:read");
            let quiet = scoped.audit(AuditScope::DenialsOnly);
            let peer = SocketAddr::from(([192, 0, 2, 1], 4711));
            allocations_from(
                Some(peer),
                guarded(gate.build().expect("a gate"), quiet),
                "t",
            )
        };
        let without = counted(None);
        assert_eq!(counted(Some(limits().tell_refused_alone())), without);
        // The texts of five fields, and the names in them.
        let told = counted(Some(limits())).checked_sub(without);
        assert!(
            told.is_some_and(|told| (1..=40).contains(&told)),
            "{told:?}"
        );
    }
}
