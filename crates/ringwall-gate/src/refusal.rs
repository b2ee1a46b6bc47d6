//! What is said to the caller of a refusal, and what to the operator.

use ringwall_core::denial::{BearerError, Challenge, Denial};
use ringwall_core::event::EventKind;

use crate::authenticator::Authenticated;
use crate::door::Door;
use crate::gate::RETRY_AFTER;
use crate::renewal::NonceRenewal;
use crate::requirement::AuthenticationRequirement;

/// A refusal, with what the caller hears and what the operator hears.
#[derive(Clone)]
pub(crate) struct Refusal {
    pub(crate) denial: Denial,
    pub(crate) event: Option<EventKind>,
    pub(crate) cause: &'static str,
}

impl Refusal {
    pub(crate) const fn clock() -> Self {
        Self {
            denial: Denial::Unavailable {
                retry_after: RETRY_AFTER,
            },
            event: Some(EventKind::ClockUnavailable),
            cause: "the wall clock cannot tell the time",
        }
    }

    /// The event was emitted when the door was made.
    pub(crate) const fn shut() -> Self {
        Self {
            denial: Denial::Unavailable {
                retry_after: RETRY_AFTER,
            },
            event: Some(EventKind::Misconfigured),
            cause: "the route is closed, because its tier of limits, or the role or the permission that it demands, cannot hold for it",
        }
    }

    pub(crate) const fn form(cause: &'static str) -> Self {
        Self {
            denial: Denial::Malformed { challenge: None },
            event: Some(EventKind::RequestRefused),
            cause,
        }
    }

    /// The answer is the same as to any bad credential: the connection is what the caller has to make
    /// anew, with a certificate that is trusted.
    pub(crate) fn untrusted_connection(door: &Door) -> Self {
        Self {
            denial: unauthenticated(door),
            event: Some(EventKind::AuthenticationFailed),
            cause: "the certificate that opened the connection is no longer trusted",
        }
    }

    /// What was sent in the clear may have been read, so the operator hears of it.
    pub(crate) const fn plain_http(denial: Denial, presents: bool) -> Self {
        let cause = if presents {
            "a credential was sent over plain HTTP"
        } else {
            "the request came over plain HTTP"
        };
        Self {
            denial,
            event: Some(EventKind::RequestRefused),
            cause,
        }
    }

    /// The authenticator emitted the event, with the precise cause; the trail holds the kind. An
    /// authenticator of the service's own need not know of the resource's metadata: each challenge
    /// that names none gets the gate's.
    pub(crate) fn credential(door: &Door, denial: Denial) -> Self {
        let told = |mut challenge: Box<Challenge>| {
            if let Some(resource) = door.gate().protected_resource()
                && !challenge.names_resource_metadata()
            {
                *challenge = challenge.resource_metadata(resource.metadata_url());
            }
            challenge
        };
        let (denial, cause) = match denial {
            Denial::Malformed { challenge } => {
                let challenge = challenge.map(told);
                (
                    Denial::Malformed { challenge },
                    "the credential is malformed",
                )
            }
            Denial::Unauthenticated { challenge } => {
                let challenge = told(challenge);
                let denial = Denial::Unauthenticated { challenge };
                (denial, "the credential was refused")
            }
            Denial::Forbidden { challenge } => {
                let challenge = challenge.map(told);
                (Denial::Forbidden { challenge }, REFUSED)
            }
            denial @ Denial::RateLimited { .. } => (denial, "the credential was tried too often"),
            denial @ Denial::Unavailable { .. } => (denial, "the credential could not be checked"),
            denial @ (Denial::NotFound
            | Denial::MethodNotAllowed { .. }
            | Denial::ApprovalRequired { .. }
            | Denial::Conflict
            | Denial::Gone
            | Denial::PreconditionFailed
            | Denial::PlainHttp { .. }
            | Denial::PayloadTooLarge { .. }) => (denial, REFUSED),
        };
        Self {
            denial,
            event: None,
            cause,
        }
    }

    /// Tells the caller with the challenge, if there is one, what the next DPoP proof has to contain.
    pub(crate) fn with_nonce(mut self, renewal: Option<NonceRenewal>) -> Self {
        let challenge = match &mut self.denial {
            Denial::Unauthenticated { challenge } => Some(challenge),
            Denial::Malformed { challenge } | Denial::Forbidden { challenge } => challenge.as_mut(),
            Denial::NotFound
            | Denial::MethodNotAllowed { .. }
            | Denial::ApprovalRequired { .. }
            | Denial::Conflict
            | Denial::Gone
            | Denial::PreconditionFailed
            | Denial::PayloadTooLarge { .. }
            | Denial::PlainHttp { .. }
            | Denial::RateLimited { .. }
            | Denial::Unavailable { .. } => None,
        };
        let nonce = renewal.and_then(|renewal| renewal.nonce());
        if let (Some(challenge), Some(nonce)) = (challenge, nonce) {
            **challenge = (**challenge).clone().dpop_nonce(&nonce);
        }
        self
    }

    pub(crate) fn missing(door: &Door) -> Self {
        Self {
            denial: unauthenticated(door),
            event: Some(EventKind::CredentialsMissing),
            cause: "no credential was presented",
        }
    }

    /// RFC 6750 §3.1 has no error code for a scheme that is not ours: the bare challenge names
    /// the one that is.
    pub(crate) fn unclaimed(door: &Door) -> Self {
        Self {
            denial: unauthenticated(door),
            event: Some(EventKind::AuthenticationFailed),
            cause: "no authenticator reads this kind of Authorization",
        }
    }

    /// RFC 6750 §3.1: more than one method of including a token is an `invalid_request`.
    pub(crate) fn ambiguous(door: &Door, cause: &'static str) -> Self {
        let challenge = challenge(door).error(BearerError::InvalidRequest);
        Self {
            denial: Denial::Malformed {
                challenge: Some(Box::new(challenge)),
            },
            event: Some(EventKind::CredentialsAmbiguous),
            cause,
        }
    }

    pub(crate) fn insufficient(door: &Door, caller: &Authenticated) -> Self {
        let challenge = challenge(door)
            .scheme(caller.scheme())
            .error(BearerError::InsufficientScope);
        let challenge = if door.scopes().is_empty() {
            challenge
        } else {
            challenge.scope(door.scopes())
        };
        Self {
            denial: Denial::Forbidden {
                challenge: Some(Box::new(challenge)),
            },
            event: Some(EventKind::AccessDenied),
            cause: "the caller lacks a scope that the route demands",
        }
    }

    /// RFC 9470 §3: all that the login must be like, since the client asks for it at once; and the
    /// scopes when they are lacking too.
    pub(crate) fn step_up(
        door: &Door,
        requirement: &AuthenticationRequirement,
        caller: &Authenticated,
        cause: &'static str,
    ) -> Self {
        let principal = caller.principal();
        let mut challenge = challenge(door)
            .scheme(caller.scheme())
            .error(BearerError::InsufficientUserAuthentication);
        if !door.acr_values().is_empty() {
            challenge = challenge.acr_values(door.acr_values());
        }
        if let Some(max_age) = requirement.longest_age() {
            challenge = challenge.max_age(max_age);
        }
        if !door.admits(principal) && !door.scopes().is_empty() {
            challenge = challenge.scope(door.scopes());
        }
        Self {
            denial: Denial::Unauthenticated {
                challenge: Box::new(challenge),
            },
            event: Some(EventKind::AccessDenied),
            cause,
        }
    }

    /// Another login might help, and it is not for the challenge to say which: what an organisation
    /// demands is its own business.
    pub(crate) const fn organisation(cause: &'static str) -> Self {
        Self {
            denial: Denial::Forbidden { challenge: None },
            event: Some(EventKind::AccessDenied),
            cause,
        }
    }

    pub(crate) fn unchecked(door: &Door) -> Self {
        Self {
            denial: unauthenticated(door),
            event: Some(EventKind::Misconfigured),
            cause: "an unchecked principal was offered to a production gate",
        }
    }

    pub(crate) const fn subjects(denial: Denial) -> Self {
        Self {
            denial,
            event: Some(EventKind::SubjectsUnavailable),
            cause: "what is known of the caller could not be asked for",
        }
    }

    /// The denial says what the caller may hear: nothing of what the policy holds.
    pub(crate) const fn unauthorized(denial: Denial, cause: &'static str) -> Self {
        Self {
            denial,
            event: Some(EventKind::AccessDenied),
            cause,
        }
    }

    /// The policy that was put into force cannot be asked what the route demands: nobody's fault but the service's, as
    /// where it is found at start.
    pub(crate) const fn unaskable(cause: &'static str) -> Self {
        Self {
            denial: Denial::Unavailable {
                retry_after: RETRY_AFTER,
            },
            event: Some(EventKind::Misconfigured),
            cause,
        }
    }

    pub(crate) const fn too_long(limit: u64) -> Self {
        Self {
            denial: Denial::PayloadTooLarge { limit },
            event: Some(EventKind::RequestRefused),
            cause: "the stated length of the body is above the route's limit",
        }
    }
}

const REFUSED: &str = "the authenticator refused the request";

fn unauthenticated(door: &Door) -> Denial {
    Denial::Unauthenticated {
        challenge: Box::new(challenge(door)),
    }
}

fn challenge(door: &Door) -> Challenge {
    door.gate().challenge()
}
