//! What is left of the caller's limits.

use core::num::NonZeroU32;

use axum::extract::State;
use axum::{Extension, Json};
use ringwall_axum::CurrentPrincipal;
use ringwall_core::limits::LimitReport;
use ringwall_gate::Admitted;
use ringwall_gate::rate_limit::{Caller, Tally};
use serde::Serialize;

use crate::routes::App;
use crate::routes::problem::Problem;

/// The limit of costly routes, which this route is not held against.
const HEAVY: &str = "heavy";

#[derive(Debug, Serialize)]
pub(crate) struct Limits {
    limits: Vec<Limit>,
}

/// One limit, in the words of `RateLimit-Policy` and `RateLimit`.
#[derive(Debug, Serialize)]
struct Limit {
    name: Box<str>,
    /// How much can be used at once, at most.
    quota: u32,
    /// In how many seconds all of that comes anew.
    window_seconds: u64,
    remaining: u32,
    /// In how many seconds all of it is there again, if nothing more is used.
    reset_seconds: u64,
}

/// `GET /v1/limits`: what the answer's header fields tell, as JSON, and what is left for costly routes, of which
/// nothing is taken by looking.
///
/// Where the operator tells the state of limits with refusals alone, there is no such thing (404).
pub(crate) async fn limits(
    principal: CurrentPrincipal,
    Extension(admitted): Extension<Admitted>,
    State(app): State<App>,
) -> Result<Json<Limits>, Problem> {
    let fields = admitted.limit_fields().ok_or(Problem::NOT_FOUND)?;
    let mut all = fields.report().limits;
    let rules = app.limits.rules();
    let CurrentPrincipal(principal) = principal;
    let caller = Caller {
        principal: Some(&principal),
        identity_header: None,
        address: admitted.client_address(),
    };
    let is_told = all.iter().any(|limit| *limit.name == *HEAVY);
    if let (Some(Ok(heavy)), false) = (rules.bucket(HEAVY, &caller, None), is_told) {
        let now = app.limit_clock.elapsed();
        let peeked = app
            .limits
            .store()
            .peek(now, &[heavy], NonZeroU32::MIN)
            .await;
        let decision = peeked.map_err(|error| {
            let error = &error as &dyn core::error::Error;
            tracing::error!(error, "the store of limits does not answer");
            Problem::unavailable()
        })?;
        let mut tally = Tally::new();
        tally.note(&decision, None);
        let LimitReport { limits } = tally.report(rules.policies());
        all.extend(limits);
    }
    let limits = all.into_iter().map(|limit| Limit {
        name: limit.name.as_ref().into(),
        quota: limit.quota,
        window_seconds: limit.window,
        remaining: limit.remaining,
        reset_seconds: limit.reset,
    });
    Ok(Json(Limits {
        limits: limits.collect(),
    }))
}
