//! Costly questions about the cases that the caller may read.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use ringwall_axum::PermittedRows;
use serde::{Deserialize, Serialize};

use crate::authorization::ReadCase;
use crate::case::{Case, NewCase};
use crate::routes::App;
use crate::routes::json::JsonBody;
use crate::routes::problem::Problem;
use crate::tenant::TenantScope;

/// The tier of these routes.
pub(crate) const TIER: &str = "heavy";

/// How many cases are looked through, the newest: 100 of 16 KiB are read for one question.
const WINDOW: u32 = 100;

/// The longest text that is looked for, in bytes.
const MAX_TEXT_BYTES: usize = 200;

/// The most cases that are likened to a draft.
const MOST_SIMILAR: usize = 5;

/// What is looked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    text: String,
}

#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Found {
    cases: Vec<FoundCase>,
    looked_at: usize,
}

#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct FoundCase {
    id: String,
    title: String,
}

#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Likened {
    similar: Vec<SimilarCase>,
    looked_at: usize,
}

#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct SimilarCase {
    #[serde(flatten)]
    case: FoundCase,
    /// How many of the words of both are words of each, in percent.
    common_percent: usize,
}

/// `POST /v1/discover`: which of the newest cases have the text in their title or body, in whatever case of
/// letters.
pub(crate) async fn discover(
    tenant: TenantScope,
    PermittedRows(rows): PermittedRows<ReadCase>,
    State(app): State<App>,
    JsonBody(wanted): JsonBody<Wanted>,
) -> Result<Json<Found>, Problem> {
    let text = wanted.text.trim().to_lowercase();
    if text.is_empty() || text.len() > MAX_TEXT_BYTES {
        return Err(Problem::invalid(
            "the text is empty or longer than 200 bytes",
        ));
    }
    let cases = app.cases.list(&rows, &tenant, None, WINDOW).await?;
    aside(move || found(&cases, &text)).await
}

/// `POST /v1/evaluate`: which of the newest cases a draft is most like, before it is made a second time.
pub(crate) async fn evaluate(
    tenant: TenantScope,
    PermittedRows(rows): PermittedRows<ReadCase>,
    State(app): State<App>,
    JsonBody(draft): JsonBody<NewCase>,
) -> Result<Json<Likened>, Problem> {
    let cases = app.cases.list(&rows, &tenant, None, WINDOW).await?;
    let draft = words(&format!(
        "{}\n{}",
        draft.title.as_str(),
        draft.body.as_str()
    ));
    aside(move || likened(&cases, &draft)).await
}

/// Megabytes of text are no work for a thread that serves sockets.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<Json<T>, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map(Json).map_err(|_| Problem::unavailable())
}

impl FoundCase {
    fn of(case: &Case) -> Self {
        Self {
            id: case.id.to_string(),
            title: case.title.clone(),
        }
    }
}

fn found(cases: &[Case], text: &str) -> Found {
    let has = |case: &&Case| {
        case.title.to_lowercase().contains(text) || case.body.to_lowercase().contains(text)
    };
    Found {
        cases: cases.iter().filter(has).map(FoundCase::of).collect(),
        looked_at: cases.len(),
    }
}

fn likened(cases: &[Case], draft: &BTreeSet<String>) -> Likened {
    let mut similar: Vec<_> = cases
        .iter()
        .map(|case| SimilarCase {
            case: FoundCase::of(case),
            common_percent: common(draft, &words(&format!("{}\n{}", case.title, case.body))),
        })
        .filter(|case| case.common_percent > 0)
        .collect();
    // Of equals the newer one stays first.
    similar.sort_by_key(|case| core::cmp::Reverse(case.common_percent));
    similar.truncate(MOST_SIMILAR);
    Likened {
        similar,
        looked_at: cases.len(),
    }
}

fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

fn common(one: &BTreeSet<String>, other: &BTreeSet<String>) -> usize {
    let both = one.intersection(other).count();
    let all = one.union(other).count();
    both.saturating_mul(100).checked_div(all).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_common_words_is_that_of_all_words() {
        let one = words("The printer is on fire");
        assert_eq!(common(&one, &words("the PRINTER, is: on (fire)!")), 100);
        assert_eq!(common(&one, &words("printer fire")), 40);
        assert_eq!(common(&one, &words("something else")), 0);
        assert_eq!(common(&words(""), &words("...")), 0);
    }
}
