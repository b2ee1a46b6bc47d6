//! The contract of stores.

use core::fmt;
use core::time::Duration;

use ringwall_core::clock::Timestamp;
use ringwall_core::step::Step;

use crate::ClaimKey;

/// One attempt to be the first.
///
/// The times are the caller's: stores read no clock to judge a claim, so `now` must be the time of
/// the call, and the servers' clocks must agree as well as the credential's own times demand.
#[derive(Clone, Copy, Debug)]
pub struct ClaimRequest {
    /// What is claimed.
    pub key: ClaimKey,
    /// The earliest moment at which somebody else could have claimed it already: for a proof its
    /// `iat` minus the permitted skew. Stores that lost their memory refuse what may be in it.
    pub valid_from: Timestamp,
    /// Until when a repetition would be accepted elsewhere: the store remembers at least this long.
    /// It follows from the credential alone (its `iat`, its time step), not from the time of the
    /// call, and includes every tolerance that the credential's own check grants.
    pub valid_until: Timestamp,
    /// The time of the call.
    pub now: Timestamp,
}

/// What a claim came to.
#[must_use = "only `First` admits the credential"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nobody had claimed it. Nobody else will be told so before `valid_until`.
    First,
    /// It was claimed before, or is over: refuse the credential.
    Repeated,
}

/// Whether this is the first claim cannot be told: the store is down, full or slow, lost its memory,
/// or may not remember for so long. Refuse with 503, and never admit.
///
/// The claim may have been recorded nevertheless. Do not claim the same key again for the same
/// request; the client comes back with a new proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("whether the credential was used before cannot be told now")]
pub struct ReplayUnavailable {
    /// When it is worth to try again, with a new credential: a hint, of any length.
    pub retry_after: Duration,
}

/// Tells the first use of a credential from every other one.
///
/// # Contract
///
/// - **Atomicity.** Of all calls with the same key whose `now` is before `valid_until`, exactly one
///   is answered [`Claim::First`], also among concurrent calls, and across processes where the
///   store is shared. When an answer is lost on the way, none is.
/// - **Memory.** A claim is remembered at least until its `valid_until`, and never dropped before
///   to make room. It may be remembered longer, so whether a key is free again afterwards is open.
/// - **What is over.** A request whose `valid_until` is not after `now` is answered
///   [`Claim::Repeated`], and nothing is remembered.
/// - **Time.** A clock that is set back, or forward and back, frees no claim: what a store no longer
///   knows it answers [`ReplayUnavailable`].
/// - **Durability.** A store says what it forgets in a crash, and how it refuses what it may have
///   forgotten.
/// - **Bounds.** A store that is full answers [`ReplayUnavailable`]. So does one that is asked to
///   remember for longer than its configured limit, and one whose server does not answer in time.
/// - **Retries.** A store does not repeat an attempt whose outcome it does not know, unless it can
///   tell its own claim from somebody else's.
/// - **Cancellation.** A caller may drop the step while it waits; the claim may then be recorded.
///
/// With the feature `conformance`, the module `conformance` checks most of it for any store.
pub trait ReplayStore: Send + Sync + fmt::Debug {
    /// Claims a key. Nothing happens to the credential itself: verify it first, so that nobody can
    /// fill the store with, or use up, credentials of others.
    fn claim(&self, request: ClaimRequest) -> Step<Result<Claim, ReplayUnavailable>>;
}
