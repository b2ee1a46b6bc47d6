//! What pages of other origins get of this one.

/// What of its address a page tells where it links to (`Referrer-Policy`). Nothing looser than the
/// default of browsers is offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReferrerPolicy {
    /// The whole address to pages of the same origin, the origin to others, and nothing over plain HTTP.
    #[default]
    StrictOriginWhenCrossOrigin,
    /// The origin, and nothing over plain HTTP.
    StrictOrigin,
    /// The whole address to pages of the same origin, and nothing to others.
    SameOrigin,
    /// Nothing. Some services check `Referer` against forged requests, and refuse those without.
    NoReferrer,
}

impl ReferrerPolicy {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::StrictOriginWhenCrossOrigin => "strict-origin-when-cross-origin",
            Self::StrictOrigin => "strict-origin",
            Self::SameOrigin => "same-origin",
            Self::NoReferrer => "no-referrer",
        }
    }
}

/// Whether a page keeps a window in common with pages of other origins that opened it or that it
/// opened (`Cross-Origin-Opener-Policy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OpenerPolicy {
    /// With none.
    #[default]
    SameOrigin,
    /// With those that it opened: a payment, a login in a window of its own.
    SameOriginAllowPopups,
    /// With all. [`loosened`](crate::SecurityHeaders::loosened) reports it.
    UnsafeNone,
}

impl OpenerPolicy {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::SameOrigin => "same-origin",
            Self::SameOriginAllowPopups => "same-origin-allow-popups",
            Self::UnsafeNone => "unsafe-none",
        }
    }
}

/// Whose pages may embed an answer without asking by CORS: as an image, a script, a style sheet
/// (`Cross-Origin-Resource-Policy`). Requests that `fetch` makes by CORS are not concerned, so an API
/// that serves other origins by [`CorsPolicy`](crate::CorsPolicy) needs nothing looser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResourcePolicy {
    /// Those of the same origin.
    #[default]
    SameOrigin,
    /// Those of the same site: the same registered domain, and the same scheme.
    SameSite,
    /// All. For images and scripts that others shall embed.
    /// [`loosened`](crate::SecurityHeaders::loosened) reports it.
    CrossOrigin,
}

impl ResourcePolicy {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::SameOrigin => "same-origin",
            Self::SameSite => "same-site",
            Self::CrossOrigin => "cross-origin",
        }
    }
}

/// What a page may embed of other origins (`Cross-Origin-Embedder-Policy`). Together with
/// [`OpenerPolicy::SameOrigin`] it gives the page a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EmbedderPolicy {
    /// What says by [`ResourcePolicy`] or CORS that it may be embedded.
    RequireCorp,
    /// Everything, but others' resources are asked for without cookies.
    Credentialless,
}

impl EmbedderPolicy {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::RequireCorp => "require-corp",
            Self::Credentialless => "credentialless",
        }
    }
}
