//! A use of a key that outlives its request.

use core::net::IpAddr;

use ringwall_core::request::HeaderValues;

use super::keys::ApiKeyUse;

/// From where, and on which page, a key is used, for a look-up that outlives the request's borrow.
pub(super) struct OwnedUse {
    address: Option<IpAddr>,
    origin: OwnedOrigin,
}

enum OwnedOrigin {
    Absent,
    One(Box<[u8]>),
    Several(usize),
}

impl OwnedUse {
    pub(super) fn of(usage: ApiKeyUse<'_>) -> Self {
        Self {
            address: usage.address,
            origin: match usage.origin {
                HeaderValues::Absent => OwnedOrigin::Absent,
                HeaderValues::One(value) => OwnedOrigin::One(value.into()),
                HeaderValues::Several(count) => OwnedOrigin::Several(count),
            },
        }
    }

    pub(super) fn borrow(&self) -> ApiKeyUse<'_> {
        ApiKeyUse {
            address: self.address,
            origin: match &self.origin {
                OwnedOrigin::Absent => HeaderValues::Absent,
                OwnedOrigin::One(value) => HeaderValues::One(value),
                OwnedOrigin::Several(count) => HeaderValues::Several(*count),
            },
        }
    }
}
