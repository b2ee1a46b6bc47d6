//! Whatever is registered, and whatever is asked: a stranger gets an answer from nothing but what
//! was registered as public.

use actix_web::dev::Service as _;
use actix_web::http::StatusCode;
use actix_web::http::{Method, Uri};
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, Handler, HttpResponse};
use proptest::prelude::*;
use ringwall_actix::{Endpoint, GuardedApp, any, delete, get, post, put};

use crate::support::Bench;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Who {
    Public,
    Optional,
    Authenticated,
    Scoped,
    AnyScope,
}

#[derive(Clone, Debug)]
struct Route {
    method: usize,
    path: Vec<usize>,
    rest: bool,
    who: Who,
}

#[derive(Clone, Debug)]
enum Part {
    Route(Route),
    Nest(usize, Vec<Part>),
    Merge(Vec<Part>),
    Mount(usize, Who),
}

const SEGMENTS: [&str; 5] = ["a", "b", "{x}", "a.b", "health"];
const ASKED: [&str; 14] = [
    "a",
    "b",
    "z",
    "a.b",
    "health",
    "",
    ".",
    "..",
    "%2e%2e",
    "a%2fb",
    "A",
    "a;b",
    "%61",
    "health%00",
];
const METHODS: [&str; 8] = [
    "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "FOO",
];

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![
        1 => Just(Who::Public),
        1 => Just(Who::Optional),
        2 => Just(Who::Authenticated),
        2 => Just(Who::Scoped),
        1 => Just(Who::AnyScope),
    ]
}

fn part() -> impl Strategy<Value = Part> {
    let route = (
        0..5_usize,
        prop::collection::vec(0..SEGMENTS.len(), 0..4),
        prop::bool::weighted(0.2),
        who(),
    )
        .prop_map(|(method, path, rest, who)| {
            Part::Route(Route {
                method,
                path,
                rest,
                who,
            })
        });
    let mount = (0..SEGMENTS.len(), who()).prop_map(|(at, who)| Part::Mount(at, who));
    let leaf = prop_oneof![6 => route, 1 => mount];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            (
                0..SEGMENTS.len(),
                prop::collection::vec(inner.clone(), 0..5)
            )
                .prop_map(|(at, parts)| Part::Nest(at, parts)),
            prop::collection::vec(inner, 0..5).prop_map(Part::Merge),
        ]
    })
}

const OPEN: StatusCode = StatusCode::OK;
/// What only a handler behind a closed route answers.
const CLOSED: StatusCode = StatusCode::CREATED;

fn handler(open: bool) -> impl Handler<(), Output = HttpResponse> + Send + Sync {
    let status = if open { OPEN } else { CLOSED };
    move || std::future::ready(HttpResponse::new(status))
}

fn endpoint(method: usize, who: Who) -> Endpoint {
    let open = matches!(who, Who::Public | Who::Optional);
    let endpoint = match method {
        0 => get(handler(open)),
        1 => post(handler(open)),
        2 => put(handler(open)),
        3 => delete(handler(open)),
        _ => any(handler(open)),
    };
    say(endpoint, who)
}

fn say(endpoint: Endpoint, who: Who) -> Endpoint {
    match who {
        Who::Public => endpoint.public(),
        Who::Optional => endpoint.optional(),
        Who::Authenticated => endpoint,
        Who::Scoped => endpoint.require_scope("cases:read"),
        Who::AnyScope => endpoint.require_any_scope(["cases:read", "cases:write"]),
    }
}

fn build(bench: &Bench, parts: &[Part]) -> GuardedApp {
    let mut app = GuardedApp::new(bench.gate.clone());
    for part in parts {
        app = match part {
            Part::Route(Route {
                method,
                path,
                rest,
                who,
            }) => {
                let mut text = String::new();
                for (index, segment) in path.iter().enumerate() {
                    text.push('/');
                    // Parameters need names of their own, or the template is refused.
                    match SEGMENTS[*segment] {
                        "{x}" => text.push_str(&format!("{{p{index}}}")),
                        other => text.push_str(other),
                    }
                }
                if *rest {
                    text.push_str("/{*rest}");
                } else if text.is_empty() {
                    text.push('/');
                }
                app.route(&text, endpoint(*method, *who))
            }
            Part::Nest(at, parts) => {
                let prefix = format!("/{}", SEGMENTS[*at].replace('x', "outer"));
                app.nest(&prefix, build(bench, parts))
            }
            Part::Merge(parts) => app.merge(build(bench, parts)),
            Part::Mount(at, who) => {
                let open = matches!(who, Who::Public | Who::Optional);
                let prefix = format!("/m/{}", SEGMENTS[*at]);
                app.nest_service(&prefix, say(any(handler(open)), *who))
            }
        };
    }
    app
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(256)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        // Some apps are refused when they are built; a long run has more of those.
        max_global_rejects: cases().saturating_mul(4).max(1024),
        ..ProptestConfig::default()
    })]

    #[test]
    fn property_strangers_reach_nothing_but_what_is_registered_as_open(
        parts in prop::collection::vec(part(), 0..8),
        asked in prop::collection::vec(
            (0..METHODS.len(), prop::collection::vec(0..ASKED.len(), 0..5), prop::bool::ANY),
            1..24,
        ),
    ) {
        let bench = Bench::new();
        // Templates that collide are refused at start.
        let Ok(guarded) = build(&bench, &parts).build() else {
            return Err(TestCaseError::reject("no app"));
        };
        let runtime = runtime();
        let app = runtime.block_on(init_service(App::new().configure(guarded.configure())));
        for (method, path, wrong) in asked {
            let path: String = path.iter().flat_map(|at| ["/", ASKED[*at]]).collect();
            let path = if path.is_empty() { "/".to_owned() } else { path };
            if Uri::try_from(&path).is_err() {
                continue;
            }
            let method = Method::from_bytes(METHODS[method].as_bytes()).expect("a method");
            let mut request = TestRequest::with_uri(&path).method(method.clone());
            if wrong {
                request = request.insert_header(("authorization", "Bearer mallory"));
            }
            let response = runtime.block_on(app.call(request.to_request()));
            let status = response.expect("no error").status();
            let allowed = [OPEN, StatusCode::UNAUTHORIZED, StatusCode::BAD_REQUEST];
            prop_assert!(allowed.contains(&status), "{method} {path}: {status}");
        }
    }
}
