//! Whatever is registered, and whatever is asked: a method is reached by whom its policy names, and by
//! nobody else.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use proptest::prelude::*;
use ringwall_tonic::{
    GuardedRoutes, MethodPolicy, authenticated, guard, optional, public, require_any_scope,
    require_scope,
};
use tower::ServiceExt as _;

use crate::raw::framed;
use crate::support::Bench;

/// Methods that answer by themselves to one message, and what else a path may end in.
const ASKED: [&str; 17] = [
    "Version",
    "Read",
    "Write",
    "Forgotten",
    "Upload",
    "Nonexistent",
    "version",
    "Read/",
    "/Read",
    "Re%61d",
    "Read;x",
    ".",
    "..",
    "%2e%2e",
    "Read%2f",
    "Read?Version",
    "",
];
const METHODS: usize = 5;
const SERVICES: [&str; 5] = [
    "/test.v1.Cases/",
    "/test.v1.Cases",
    "/test.v1.cases/",
    "//test.v1.Cases/",
    "/test.v1.Other/",
];
const CALLERS: [Option<&str>; 5] = [
    None,
    Some("mallory"),
    Some("stranger"),
    Some("reader"),
    Some("writer"),
];
const VERBS: [&str; 4] = ["POST", "GET", "OPTIONS", "post"];
const TYPES: [&str; 4] = [
    "application/grpc",
    "application/grpc+proto",
    "application/json",
    "application/grpc-web",
];

#[derive(Clone, Copy, Debug)]
enum Who {
    Public,
    Optional,
    Authenticated,
    Scoped,
    AnyScope,
    Both,
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![
        Just(Who::Public),
        Just(Who::Optional),
        Just(Who::Authenticated),
        Just(Who::Scoped),
        Just(Who::AnyScope),
        Just(Who::Both),
    ]
}

impl Who {
    fn policy(self) -> MethodPolicy {
        match self {
            Self::Public => public(),
            Self::Optional => optional(),
            Self::Authenticated => authenticated(),
            Self::Scoped => require_scope("cases:read"),
            Self::AnyScope => require_any_scope(["cases:none", "cases:write"]),
            Self::Both => require_scope("cases:read").require_scope("cases:write"),
        }
    }

    /// The oracle.
    fn admits(self, caller: Option<&str>) -> bool {
        match (self, caller) {
            (Self::Public, _) | (Self::Optional, None) => true,
            (_, None | Some("mallory")) => false,
            (Self::Optional | Self::Authenticated, Some(_)) => true,
            (Self::Scoped, Some(name)) => name != "stranger",
            (Self::AnyScope | Self::Both, Some(name)) => name == "writer",
        }
    }
}

#[derive(Clone, Debug)]
struct Question {
    service: usize,
    asked: usize,
    caller: usize,
    verb: usize,
    content_type: usize,
}

/// Half of the questions are well formed, or next to nothing would be reached.
fn question() -> impl Strategy<Value = Question> {
    let any = (
        0..SERVICES.len(),
        0..ASKED.len(),
        0..CALLERS.len(),
        0..VERBS.len(),
        0..TYPES.len(),
    );
    (any, prop::bool::ANY).prop_map(|((service, asked, caller, verb, content_type), clean)| {
        let wild = |index: usize| if clean { 0 } else { index };
        Question {
            service: wild(service),
            asked,
            caller,
            verb: wild(verb),
            content_type: wild(content_type),
        }
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

proptest! {
    #[test]
    fn property_a_method_is_reached_by_whom_its_policy_names_and_nobody_else(
        policies in prop::collection::vec(prop::option::weighted(0.7, who()), METHODS),
        every in prop::option::weighted(0.3, who()),
        questions in prop::collection::vec(question(), 1..32),
    ) {
        let bench = Bench::new();
        let mut server = guard(bench.desk.server());
        for (name, policy) in ASKED.iter().zip(&policies) {
            if let Some(policy) = policy {
                server = server.method(name, policy.policy());
            }
        }
        if let Some(every) = every {
            server = server.every_method(every.policy());
        }
        let routes = GuardedRoutes::new(bench.gate.clone()).service(server);
        let routes = routes.into_routes().expect("routes").prepare();
        let runtime = runtime();
        let mut expected = Vec::new();
        for Question { service, asked, caller, verb, content_type } in questions {
            let path = format!("{}{}", SERVICES[service], ASKED[asked]);
            let mut request = http::Request::builder()
                .method(VERBS[verb])
                .uri(&path)
                .header("content-type", TYPES[content_type]);
            if let Some(name) = CALLERS[caller] {
                request = request.header("authorization", format!("Bearer {name}"));
            }
            let Ok(request) = request.body(Full::new(Bytes::from(framed("it")))) else { continue };
            // What the generated code compares; a query is no part of a path.
            let name = path.split('?').next().and_then(|path| path.strip_prefix(SERVICES[0]));
            let method = ASKED[..METHODS].iter().position(|method| Some(*method) == name);
            let policy = method.and_then(|method| policies[method].or(every));
            let admitted = policy.is_some_and(|policy| policy.admits(CALLERS[caller]));
            let reaches = admitted && verb == 0 && content_type < 2;
            if let (true, Some(method)) = (reaches, method) {
                expected.push(ASKED[method]);
                if ASKED[method] == "Upload" {
                    expected.push("Upload, whole");
                }
            }
            let answer = runtime.block_on(async {
                let answer = routes.clone().oneshot(request).await.expect("infallible");
                let (parts, body) = answer.into_parts();
                let body = body.collect().await.expect("a body");
                let trailers = body.trailers().cloned().unwrap_or_default();
                (parts, trailers)
            });
            let (parts, trailers) = answer;
            let code = parts.headers.get("grpc-status").or(trailers.get("grpc-status"));
            let succeeded = parts.status == 200 && code.is_none_or(|code| code == "0");
            prop_assert_eq!(succeeded, reaches, "{} {}: {:?}", VERBS[verb], path, parts);
        }
        prop_assert_eq!(bench.desk.reached(), expected);
        let open = ["unsettled", "cancelled"];
        prop_assert!(bench.outcomes().iter().all(|outcome| !open.contains(&outcome.as_str())));
    }
}
