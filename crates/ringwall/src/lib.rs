#![doc = include_str!("../README.md")]

pub use ringwall_authn as authn;
#[cfg(feature = "axum")]
pub use ringwall_axum as axum;
pub use ringwall_core as core;
pub use ringwall_gate as gate;
pub use ringwall_jose as jose;
#[cfg(feature = "jwks")]
pub use ringwall_jwks_client as jwks;
#[cfg(feature = "tower")]
pub use ringwall_tower as tower;

/// Step by step.
#[cfg(any(doc, doctest))]
pub mod guide {
    /// A whole service, with the feature `axum`.
    #[cfg_attr(feature = "axum", doc = "", doc = include_str!("guide/first_route.md"))]
    pub mod first_route {}

    #[doc = include_str!("guide/identity_providers.md")]
    pub mod identity_providers {}
}

/// Why it is built the way it is.
#[cfg(any(doc, doctest))]
pub mod manual {
    #[doc = include_str!("manual/known_attacks.md")]
    pub mod known_attacks {}

    #[doc = include_str!("manual/key_failures.md")]
    pub mod key_failures {}
}
