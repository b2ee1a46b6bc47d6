//! An intent is settled once.
use ringwall_gate::Exit;

fn twice(exit: Exit) {
    drop(exit.finish(200));
    drop(exit.finish(500));
}

fn main() {}
