//! The mode `none` of a development machine: everybody is one and the same caller.

use ringwall_core::attest::Attest;
use ringwall_core::clock::Timestamp;
use ringwall_core::denial::Denial;
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, Principal, VerifiedPrincipal,
};
use ringwall_core::request::{HeaderValues, RequestView};
use ringwall_core::step::Step;

use crate::authenticator::{Authenticated, Authenticator, Presented};

/// Takes everybody for one caller. Only a gate of the development profile is built with it, and its
/// door refuses the caller once more in any other.
#[derive(Clone, Debug)]
pub(crate) struct Unchecked(VerifiedPrincipal);

impl Unchecked {
    /// Whatever authentication `principal` claims, nothing was checked.
    pub(crate) fn new(mut principal: Principal) -> Self {
        principal.authentication = Authentication::new(AuthenticationMethod::Unchecked);
        Self(VerifiedPrincipal::attest(
            principal,
            Attest::i_have_verified_this(),
        ))
    }
}

impl Authenticator for Unchecked {
    /// Always: nobody has to present anything, and what somebody presents is not looked at.
    fn presented(&self, view: &RequestView<'_>) -> Presented {
        match view.header("authorization") {
            HeaderValues::Absent => Presented::Elsewhere,
            HeaderValues::One(_) | HeaderValues::Several(_) => Presented::InAuthorization,
        }
    }

    fn authenticate(&self, _view: &RequestView<'_>) -> Step<Result<Authenticated, Denial>> {
        Step::Done(Ok(Authenticated::from(self.0.clone())))
    }

    fn recheck(&self, _accepted: &Authenticated, _now: Timestamp) -> Step<Result<(), Denial>> {
        Step::Done(Ok(()))
    }

    fn proxy_headers(&self) -> Vec<Box<str>> {
        Vec::new()
    }
}
