//! Making keys, and ending them.

use core::num::NonZeroU16;
use core::sync::atomic::Ordering;
use core::time::Duration;
use std::sync::Arc;

use ringwall_browser::OriginPattern;
use ringwall_core::clock::Timestamp;
use ringwall_core::event::{EventKind, SecurityEvent};
use ringwall_core::principal::{OrgId, Scope, Subject, Tenant};
use ringwall_core::secret::SecretString;

use super::error::ApiKeyManagementError;
use super::id::ApiKeyId;
use super::keys::{ApiKeys, Inner};
use super::record::{
    AllowedNetwork, ApiKeyName, ApiKeyRecord, InvalidApiKeyName, MAX_API_KEY_ENTRIES,
};
use super::store::{ApiKeyQuery, ApiKeyRotation, ApiKeysOf};
use super::text::NewApiKey;

/// The longest grace of a rotation: who needs longer has two keys.
pub const MAX_ROTATION_GRACE: Duration = Duration::from_secs(30 * 24 * 3600);

/// The latest end of a key: in a hundred years.
const MAX_LIFETIME: Duration = Duration::from_secs(36_525 * 24 * 3600);

/// What a key shall be like. It has no scope, no end and no restriction unless said.
#[derive(Clone, Debug)]
#[must_use = "no key is made until the request is handed to `ApiKeys::create`"]
pub struct ApiKeyRequest {
    name: ApiKeyName,
    tenant: Tenant,
    created_by: Subject,
    scopes: Vec<Scope>,
    expires_at: Option<Timestamp>,
    networks: Vec<AllowedNetwork>,
    origins: Vec<OriginPattern>,
}

impl ApiKeyRequest {
    /// A key that reaches the data of `tenant`, made by `created_by`.
    ///
    /// Whether `created_by` may make keys for that tenant is for the caller to decide. Take the tenant
    /// from the verified principal, never from a path or a body alone.
    ///
    /// # Errors
    ///
    /// [`InvalidApiKeyName`].
    pub fn new(name: &str, tenant: Tenant, created_by: Subject) -> Result<Self, InvalidApiKeyName> {
        Ok(Self {
            name: ApiKeyName::new(name)?,
            tenant,
            created_by,
            scopes: Vec::new(),
            expires_at: None,
            networks: Vec::new(),
            origins: Vec::new(),
        })
    }

    /// What it may do; a wildcard such as `agent:*` is written out when the key is made.
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        self.scopes.extend(scopes);
        self
    }

    /// From when on it is refused.
    pub const fn expires_at(mut self, at: Timestamp) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// From where it may be used.
    pub fn networks(mut self, networks: impl IntoIterator<Item = AllowedNetwork>) -> Self {
        self.networks.extend(networks);
        self
    }

    /// On which pages it may be used. A key in a page is read by whoever opens the page; this keeps
    /// *other pages* from using it, not programs.
    pub fn origins(mut self, origins: impl IntoIterator<Item = OriginPattern>) -> Self {
        self.origins.extend(origins);
        self
    }
}

/// A key that was just made, and what was stored of it.
#[derive(Debug)]
pub struct CreatedApiKey {
    /// The key, to be shown once.
    pub key: NewApiKey,
    /// What was stored.
    pub record: ApiKeyRecord,
}

/// Forgets a key when it goes out of scope, also when the future that holds it is dropped half-way: the
/// store may have done what it was asked for.
struct Forget<'a> {
    inner: &'a Inner,
    which: Which<'a>,
}

enum Which<'a> {
    One(&'a ApiKeyId),
    Those(&'a ApiKeysOf),
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        match self.which {
            Which::One(id) => self.inner.forget(id),
            Which::Those(whose) => self.inner.cache.forget_those(|key| whose.includes(key)),
        }
        // Behind it: whoever sees the number finds nothing of before in the cache.
        self.inner.taken_back.fetch_add(1, Ordering::SeqCst);
    }
}

impl ApiKeys {
    /// The scopes that a request for a key means: `agent:*` written out. For a service that lets people give
    /// out no more than they hold.
    ///
    /// # Errors
    ///
    /// [`ApiKeyManagementError::Refused`], as [`create`](Self::create) would answer.
    pub fn scopes_meant(&self, requested: &[Scope]) -> Result<Vec<Scope>, ApiKeyManagementError> {
        self.0.catalogue.expand(requested)
    }

    /// Makes a key and stores what has to be known of it.
    ///
    /// # Errors
    ///
    /// [`ApiKeyManagementError::Refused`] for a scope that there is not, an end in the past or too far
    /// away, or too many entries; the store's errors.
    pub async fn create(
        &self,
        request: ApiKeyRequest,
    ) -> Result<CreatedApiKey, ApiKeyManagementError> {
        let key = self.0.prefix.generate()?;
        let record = self.0.record(&key, request)?;
        self.0.store.insert(record.clone()).await?;
        self.0
            .report(EventKind::ApiKeyCreated, "an API key was made", key.id());
        Ok(CreatedApiKey { key, record })
    }

    /// Stores a key of the time before look-up ids: the prefix, `_` and 32 to 128 hexadecimal digits.
    /// Its owner keeps it. Answers the record; its id is what the key is called from now on.
    ///
    /// # Errors
    ///
    /// [`ApiKeyManagementError::Text`] when the text is no such key, or too weak; `Conflict` when it was
    /// imported already; those of [`create`](Self::create).
    pub async fn import(
        &self,
        text: &SecretString,
        request: ApiKeyRequest,
    ) -> Result<ApiKeyRecord, ApiKeyManagementError> {
        let id = self.0.prefix.parse_imported(text.expose())?;
        let digest = self.0.hasher.hash(text.expose().as_bytes());
        let mut record = self.0.described(request, id, digest)?;
        record.last_used_at = None;
        let forget = Forget {
            inner: &self.0,
            which: Which::One(&record.id),
        };
        self.0.store.insert(record.clone()).await?;
        drop(forget);
        self.0.report(
            EventKind::ApiKeyCreated,
            "an API key was imported",
            &record.id,
        );
        Ok(record)
    }

    /// The key of this id, of this organisation and, with a project, bound to it.
    ///
    /// # Errors
    ///
    /// [`ApiKeyManagementError::NotFound`], also for a key of somebody else.
    pub async fn get(
        &self,
        tenant: &Tenant,
        id: &ApiKeyId,
    ) -> Result<ApiKeyRecord, ApiKeyManagementError> {
        let found = self.0.store.find(id).await?;
        found
            .filter(|record| record.id == *id && reaches(tenant, &record.tenant))
            .ok_or(ApiKeyManagementError::NotFound)
    }

    /// A page of the keys of an organisation. Nothing in a record is secret; show
    /// [`masked`](Self::masked) where people expect to see a key.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn list(
        &self,
        query: ApiKeyQuery,
    ) -> Result<Vec<ApiKeyRecord>, ApiKeyManagementError> {
        Ok(self.0.store.list(query).await?)
    }

    /// How a key is shown to people who may not use it, such as `pak_4fTq…_•••`.
    #[must_use]
    pub fn masked(&self, id: &ApiKeyId) -> String {
        format!("{}_{id}_•••", self.0.prefix.as_str())
    }

    /// Replaces a key by a new one of the same name, tenant, scopes and restrictions, and the same
    /// lifetime counted from now, or [`max_lifetime`](crate::ApiKeysBuilder::max_lifetime) if that is shorter
    /// or the old one has no end. The old one is accepted for `grace` longer; with zero it is refused at
    /// once. Whatever happens in the middle, one of the two is accepted.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` when the key is not active (revoked, expired, rotated before), or somebody
    /// else rotated it just now; `Refused` for a grace longer than [`MAX_ROTATION_GRACE`].
    pub async fn rotate(
        &self,
        tenant: &Tenant,
        id: &ApiKeyId,
        by: Subject,
        grace: Duration,
    ) -> Result<CreatedApiKey, ApiKeyManagementError> {
        if grace > MAX_ROTATION_GRACE {
            return Err(ApiKeyManagementError::Refused(
                "the grace of a rotation is 30 days at most",
            ));
        }
        let old = self.get(tenant, id).await?;
        let now = self.0.now()?;
        let key = self.0.prefix.generate()?;
        let lifetime = old
            .expires_at
            .map(|end| end.saturating_since(old.created_at));
        // The old one may be of a time before there was a limit.
        let lifetime = match (lifetime, self.0.max_lifetime) {
            (Some(one), Some(most)) => Some(one.min(most)),
            (one, most) => one.or(most),
        };
        let record = ApiKeyRecord {
            id: key.id().clone(),
            created_by: by,
            created_at: now,
            expires_at: match lifetime {
                Some(lifetime) => Some(later(now, lifetime)?),
                None => None,
            },
            digest: self.0.hasher.hash(key.secret()),
            last_used_at: None,
            revoked_at: None,
            replaced: None,
            ..old
        };
        let rotation = ApiKeyRotation {
            old: id.clone(),
            successor: record.clone(),
            at: now,
            grace_ends_at: later(now, grace)?,
        };
        let forget = Forget {
            inner: &self.0,
            which: Which::One(id),
        };
        self.0.store.rotate(rotation).await?;
        drop(forget);
        self.0
            .report(EventKind::ApiKeyRotated, "an API key was rotated", id);
        Ok(CreatedApiKey { key, record })
    }

    /// Takes a key back. When this has answered, this [`ApiKeys`] accepts it no more, also for a request that
    /// came before and whose look-up in the store is still going on; other processes refuse it within their
    /// staleness. A request that was accepted before goes on.
    ///
    /// # Errors
    ///
    /// `NotFound`, also for a key of somebody else; the store's errors.
    pub async fn revoke(
        &self,
        tenant: &Tenant,
        id: &ApiKeyId,
    ) -> Result<ApiKeyRecord, ApiKeyManagementError> {
        let now = self.0.now()?;
        if tenant.project.is_some() {
            self.get(tenant, id).await?;
        }
        let forget = Forget {
            inner: &self.0,
            which: Which::One(id),
        };
        let record = self.0.store.revoke(&tenant.org, id, now).await?;
        drop(forget);
        self.0
            .report(EventKind::ApiKeyRevoked, "an API key was revoked", id);
        Ok(record)
    }

    /// Takes all these keys back at once: when an organisation was broken into, a project ends, a person
    /// leaves. Answers how many there were.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn revoke_all(&self, whose: &ApiKeysOf) -> Result<u64, ApiKeyManagementError> {
        let now = self.0.now()?;
        let forget = Forget {
            inner: &self.0,
            which: Which::Those(whose),
        };
        let count = self.0.store.revoke_all(whose, now).await?;
        drop(forget);
        let mut event =
            SecurityEvent::new(EventKind::ApiKeyRevoked, "API keys were revoked together");
        event.at = Some(now);
        event.about = Some(Arc::from(whose.org().as_str()));
        self.0.events.emit(event);
        Ok(count)
    }

    /// Which keys of an organisation somebody should look at.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn review(
        &self,
        org: &OrgId,
        limits: ApiKeyReviewLimits,
    ) -> Result<Vec<(ApiKeyRecord, ApiKeyFinding)>, ApiKeyManagementError> {
        let now = self.0.now()?;
        let mut findings = Vec::new();
        let mut query = ApiKeyQuery {
            limit: REVIEW_PAGE,
            ..ApiKeyQuery::new(org.clone())
        };
        loop {
            let page = self.0.store.list(query.clone()).await?;
            let is_last = page.len() < usize::from(query.limit.get());
            query.after = page.last().map(|record| record.id.clone());
            for record in page {
                let found = limits.findings(&record, now);
                findings.extend(found.map(|finding| (record.clone(), finding)));
            }
            if is_last {
                return Ok(findings);
            }
        }
    }
}

const REVIEW_PAGE: NonZeroU16 = NonZeroU16::new(500).unwrap();

/// Whether whoever acts for `tenant` may manage a key of `of`: the organisation its projects' keys too,
/// a project its own.
fn reaches(tenant: &Tenant, of: &Tenant) -> bool {
    tenant.org == of.org && (tenant.project.is_none() || tenant.project == of.project)
}

fn later(now: Timestamp, duration: Duration) -> Result<Timestamp, ApiKeyManagementError> {
    now.checked_add(duration)
        .ok_or(ApiKeyManagementError::Refused(
            "the end of the key is too far away",
        ))
}

impl Inner {
    pub(crate) fn now(&self) -> Result<Timestamp, ApiKeyManagementError> {
        self.clock
            .now()
            .map_err(|_| ApiKeyManagementError::ClockUnavailable)
    }

    fn record(
        &self,
        key: &NewApiKey,
        request: ApiKeyRequest,
    ) -> Result<ApiKeyRecord, ApiKeyManagementError> {
        let digest = self.hasher.hash(key.secret());
        self.described(request, key.id().clone(), digest)
    }

    fn described(
        &self,
        request: ApiKeyRequest,
        id: ApiKeyId,
        digest: super::digest::SecretDigest,
    ) -> Result<ApiKeyRecord, ApiKeyManagementError> {
        use ApiKeyManagementError::Refused;
        let now = self.now()?;
        let latest = later(now, self.max_lifetime.unwrap_or(MAX_LIFETIME))?;
        match request.expires_at {
            Some(end) if end <= now => return Err(Refused("the key would end before it begins")),
            Some(end) if end > latest => return Err(Refused("the key would live too long")),
            None if self.max_lifetime.is_some() => return Err(Refused("a key needs an end")),
            Some(_) | None => {}
        }
        if request.networks.len().max(request.origins.len()) > MAX_API_KEY_ENTRIES {
            return Err(Refused("a key has at most 64 networks and 64 origins"));
        }
        Ok(ApiKeyRecord {
            id,
            name: request.name,
            tenant: request.tenant,
            scopes: self.catalogue.expand(&request.scopes)?,
            created_by: request.created_by,
            created_at: now,
            expires_at: request.expires_at,
            networks: request.networks,
            origins: request.origins,
            digest,
            last_used_at: None,
            revoked_at: None,
            replaced: None,
        })
    }

    fn report(&self, kind: EventKind, cause: &'static str, id: &ApiKeyId) {
        let mut event = SecurityEvent::new(kind, cause);
        event.at = self.clock.now().ok();
        event.about = Some(Arc::from(id.as_str()));
        self.events.emit(event);
    }
}

/// When a key is worth a look.
#[derive(Clone, Copy, Debug)]
pub struct ApiKeyReviewLimits {
    /// Keys older than this are due for rotation. 90 days unless set.
    pub rotation_age: Duration,
    /// Keys that end within this time are reported. 14 days unless set.
    pub expiry_warning: Duration,
    /// Keys that nobody used for this long are reported. 90 days unless set.
    pub unused: Duration,
}

impl Default for ApiKeyReviewLimits {
    fn default() -> Self {
        const DAY: u64 = 24 * 3600;
        Self {
            rotation_age: Duration::from_secs(90 * DAY),
            expiry_warning: Duration::from_secs(14 * DAY),
            unused: Duration::from_secs(90 * DAY),
        }
    }
}

/// Why a key is worth a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ApiKeyFinding {
    /// It ends soon.
    ExpiresSoon,
    /// It is old.
    RotationDue,
    /// Nobody uses it.
    Unused,
    /// It is of the old form, without a look-up id or a checksum.
    Imported,
}

impl ApiKeyReviewLimits {
    fn findings(
        self,
        record: &ApiKeyRecord,
        now: Timestamp,
    ) -> impl Iterator<Item = ApiKeyFinding> + use<> {
        let is_accepted = record.state(now).is_accepted();
        let is_replaced = record.replaced.is_some();
        let ends_in = record.ends_at().map(|end| end.saturating_since(now));
        let age = now.saturating_since(record.created_at);
        let idle = now.saturating_since(record.last_used_at.unwrap_or(record.created_at));
        [
            (
                ends_in.is_some_and(|left| left <= self.expiry_warning) && !is_replaced,
                ApiKeyFinding::ExpiresSoon,
            ),
            (
                age >= self.rotation_age && !is_replaced,
                ApiKeyFinding::RotationDue,
            ),
            (idle >= self.unused, ApiKeyFinding::Unused),
            (
                record.id.is_imported() && !is_replaced,
                ApiKeyFinding::Imported,
            ),
        ]
        .into_iter()
        .filter(move |(found, _)| *found && is_accepted)
        .map(|(_, finding)| finding)
    }
}
