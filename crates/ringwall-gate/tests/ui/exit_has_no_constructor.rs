//! An exit that belongs to no intent would hide a request from the trail.
use ringwall_gate::Exit;

fn forge() -> Exit {
    Exit { open: None }
}

fn main() {}
