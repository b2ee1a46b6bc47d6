//! A principal that nobody verified does not authenticate anybody.
use ringwall_core::principal::Principal;
use ringwall_gate::Authenticated;

fn forge(principal: Principal) -> Authenticated {
    Authenticated(principal)
}

fn main() {}
