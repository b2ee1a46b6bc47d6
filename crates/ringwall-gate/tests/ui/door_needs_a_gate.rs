//! A door is made by a gate.
use ringwall_gate::{Door, Gate, RoutePolicy};

fn forge(gate: Gate, policy: RoutePolicy) -> Door {
    Door::new(gate, policy)
}

fn main() {}
