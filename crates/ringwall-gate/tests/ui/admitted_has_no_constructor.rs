//! `Admitted` is what a handler trusts, so only a door makes it.
use ringwall_gate::Admitted;

fn forge(other: Admitted) -> Admitted {
    Admitted { at: None, ..other }
}

fn main() {}
