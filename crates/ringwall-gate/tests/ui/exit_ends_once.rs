//! An intent is settled once.
use ringwall_gate::Exit;

fn twice(exit: Exit) {
    drop(exit.finish(200, None));
    drop(exit.finish(500, None));
}

fn main() {}
