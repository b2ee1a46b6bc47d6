//! What is kept of a request while it is decided about.

use core::time::Duration;

use ringwall_core::clock::Timestamp;
use ringwall_rate_limit::Tally;

use crate::admitted::ClientOrigin;

/// What is kept of a request while it is decided about.
#[derive(Clone, Copy)]
pub(crate) struct Arrival<'a> {
    pub(crate) at: Option<Timestamp>,
    pub(crate) path: &'a str,
    pub(crate) origin: ClientOrigin,
    pub(crate) length: Option<u64>,
    pub(crate) limits: Counted<'a>,
}

/// What is known of a request's limits so far.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counted<'a> {
    /// The name that a trusted ingress gave to the caller.
    pub(crate) ingress: Option<&'a str>,
    /// The time of the limits' clock, as long as nothing waited since it was read.
    pub(crate) tick: Option<Duration>,
    /// Whether a limit of the route's tier counted it by its address.
    pub(crate) by_address: bool,
    /// What the answer tells.
    pub(crate) tally: Tally,
}

/// The same by its own, while something waits.
pub(crate) struct HeldArrival {
    at: Option<Timestamp>,
    path: Box<str>,
    origin: ClientOrigin,
    length: Option<u64>,
    ingress: Option<Box<str>>,
    by_address: bool,
    tally: Tally,
}

impl Arrival<'_> {
    pub(crate) fn held(&self) -> HeldArrival {
        HeldArrival {
            at: self.at,
            path: self.path.into(),
            origin: self.origin,
            length: self.length,
            ingress: self.limits.ingress.map(Into::into),
            by_address: self.limits.by_address,
            tally: self.limits.tally,
        }
    }
}

impl HeldArrival {
    /// What it was, but for the time, which went on.
    pub(crate) fn lend(&self) -> Arrival<'_> {
        Arrival {
            at: self.at,
            path: &self.path,
            origin: self.origin,
            length: self.length,
            limits: Counted {
                ingress: self.ingress.as_deref(),
                tick: None,
                by_address: self.by_address,
                tally: self.tally,
            },
        }
    }
}
