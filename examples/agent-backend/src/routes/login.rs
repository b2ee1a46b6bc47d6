//! Where accounts will log in. The service has none yet and says so; what stands here already is what bounds
//! guessing.

use core::convert::Infallible;

use axum::Extension;
use ringwall_gate::Admitted;
use serde::Deserialize;

use crate::routes::json::JsonBody;
use crate::routes::problem::Problem;

/// The tier of these routes, by address, and their limit by account.
pub(crate) const TIER: &str = "auth";
const ACCOUNT: &str = "auth_account";

/// The longest body that they read.
pub(crate) const BODY_LIMIT: u64 = 4 * 1024;

/// The longest name of an account, in bytes: that of a mail address (RFC 5321 §4.5.3.1.3).
const MAX_ACCOUNT_BYTES: usize = 254;

/// Who wants something. What else the body has, a password among it, is read over.
#[derive(Debug, Deserialize)]
pub(crate) struct Attempt {
    account: String,
}

/// The one spelling of an account: two spellings would be two limits, and twice the guesses. So there is none
/// of what Unicode spells in several ways.
fn spelling(account: &str) -> Result<String, Problem> {
    let account = account.trim();
    let is_plain = account.bytes().all(|byte| byte.is_ascii_graphic());
    if account.is_empty() || account.len() > MAX_ACCOUNT_BYTES || !is_plain {
        return Err(Problem::invalid(
            "the account is 1 to 254 visible characters of ASCII",
        ));
    }
    Ok(account.to_ascii_lowercase())
}

/// `POST /auth/login`, `/auth/register` and `/auth/reset-password`, which share their limits: refused, for every
/// account in the same words. The address was counted before; the account is counted before anything is looked up.
pub(crate) async fn refuse(
    Extension(admitted): Extension<Admitted>,
    JsonBody(attempt): JsonBody<Attempt>,
) -> Result<Infallible, Problem> {
    let account = spelling(&attempt.account)?;
    let checked = admitted.check_limit(ACCOUNT, &account).await;
    checked.map_err(Problem::Denied)?;
    Err(Problem::NotOffered(
        "there are no accounts here yet: get a token from the issuer of the service",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_account_is_one() {
        for text in ["ann@example.com", "ANN@Example.com", " ann@example.com\t"] {
            assert_eq!(spelling(text).expect("plain"), "ann@example.com");
        }
    }

    #[test]
    fn what_can_be_spelt_in_two_ways_is_no_account() {
        let long = "a".repeat(MAX_ACCOUNT_BYTES + 1);
        for text in [
            "",
            "  ",
            "a b",
            "a\0",
            "\u{e9}@example.com",
            "e\u{301}@example.com",
            "\u{ff41}nn",
            &long,
        ] {
            assert!(spelling(text).is_err(), "{text:?}");
        }
        assert!(spelling(&"a".repeat(MAX_ACCOUNT_BYTES)).is_ok());
    }
}
