#![doc = include_str!("../README.md")]

mod peer;

pub use peer::Peer;
