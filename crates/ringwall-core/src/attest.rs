//! The capability that mints proofs.

/// Permission to state that a check was made.
///
/// A proof type such as [`VerifiedPrincipal`](crate::principal::VerifiedPrincipal) can only be
/// made by handing over an `Attest`, and an `Attest` can only be had by writing
/// [`Attest::i_have_verified_this`]. That call is meant to be searched for: `cargo xtask deps`
/// lists every call site of this repository and refuses one that is not in its table.
///
/// # What it is not
///
/// This is a guard against misuse, not a wall. Any crate that depends on `ringwall-core` can write
/// the call, and code in your process that means harm has easier ways. What it buys is that
/// nobody mints a proof by accident, through a `From`, a `Default` or a deserializer, and that a
/// reviewer can find every place that does with one search.
#[derive(Debug)]
pub struct Attest(());

impl Attest {
    /// States that the caller has verified what it is about to attest: a signature, a session,
    /// a policy decision.
    ///
    /// Outside the Ringwall crates, the legitimate caller is an authenticator of your own, and
    /// tests.
    #[must_use]
    pub const fn i_have_verified_this() -> Self {
        Self(())
    }
}
