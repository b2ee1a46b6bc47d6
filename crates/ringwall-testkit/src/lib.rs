#![doc = include_str!("../README.md")]

#[cfg(feature = "actix")]
mod actix;
mod answer;
mod app;
mod assertion;
#[cfg(feature = "certificates")]
mod authority;
#[cfg(feature = "axum")]
mod axum;
#[cfg(any(feature = "axum", feature = "tonic"))]
mod body;
mod caller;
mod certificate;
mod challenge;
mod circumstances;
mod demands;
mod event_log;
mod exchange;
mod failure;
mod flaw;
mod impersonation;
mod issuer;
mod kit;
mod open_routes;
pub mod principal;
mod report;
mod request;
mod strangers;
mod sweep;
mod token;
#[cfg(feature = "tonic")]
mod tonic;
mod trail;
mod verdict;

#[cfg(feature = "actix")]
pub use crate::actix::Actix;
#[cfg(feature = "axum")]
pub use crate::axum::Axum;
#[cfg(feature = "tonic")]
pub use crate::tonic::Tonic;
pub use answer::Answer;
pub use app::{App, Protocol, Reply, Transport};
pub use assertion::Assertion;
#[cfg(feature = "certificates")]
pub use authority::{CertificateDraft, FakeAuthority};
pub use caller::Credentials;
pub use certificate::FakeCertificate;
pub use challenge::BearerChallenge;
pub use event_log::EventLog;
pub use flaw::Flaw;
pub use issuer::FakeIssuer;
pub use kit::{Kit, Part};
pub use principal::PrincipalDraft;
pub use request::{Sending, TestRequest};
pub use sweep::{ListedRoute, RouteList};
pub use token::{Token, TokenDraft};
pub use trail::{Recorded, Trail};
