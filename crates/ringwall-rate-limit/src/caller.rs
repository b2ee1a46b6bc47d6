//! Whom a request is counted for.

use core::net::IpAddr;

use arrayvec::ArrayVec;
use ringwall_core::principal::{AuthenticationMethod, Principal, PrincipalKind};

use crate::key::{KeyError, KeyHasher};
use crate::policies::{Dimension, Policies, PolicyId};

/// One thing that a limit counts by. A limit counts by one or by several at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyPart {
    /// The organisation of the authenticated caller.
    Organisation,
    /// The project of the authenticated caller within its organisation. Credentials that are bound to no project
    /// have one bucket of the organisation's together.
    Project,
    /// The API key by which the caller was authenticated.
    ApiKey,
    /// The subject of the authenticated caller, within its issuer and its kind: a person, a service, an agent.
    User,
    /// Who is calling, by the best that is known: the verified principal (an API key by its id, everybody else
    /// by issuer and subject), or else the name that a trusted ingress set, or else the address. Each is
    /// a kind of its own, so that nobody can name himself into another one's bucket.
    Identity,
    /// The caller's address: IPv4 whole, also where it is written as IPv6; IPv6 by its network
    /// ([`LimitRule::ipv6_prefix`](crate::LimitRule::ipv6_prefix)).
    Address,
    /// What the handler gives, such as the account that somebody tries to log into. A limit by it is in no tier:
    /// the handler checks it.
    Given,
}

impl KeyPart {
    /// Every part.
    pub const ALL: &'static [Self] = &[
        Self::Organisation,
        Self::Project,
        Self::ApiKey,
        Self::User,
        Self::Identity,
        Self::Address,
        Self::Given,
    ];

    /// The name in configurations.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Organisation => "organisation",
            Self::Project => "project",
            Self::ApiKey => "api_key",
            Self::User => "user",
            Self::Identity => "identity",
            Self::Address => "address",
            Self::Given => "given",
        }
    }

    /// The part of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|part| part.as_str() == name)
    }

    /// How many parts of a key it comes to at most ([`KeyHasher::MAX_PARTS`]).
    pub(crate) const fn width(self) -> usize {
        match self {
            Self::Project | Self::User | Self::Identity => 3,
            Self::Organisation | Self::ApiKey | Self::Address | Self::Given => 1,
        }
    }

    /// Whether nobody but an authenticated caller has it.
    pub(crate) const fn needs_principal(self) -> bool {
        match self {
            Self::Organisation | Self::Project | Self::ApiKey | Self::User => true,
            Self::Identity | Self::Address | Self::Given => false,
        }
    }
}

/// What is known of a caller. Whoever fills it vouches for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller<'a> {
    /// The principal whose credential was verified. Never one that a request merely claims.
    pub principal: Option<&'a Principal>,
    /// The name that a trusted ingress set. Never what came from anybody else.
    pub identity_header: Option<&'a str>,
    /// The address: the socket peer's, or the one that trusted proxies vouch for.
    pub address: Option<IpAddr>,
}

/// Why a caller cannot be counted by a limit. Deny: a caller without a name shares no bucket with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoKey {
    /// No address is known.
    #[error("a limit counts by the caller's address, and none is known")]
    Address,
    /// Nobody was authenticated.
    #[error("a limit counts by who is calling, and nobody was authenticated")]
    Principal,
    /// The caller belongs to no organisation.
    #[error("a limit counts by organisation, and the caller has none")]
    Organisation,
    /// The caller was authenticated by something else than an API key.
    #[error("a limit counts by API key, and the caller has none")]
    ApiKey,
    /// The handler gave nothing.
    #[error("a limit counts by what its handler gives, and that is nothing")]
    Given,
    /// No limit of the tier counts this caller, so nothing would bound it.
    #[error("no limit of the route's tier applies to the caller")]
    Uncounted,
    /// A name that is empty or too long to be counted by.
    #[error("a name that a limit counts by is empty or longer than 1024 bytes")]
    Unusable,
    /// More than one request is checked against.
    #[error("the tier has more limits than one request is checked against")]
    TooMany,
}

impl NoKey {
    /// The cause, for events and records.
    #[must_use]
    pub const fn cause(self) -> &'static str {
        match self {
            Self::Address => "a limit counts by the caller's address, and none is known",
            Self::Principal => "a limit counts by who is calling, and nobody was authenticated",
            Self::Organisation => "a limit counts by organisation, and the caller has none",
            Self::ApiKey => "a limit counts by API key, and the caller has none",
            Self::Given => "a limit counts by what its handler gives, and that is nothing",
            Self::Uncounted => "no limit of the route's tier applies to the caller",
            Self::Unusable => "a name that a limit counts by is empty or too long",
            Self::TooMany => "the tier has more limits than one request is checked against",
        }
    }
}

impl From<KeyError> for NoKey {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Empty | KeyError::TooLong | KeyError::TooManyParts => Self::Unusable,
        }
    }
}

/// The network of an address: IPv4 whole, IPv6 by its first bits.
#[derive(Clone, Copy)]
struct Block {
    /// The length of the prefix, and the address with the other bits zero.
    bytes: [u8; 17],
    length: usize,
}

impl Block {
    fn of(address: IpAddr, ipv6_prefix: u8) -> Self {
        let mut bytes = [0; 17];
        let length = match address.to_canonical() {
            IpAddr::V4(address) => {
                if let Some(place) = bytes.get_mut(..4) {
                    place.copy_from_slice(&address.octets());
                }
                4
            }
            IpAddr::V6(address) => {
                let host_bits = 128_u32.saturating_sub(u32::from(ipv6_prefix));
                let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
                let network = (address.to_bits() & mask).to_be_bytes();
                bytes[0] = ipv6_prefix;
                if let Some(place) = bytes.get_mut(1..) {
                    place.copy_from_slice(&network);
                }
                17
            }
        };
        Self { bytes, length }
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }
}

/// The slices of a key, for limits whose parts are known: each limit has keys of its own. What can have several
/// forms begins with a word that tells which, so no two callers' slices read alike.
#[derive(Default)]
struct Slices<'a>(ArrayVec<&'a [u8], { KeyHasher::MAX_PARTS }>);

impl<'a> Slices<'a> {
    fn push<const N: usize>(&mut self, slices: [&'a [u8]; N]) -> Result<(), NoKey> {
        for slice in slices {
            self.0.try_push(slice).map_err(|_| NoKey::Unusable)?;
        }
        Ok(())
    }

    /// A subject is somebody within its issuer alone.
    fn push_subject(
        &mut self,
        principal: &'a Principal,
        [of_issuer, of_ours]: [&'static [u8]; 2],
    ) -> Result<(), NoKey> {
        let subject = principal.subject.as_str().as_bytes();
        match &principal.issuer {
            Some(issuer) => self.push([of_issuer, issuer.as_bytes(), subject]),
            None => self.push([of_ours, subject]),
        }
    }

    fn push_user(&mut self, principal: &'a Principal) -> Result<(), NoKey> {
        let words: [&[u8]; 2] = match principal.kind {
            PrincipalKind::User => [b"user of", b"our user"],
            PrincipalKind::Service => [b"service of", b"our service"],
            PrincipalKind::Agent => [b"agent of", b"our agent"],
            PrincipalKind::ApiKey => [b"api key of", b"our api key"],
        };
        self.push_subject(principal, words)
    }

    fn push_identity(
        &mut self,
        caller: &Caller<'a>,
        address: Option<&'a Block>,
    ) -> Result<(), NoKey> {
        if let Some(principal) = caller.principal {
            let authentication = &principal.authentication;
            return match (authentication.method, &authentication.credential_id) {
                (AuthenticationMethod::ApiKey, Some(id)) => self.push([b"api key", id.as_bytes()]),
                (AuthenticationMethod::ApiKey, None) => {
                    self.push_subject(principal, [b"api key of", b"our api key"])
                }
                (AuthenticationMethod::MutualTls, _) => {
                    self.push_subject(principal, [b"certificate of", b"our certificate"])
                }
                // Of all other credentials the subject is what stays the same.
                (_, _) => self.push_subject(principal, [b"subject of", b"our subject"]),
            };
        }
        if let Some(name) = caller.identity_header {
            return self.push([b"ingress", name.as_bytes()]);
        }
        self.push([b"address", address.ok_or(NoKey::Address)?.as_bytes()])
    }
}

/// The bucket of `policy` for a caller.
pub(crate) fn bucket(
    policies: &Policies,
    policy: PolicyId,
    parts: &[KeyPart],
    ipv6_prefix: u8,
    caller: &Caller<'_>,
    given: Option<&str>,
) -> Result<Dimension, NoKey> {
    let block = caller
        .address
        .map(|address| Block::of(address, ipv6_prefix));
    let mut slices = Slices::default();
    let principal = || caller.principal.ok_or(NoKey::Principal);
    for part in parts {
        match part {
            KeyPart::Organisation => {
                let tenant = principal()?.tenant.as_ref().ok_or(NoKey::Organisation)?;
                // A project is named with its organisation.
                if !parts.contains(&KeyPart::Project) {
                    slices.push([tenant.org.as_str().as_bytes()])?;
                }
            }
            KeyPart::Project => {
                let tenant = principal()?.tenant.as_ref().ok_or(NoKey::Organisation)?;
                let org = tenant.org.as_str().as_bytes();
                match &tenant.project {
                    Some(project) => slices.push([b"project", org, project.as_str().as_bytes()])?,
                    None => slices.push([b"no project", org])?,
                }
            }
            KeyPart::ApiKey => {
                let authentication = &principal()?.authentication;
                let is_key = authentication.method == AuthenticationMethod::ApiKey;
                let id = authentication.credential_id.as_ref().filter(|_| is_key);
                slices.push([id.ok_or(NoKey::ApiKey)?.as_bytes()])?;
            }
            KeyPart::User => slices.push_user(principal()?)?,
            KeyPart::Identity => slices.push_identity(caller, block.as_ref())?,
            KeyPart::Address => {
                slices.push([block.as_ref().ok_or(NoKey::Address)?.as_bytes()])?;
            }
            KeyPart::Given => {
                let given = given.filter(|given| !given.is_empty());
                slices.push([given.ok_or(NoKey::Given)?.as_bytes()])?;
            }
        }
    }
    Ok(policies.dimension(policy, slices.0)?)
}

// Outside of a model, loom has no atomics to make limits with.
#[cfg(test)]
#[cfg(not(loom))]
mod tests;
