use actix_web::body::BoxBody;
use actix_web::dev::ServiceRequest;
use actix_web::error::ErrorConflict;
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, HttpMessage as _, HttpRequest, HttpResponse, web};
use ringwall_actix::{CorsPolicyMiddleware, GuardedApp, SecurityHeadersMiddleware, get};
use ringwall_browser::{ContentSecurityPolicy, CorsPolicy, CspNonce, SecurityHeaders, Source};
use ringwall_gate::Gate;

use crate::corpus::{Lines, Seen};
use crate::site::start;

fn policy() -> CorsPolicy {
    let builder = CorsPolicy::builder()
        .with_defaults()
        .origin("https://app.example.com");
    builder.build().expect("a policy")
}

fn lines(lines: &[(&str, &str)]) -> Lines {
    lines
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn value<'a>(seen: &'a Seen, name: &str) -> Option<&'a str> {
    let mut found = seen.lines.iter().filter(|(other, _)| other == name);
    let value = found.next().map(|(_, value)| value.as_str());
    assert!(found.next().is_none(), "{name} twice");
    value
}

const ORIGIN: (&str, &str) = ("origin", "https://app.example.com");

#[tokio::test]
async fn a_preflight_is_answered_in_front_of_a_gate_that_refuses_everything_else() {
    let gate = Gate::builder("api")
        .without_authenticators()
        .without_audit();
    let guarded = GuardedApp::new(gate.build().expect("a gate"))
        .route("/", get(async || HttpResponse::Ok().finish()))
        .build()
        .expect("an app");
    let site = start(
        move || {
            App::new()
                .configure(guarded.configure())
                .wrap(CorsPolicyMiddleware::new(policy()))
                .wrap(SecurityHeadersMiddleware::new(SecurityHeaders::api()))
        },
        None,
    );
    let asks = lines(&[ORIGIN, ("access-control-request-method", "PUT")]);
    let asked = site.send("OPTIONS", &asks).await;
    assert_eq!((asked.status, asked.is_empty), (204, true));
    let allowed = value(&asked, "access-control-allow-origin");
    assert_eq!(allowed, Some("https://app.example.com"));

    for (method, lines) in [("OPTIONS", lines(&[ORIGIN])), ("GET", lines(&[ORIGIN]))] {
        let refused = site.send(method, &lines).await;
        assert_eq!(refused.status, 401, "{method}");
        assert_eq!(value(&refused, "x-frame-options"), Some("DENY"));
    }
    // The page learns why.
    let refused = site.send("GET", &lines(&[ORIGIN])).await;
    let allowed = value(&refused, "access-control-allow-origin");
    assert_eq!(allowed, Some("https://app.example.com"));
}

/// actix-web renders a handler's error outside of the middleware.
#[tokio::test]
async fn what_becomes_of_an_error_has_the_fields_too() {
    let csp = ContentSecurityPolicy::builder().script_src([Source::nonce()]);
    let headers = SecurityHeaders::page(csp.build().expect("a policy"));
    let site = start(
        move || {
            App::new()
                .default_service(web::to(async || {
                    Err::<HttpResponse, _>(ErrorConflict("no"))
                }))
                .wrap_fn(|request, inner| {
                    // An error of a middleware, which never was a response of a handler.
                    let fails = request.headers().contains_key("x-fail");
                    let running = actix_web::dev::Service::call(inner, request);
                    async move {
                        if fails {
                            return Err(ErrorConflict("no"));
                        }
                        running.await
                    }
                })
                .wrap(CorsPolicyMiddleware::new(policy()))
                .wrap(SecurityHeadersMiddleware::new(headers.clone()))
        },
        None,
    );
    for request in [lines(&[ORIGIN]), lines(&[ORIGIN, ("x-fail", "1")])] {
        let seen = site.send("GET", &request).await;
        assert_eq!(seen.status, 409);
        let allowed = value(&seen, "access-control-allow-origin");
        assert_eq!(allowed, Some("https://app.example.com"));
        assert_eq!(value(&seen, "vary"), Some("Origin"));
        assert_eq!(value(&seen, "x-content-type-options"), Some("nosniff"));
        let policy = value(&seen, "content-security-policy");
        assert!(policy.is_some_and(|policy| policy.contains("script-src 'nonce-")));
    }
}

#[tokio::test]
async fn each_answer_has_a_nonce_of_its_own() {
    let csp = ContentSecurityPolicy::builder().script_src([Source::nonce()]);
    let headers = SecurityHeaders::page(csp.build().expect("a policy"));
    let site = start(
        move || App::new().wrap(SecurityHeadersMiddleware::new(headers.clone())),
        None,
    );
    let mut seen = Vec::new();
    for _ in 0..16 {
        let answer = site.send("GET", &Lines::new()).await;
        seen.push(value(&answer, "content-security-policy").map(str::to_owned));
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 16);
}

#[tokio::test]
async fn a_nonce_that_a_request_brought_along_is_taken_out() {
    let guest = || {
        from_fn(async |request: ServiceRequest, next: Next<BoxBody>| {
            request
                .extensions_mut()
                .insert(CspNonce::generate().expect("random bytes"));
            next.call(request).await
        })
    };
    let show = async |request: HttpRequest| {
        let is_there = request.extensions().contains::<CspNonce>();
        if is_there {
            HttpResponse::Conflict().finish()
        } else {
            HttpResponse::Ok().finish()
        }
    };
    let site = start(
        move || {
            App::new()
                .default_service(web::to(show))
                .wrap(SecurityHeadersMiddleware::new(SecurityHeaders::api()))
                .wrap(guest())
        },
        None,
    );
    assert_eq!(site.send("GET", &Lines::new()).await.status, 200);
}
