//! Who a client certificate is about.
//!
//! Whether a certificate can be trusted is the business of the handshake (or of the proxy that made
//! it). What stands here comes after: which of the names in it counts. A certificate may hold many
//! names, each of which somebody vouched for under other rules, and a reader that takes the first one
//! that pleases it can be led to another identity than the issuer meant. So an [`IdentityRule`] says
//! which kind of name counts, and there has to be exactly one of that kind.

mod common_name;
mod dns_name;
mod error;
mod identity;
mod names;
mod pem;
mod rule;

pub use common_name::CommonName;
pub use dns_name::DnsName;
pub use error::IdentityError;
pub use identity::{CertificateIdentity, IdentityKind};
pub use names::CertificateNames;
pub use rule::IdentityRule;

pub(crate) use names::sha256;
pub(crate) use pem::{from_structured_binary, from_url_encoded_pem, hex_digit};
