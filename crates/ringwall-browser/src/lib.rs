#![doc = include_str!("../README.md")]

mod cors;
mod csp;
mod directive;
mod error;
mod field;
mod headers;
mod hsts;
mod isolation;
mod loosened;
mod nonce;
mod origin;
mod pattern;
mod permissions;
mod providers;
mod source;
mod verdict;

pub use cors::{CorsPolicy, CorsPolicyBuilder};
pub use csp::{ContentSecurityPolicy, ContentSecurityPolicyBuilder};
pub use directive::Directive;
pub use error::Error;
pub use field::{ResponseFields, SecurityField};
pub use headers::{About, SecurityHeaders};
pub use hsts::Hsts;
pub use isolation::{EmbedderPolicy, OpenerPolicy, ReferrerPolicy, ResourcePolicy};
pub use loosened::Loosened;
pub use nonce::CspNonce;
pub use origin::Origin;
pub use pattern::OriginPattern;
pub use permissions::{Feature, PermissionsPolicy};
pub use source::Source;
pub use verdict::{CorsFields, CorsVerdict};
