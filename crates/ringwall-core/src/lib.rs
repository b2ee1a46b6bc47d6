//! The shared words of the Ringwall security libraries.
//!
//! This crate is a vocabulary: types that two or more Ringwall crates name in their public
//! signatures, and nothing else. It does no I/O, starts no task and holds no policy.
//!
//! | module | what it names |
//! |---|---|
//! | [`clock`] | the time as a value, and the two clocks it comes from |
//! | [`secret`] | bytes and text that must never reach a log |
//! | [`profile`] | production or development, production unless set |
//! | [`principal`] | who is calling, and the proof that somebody checked |
//! | [`attest`] | the capability that mints such proofs |
//! | [`classification`] | how sensitive a datum is, and what must be done about it |
//! | [`request`] | a borrowed view of a request that works under any web framework |
//! | [`denial`] | every way to say no, with its HTTP and gRPC rendering |
//! | [`event`] | the lossy channel: metrics, alerts, logs |
//! | [`audit`] | the durable channel: intent before an effect, outcome after it |
//! | [`step`] | an answer that is often there at once |
//!
//! The two channels are never confused: an [`event::EventSink`] may lose events under pressure
//! and counts what it lost; an [`audit::AuditSink`] either has the record or says that it has not.

pub mod attest;
pub mod audit;
pub mod classification;
pub mod clock;
pub mod denial;
pub mod event;
pub mod principal;
pub mod profile;
pub mod request;
pub mod secret;
pub mod step;
