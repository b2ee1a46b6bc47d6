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
    use std::sync::Arc;

    use actix_web::body::MessageBody;
    use actix_web::dev::{Service as _, ServiceFactory, ServiceRequest, ServiceResponse};
    use actix_web::test::{TestRequest, init_service};
    use actix_web::{App, Error};
    use ringwall_actix::{CurrentPrincipal, Endpoint, Guarded, GuardedApp, get};
    use ringwall_authn::jose::{Algorithm, StaticKeys};
    use ringwall_authn::{IssuerPolicy, SigningKey, TokenIssuer, TokenRequest, TokenVerifier};
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
    use ringwall_gate::{AuditScope, Authenticated, Authenticator, Gate, Presented};

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

    fn guarded(gate: Gate, endpoint: Endpoint) -> Guarded {
        let app = GuardedApp::new(gate).route("/hello", endpoint);
        app.build().expect("an app")
    }

    /// Allocations of one request after warm-up, without those of making the request.
    fn allocations<T, B>(app: App<T>, bearer: &str) -> usize
    where
        T: ServiceFactory<
                ServiceRequest,
                Config = (),
                Response = ServiceResponse<B>,
                Error = Error,
                InitError = (),
            > + 'static,
        B: MessageBody + 'static,
    {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let app = init_service(app).await;
            let mut last = 0;
            for _ in 0..8 {
                let request = TestRequest::with_uri("/hello")
                    .insert_header(("authorization", format!("Bearer {bearer}")))
                    .to_request();
                let before = count();
                let response = app.call(request).await.expect("no error");
                last = count().wrapping_sub(before);
                assert_eq!(response.status(), 200);
            }
            last
        })
    }

    async fn hello() -> &'static str {
        "hello"
    }

    /// What `guarded` adds to the same handler in bare actix-web, whose own resources and routes box
    /// once more than ours.
    fn added(guarded: Guarded, bearer: &str) -> usize {
        let bare = App::new()
            .service(actix_web::web::resource("/hello").route(actix_web::web::get().to(hello)));
        let bare = allocations(bare, bearer);
        let ours = allocations(App::new().configure(guarded.configure()), bearer);
        ours.saturating_sub(bare)
    }

    #[test]
    fn the_gate_adds_no_allocation_to_a_request() {
        let scoped = get(hello).require_scope("cases:read");
        let quiet = scoped.audit(AuditScope::DenialsOnly);
        assert!(added(guarded(gate(InHand::new()), quiet), "t") == 0);
        let public = get(hello).public().audit(AuditScope::Off);
        assert!(added(guarded(gate(InHand::new()), public), "t") == 0);
        let extracted = get(async |CurrentPrincipal(_): CurrentPrincipal| "hello");
        let extracted = extracted.audit(AuditScope::DenialsOnly);
        assert!(added(guarded(gate(InHand::new()), extracted), "t") == 0);
    }

    #[test]
    fn a_memory_trail_costs_one_for_the_path_that_the_record_owns() {
        let recorded = get(hello).require_scope("cases:read");
        assert!(added(guarded(gate(InHand::new()), recorded), "t") <= 1);
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
        let guarded = guarded(gate.expect("a gate"), quiet);
        assert!(added(guarded, token.token.expose()) == 0);
    }
}
