//! Where keys are kept.

use core::error::Error as StdError;
use core::fmt;
use core::num::NonZeroU16;
use core::time::Duration;

use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{OrgId, ProjectId, Subject};
use ringwall_core::step::Step;

use super::id::ApiKeyId;
use super::record::ApiKeyRecord;

/// The answer of a store.
pub type ApiKeyStoreAnswer<T> = Step<Result<T, ApiKeyStoreError>>;

/// Durable storage of API keys.
///
/// # Contract
///
/// - **Atomic**: each call happens as a whole or not at all, also when the process or the store is
///   killed in the middle. In particular [`rotate`](Self::rotate) never leaves an organisation without
///   the old key and without the new one.
/// - **Durable**: what was answered with `Ok` is there after a crash of the process; of the store too,
///   if the store says that it is durable. The memory store is not.
/// - **Linearizable** per key, also across processes: once [`revoke`](Self::revoke) has answered, every
///   [`find`](Self::find) that begins later sees the key revoked, whichever process asks.
/// - **Bounded in time**: a store that does not answer within its own time-out answers
///   [`Unavailable`](ApiKeyStoreErrorKind::Unavailable). Nobody above it has a timer.
/// - **Retries**: every call but [`insert`](Self::insert) and [`rotate`](Self::rotate) may be repeated
///   after an unknown outcome and then changes nothing twice. An `insert` or `rotate` that was repeated
///   answers `Conflict` if the first one had happened.
/// - What is stored is returned as it was stored, lists in the same order, times to the microsecond. A
///   row that cannot be read back is [`Corrupt`](ApiKeyStoreErrorKind::Corrupt), never skipped: a key
///   whose restrictions cannot be read must not be accepted without them.
/// - Dropping a future may leave its call undone or done, and nothing in between.
///
/// `ringwall_authn::api_key::conformance` (feature `conformance`) is the suite that holds a store against this.
pub trait ApiKeyStore: Send + Sync + fmt::Debug {
    /// Stores a new key.
    ///
    /// # Errors
    ///
    /// `Conflict` when there is one of this id, in any organisation.
    fn insert(&self, record: ApiKeyRecord) -> ApiKeyStoreAnswer<()>;

    /// The key of this id, in any state, of any organisation.
    fn find(&self, id: &ApiKeyId) -> ApiKeyStoreAnswer<Option<ApiKeyRecord>>;

    /// The keys of an organisation in the order of their ids, in any state.
    fn list(&self, query: ApiKeyQuery) -> ApiKeyStoreAnswer<Vec<ApiKeyRecord>>;

    /// Takes a key of this organisation back. One that was taken back already keeps its time. Answers
    /// the key as it is now.
    ///
    /// # Errors
    ///
    /// `NotFound` when the organisation has no such key: the answer is the same for a key of somebody
    /// else and for none.
    fn revoke(&self, org: &OrgId, id: &ApiKeyId, at: Timestamp) -> ApiKeyStoreAnswer<ApiKeyRecord>;

    /// Takes all these keys back at once. Those that were taken back already keep their time and are
    /// not counted. Answers how many there were.
    ///
    /// A rotation at the same time happens wholly before it, and then its successor is taken back too,
    /// or wholly after it, and then it is refused: no successor escapes.
    fn revoke_all(&self, whose: &ApiKeysOf, at: Timestamp) -> ApiKeyStoreAnswer<u64>;

    /// Stores the successor of a key and the end of the old one, both or neither.
    ///
    /// # Errors
    ///
    /// `NotFound` when the successor's organisation has no such key; `Conflict` when the old key is not
    /// [`Active`](super::ApiKeyState::Active) at `at` (so that of two rotations at once exactly one
    /// happens), or when there is a key of the successor's id.
    fn rotate(&self, rotation: ApiKeyRotation) -> ApiKeyStoreAnswer<()>;

    /// Notes uses. A time that is earlier than the one that is stored changes nothing; an id that is
    /// not there is passed over.
    fn record_uses(&self, uses: &[(ApiKeyId, Timestamp)]) -> ApiKeyStoreAnswer<()>;
}

/// One rotation.
#[derive(Clone, Debug)]
pub struct ApiKeyRotation {
    /// The key that is replaced.
    pub old: ApiKeyId,
    /// The key that replaces it. Of the same tenant.
    pub successor: ApiKeyRecord,
    /// The time now: the old key has to be active at it.
    pub at: Timestamp,
    /// From when on the old key is refused.
    pub grace_ends_at: Timestamp,
}

/// Whose keys are taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiKeysOf {
    /// All of an organisation.
    Org(OrgId),
    /// Those that are bound to one project of it.
    Project(OrgId, ProjectId),
    /// Those of it that somebody made.
    Creator(OrgId, Subject),
}

impl ApiKeysOf {
    /// The organisation.
    #[must_use]
    pub const fn org(&self) -> &OrgId {
        match self {
            Self::Org(org) | Self::Project(org, _) | Self::Creator(org, _) => org,
        }
    }

    /// Whether the key is one of them.
    #[must_use]
    pub fn includes(&self, record: &ApiKeyRecord) -> bool {
        record.tenant.org == *self.org()
            && match self {
                Self::Org(_) => true,
                Self::Project(_, project) => record.tenant.project.as_ref() == Some(project),
                Self::Creator(_, creator) => record.created_by == *creator,
            }
    }
}

/// A page of a list of keys.
#[derive(Clone, Debug)]
pub struct ApiKeyQuery {
    /// The organisation.
    pub org: OrgId,
    /// Only the keys that are bound to this project; all of the organisation's when `None`.
    pub project: Option<ProjectId>,
    /// Begins behind this id; at the beginning when `None`.
    pub after: Option<ApiKeyId>,
    /// The most keys to answer. A page with fewer is the last.
    pub limit: NonZeroU16,
}

impl ApiKeyQuery {
    /// The first hundred keys of an organisation.
    #[must_use]
    pub const fn new(org: OrgId) -> Self {
        Self {
            org,
            project: None,
            after: None,
            limit: DEFAULT_PAGE,
        }
    }

    /// Whether the key belongs on the page, by all but the limit.
    #[must_use]
    pub fn includes(&self, record: &ApiKeyRecord) -> bool {
        let is_behind = self.after.as_ref().is_none_or(|after| record.id > *after);
        let is_of_project = self.project.is_none() || record.tenant.project == self.project;
        record.tenant.org == self.org && is_of_project && is_behind
    }
}

const DEFAULT_PAGE: NonZeroU16 = NonZeroU16::new(100).unwrap();

/// Why a store did not do what it was asked for.
#[derive(Debug)]
pub struct ApiKeyStoreError {
    kind: ApiKeyStoreErrorKind,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What whoever asked can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApiKeyStoreErrorKind {
    /// There is no such key in this organisation.
    NotFound,
    /// There is one of this id already, or the key is not in a state that permits this.
    Conflict,
    /// What is stored cannot be read back. Somebody has to look.
    Corrupt,
    /// The store cannot be reached, is full, or took too long.
    Unavailable {
        /// When to try again.
        retry_after: Duration,
    },
}

impl ApiKeyStoreError {
    /// An error without a cause of its own.
    #[must_use]
    pub const fn new(kind: ApiKeyStoreErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// An error with its cause, for logs.
    #[must_use]
    pub fn with_source(
        kind: ApiKeyStoreErrorKind,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self {
            kind,
            source: Some(source.into()),
        }
    }

    /// What whoever asked can do.
    #[must_use]
    pub const fn kind(&self) -> ApiKeyStoreErrorKind {
        self.kind
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self.kind, ApiKeyStoreErrorKind::Unavailable { .. })
    }
}

impl fmt::Display for ApiKeyStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ApiKeyStoreErrorKind::NotFound => "there is no such API key",
            ApiKeyStoreErrorKind::Conflict => "the state of the API key does not permit this",
            ApiKeyStoreErrorKind::Corrupt => "a stored API key cannot be read back",
            ApiKeyStoreErrorKind::Unavailable { .. } => "the store of API keys is not available",
        })
    }
}

impl StdError for ApiKeyStoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_deref()
            .map(|source| -> &(dyn StdError + 'static) { source })
    }
}

impl From<ApiKeyStoreErrorKind> for ApiKeyStoreError {
    fn from(kind: ApiKeyStoreErrorKind) -> Self {
        Self::new(kind)
    }
}
