//! Everything of an organisation at once.

use core::time::Duration;

use ringwall_core::clock::Timestamp;
use ringwall_core::principal::OrgId;

use super::kind::Revocation;
use super::store::RevocationStoreError;
use super::synced::SyncedRevocations;
use crate::api_key::{ApiKeyManagementError, ApiKeys, ApiKeysOf};
use crate::policy::DEFAULT_CLOCK_SKEW;

/// Takes back all that an organisation holds: its API keys, and its tokens of every issuer.
///
/// Other processes know it within their stalenesses. Until then they take its tokens still, and whoever
/// holds one can have an API key made there, which is of later than this. So call it once more when the longest
/// staleness has passed.
#[derive(Clone, Debug)]
pub struct Revoker {
    keys: ApiKeys,
    revocations: SyncedRevocations,
    longest_lifetime: Duration,
    clock_skew: Duration,
}

/// What was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrgRevoked {
    /// How many API keys.
    pub api_keys: u64,
    /// Tokens that were issued until then are refused.
    pub tokens_issued_until: Timestamp,
}

/// Not everything was taken back. Both parts were tried; repeat the call.
#[derive(Debug, thiserror::Error)]
#[error("not everything of the organisation was revoked")]
pub struct OrgRevocationError {
    /// What became of the API keys.
    pub api_keys: Result<u64, ApiKeyManagementError>,
    /// What became of the tokens.
    pub tokens: Result<(), RevocationStoreError>,
}

impl OrgRevocationError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.api_keys
            .as_ref()
            .err()
            .is_none_or(ApiKeyManagementError::is_retryable)
            && self
                .tokens
                .as_ref()
                .err()
                .is_none_or(RevocationStoreError::is_retryable)
    }
}

impl Revoker {
    /// `longest_lifetime` is that of the tokens of all issuers: for so long a revocation has to be
    /// remembered.
    #[must_use]
    pub const fn new(
        keys: ApiKeys,
        revocations: SyncedRevocations,
        longest_lifetime: Duration,
    ) -> Self {
        Self {
            keys,
            revocations,
            longest_lifetime,
            clock_skew: DEFAULT_CLOCK_SKEW,
        }
    }

    /// The largest clock skew that the policy of any issuer permits; a minute unless set, as theirs is. With
    /// less, tokens of an issuer whose clock is ahead would be left.
    #[must_use]
    pub const fn clock_skew(mut self, skew: Duration) -> Self {
        self.clock_skew = skew;
        self
    }

    /// Takes back everything of `org` that was issued until `now`, and as much longer as the
    /// [clock skew](Self::clock_skew) is: an issuer whose clock is ahead dates its tokens later than they
    /// are. Whoever logs in again within that time has to do it once more.
    ///
    /// # Errors
    ///
    /// [`OrgRevocationError`]; both parts were tried.
    pub async fn revoke_org(
        &self,
        org: &OrgId,
        now: Timestamp,
    ) -> Result<OrgRevoked, OrgRevocationError> {
        let later = |by: Duration| now.checked_add(by).unwrap_or(now);
        let until = later(self.clock_skew);
        let last = later(self.longest_lifetime.saturating_add(self.clock_skew));
        let tokens = self
            .revocations
            .revoke(&Revocation::org(org, until, last))
            .await;
        let api_keys = self.keys.revoke_all(&ApiKeysOf::Org(org.clone())).await;
        match (api_keys, tokens) {
            (Ok(api_keys), Ok(())) => Ok(OrgRevoked {
                api_keys,
                tokens_issued_until: until,
            }),
            (api_keys, tokens) => Err(OrgRevocationError { api_keys, tokens }),
        }
    }
}
