//! What the tests have in common.

use ringwall_rate_limit::Quota;

pub(crate) fn minute(count: u32) -> Quota {
    Quota::per_minute(count).expect("a quota")
}
