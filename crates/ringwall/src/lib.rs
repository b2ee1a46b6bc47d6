#![doc = include_str!("../README.md")]

#[cfg(feature = "actix")]
pub use ringwall_actix as actix;
pub use ringwall_authn as authn;
pub use ringwall_authz as authz;
#[cfg(feature = "axum")]
pub use ringwall_axum as axum;
#[cfg(feature = "browser")]
pub use ringwall_browser as browser;
pub use ringwall_core as core;
pub use ringwall_gate as gate;
pub use ringwall_jose as jose;
#[cfg(feature = "jwks")]
pub use ringwall_jwks_client as jwks;
#[cfg(feature = "metrics")]
pub use ringwall_metrics as metrics;
#[cfg(feature = "postgres")]
pub use ringwall_postgres as postgres;
pub use ringwall_rate_limit as rate_limit;
#[cfg(feature = "redis")]
pub use ringwall_redis as redis;
#[cfg(feature = "replay")]
pub use ringwall_replay as replay;
#[cfg(feature = "sqlite")]
pub use ringwall_sqlite as sqlite;
#[cfg(feature = "tonic")]
pub use ringwall_tonic as tonic;
#[cfg(feature = "tower")]
pub use ringwall_tower as tower;
pub use ringwall_transport as transport;

/// Step by step.
// The pages name each other as files, for whoever reads them in the repository. `pages.md` goes before each and says which
// modules these are: of two definitions of one link the first one counts.
#[cfg(any(doc, doctest))]
pub mod guide {
    /// A whole service, with the feature `axum`.
    #[cfg_attr(
        feature = "axum",
        doc = "",
        doc = include_str!("guide/pages.md"),
        doc = include_str!("guide/first_route.md")
    )]
    pub mod first_route {}

    #[doc = include_str!("guide/pages.md")]
    #[doc = include_str!("guide/identity_providers.md")]
    pub mod identity_providers {}

    #[doc = include_str!("guide/behind_a_proxy.md")]
    pub mod behind_a_proxy {}

    #[doc = include_str!("guide/pages.md")]
    #[doc = include_str!("guide/api_keys.md")]
    pub mod api_keys {}

    #[doc = include_str!("guide/pages.md")]
    #[doc = include_str!("guide/authorization.md")]
    pub mod authorization {}

    #[doc = include_str!("guide/pages.md")]
    #[doc = include_str!("guide/row_level_security.md")]
    pub mod row_level_security {}

    /// Which limits, behind what, counted where; with the features `axum`, `config` and `redis`.
    #[cfg_attr(
        all(feature = "axum", feature = "config", feature = "redis"),
        doc = "",
        doc = include_str!("guide/pages.md"),
        doc = include_str!("guide/rate_limits.md")
    )]
    pub mod rate_limits {}

    /// Certificates and client certificates, with the features `axum` and `tls`.
    #[cfg_attr(all(feature = "axum", feature = "tls"), doc = "", doc = include_str!("guide/tls.md"))]
    pub mod tls {}

    /// The tests that say no, with the feature `axum`.
    #[cfg_attr(
        feature = "axum",
        doc = "",
        doc = include_str!("guide/pages.md"),
        doc = include_str!("guide/testing_handlers.md")
    )]
    pub mod testing_handlers {}
}

/// Why it is built the way it is.
#[cfg(any(doc, doctest))]
pub mod manual {
    #[doc = include_str!("manual/known_attacks.md")]
    pub mod known_attacks {}

    #[doc = include_str!("manual/key_failures.md")]
    pub mod key_failures {}

    #[doc = include_str!("manual/denials.md")]
    pub mod denials {}
}
