#![doc = include_str!("../README.md")]

pub mod attest;
pub mod audit;
mod challenge;
pub mod classification;
pub mod clock;
pub mod denial;
pub mod event;
pub mod limits;
pub mod principal;
pub mod profile;
pub mod request;
pub mod secret;
pub mod step;
mod timestamp;
