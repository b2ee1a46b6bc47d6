//! What a real browser makes of what it is told: Chromium, headless, with pages on several origins, and
//! the same service under axum and under actix-web.
//!
//! `cargo xtask test` installs the browser and names it in `RINGWALL_TEST_CHROMIUM`. Without it these
//! tests fail: one that did not run must not look like one that passed.

#[cfg(test)]
mod actix_service;
#[cfg(test)]
mod axum_service;
#[cfg(test)]
mod chromium;
#[cfg(test)]
mod content;
#[cfg(test)]
mod journey;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod verdicts;
