//! Applications under test, good and broken, and what their tests say.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ringwall_axum::{CurrentTenant, Endpoints, GuardedRouter, get};
use ringwall_gate::Gate;
use ringwall_testkit::{App, Axum, Kit};

/// Runs a test's body.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(test);
}

/// What a test says that fails. Fails itself when that test passes.
#[track_caller]
pub(crate) fn failure(test: impl Future<Output = ()>) -> String {
    said(|| run(test))
}

/// The same of a test that sends nothing.
#[track_caller]
pub(crate) fn said(test: impl FnOnce()) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(test)) else {
        panic!("the assertion passed");
    };
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(_) => panic!("the assertion did not fail by words"),
    }
}

/// A service with one route, `/cases`, built with a kit of its own.
pub(crate) fn app(endpoints: impl Into<Endpoints>) -> App<Axum> {
    let kit = Kit::new();
    let gate = kit.gate();
    behind(&kit, gate, endpoints)
}

/// The same behind a gate of the test's own.
pub(crate) fn behind(kit: &Kit, gate: Gate, endpoints: impl Into<Endpoints>) -> App<Axum> {
    let router = GuardedRouter::new(gate).route("/cases", endpoints);
    kit.axum(router.into_router().expect("a router"))
}

/// A route of which the handler needs a tenant.
pub(crate) fn of_tenants() -> ringwall_axum::Endpoint {
    get(async |CurrentTenant(tenant): CurrentTenant| tenant.org.to_string())
}

/// Whether each of `parts` is said.
#[track_caller]
pub(crate) fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}
