//! Pages of results (§8.2).

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::document::{Members, object, text};
use super::error::{InvalidRequest, RequestFault};
use super::json::{JsonObject, JsonValue, Place};
use super::resource_listing::MAX_CURSOR_BYTES;
use ringwall_core::principal::Tenant;

/// How many results a page has when the request does not say.
pub const DEFAULT_PAGE_RESULTS: usize = 100;

/// The most results of one page. A greater `limit` is this one: it is a maximum (§8.2.1).
pub const MAX_PAGE_RESULTS: usize = 1000;

/// The longest token in bytes.
pub const MAX_TOKEN_BYTES: usize = 2 * (HEAD_BYTES + MAX_CURSOR_BYTES);

/// The version, whether a cursor follows, the limit and the digest.
const HEAD_BYTES: usize = 1 + 1 + 4 + DIGEST_BYTES;
const DIGEST_BYTES: usize = 16;
const VERSION: u8 = 1;

/// Which page (§8.2.1).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PageRequest {
    /// The `next_token` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// How many results at most. The token of a page remembers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// What the enforcement point says of the page: ignored, and must not change from page to page.
    #[serde(skip_serializing_if = "JsonObject::is_empty")]
    pub properties: JsonObject,
}

/// What a page says of itself (§8.2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PageResponse {
    /// For the next page; empty when there is none. A page may be empty and have a next one.
    #[serde(default)]
    pub next_token: String,
    /// How many results there are on this page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

impl PageRequest {
    /// The first page, of so many results at most.
    #[must_use]
    pub fn first(limit: u64) -> Self {
        Self {
            limit: Some(limit),
            ..Self::default()
        }
    }

    /// The page of this token.
    #[must_use]
    pub fn next(token: impl Into<String>) -> Self {
        Self {
            token: Some(token.into()),
            ..Self::default()
        }
    }

    pub(super) fn read(value: JsonValue, place: Place<'_>) -> Result<Self, InvalidRequest> {
        let mut members = Members::new(value, place)?;
        Ok(Self {
            token: members.optional("token", token)?,
            limit: members.optional("limit", limit)?,
            properties: members.optional("properties", object)?.unwrap_or_default(),
        })
    }
}

fn token(value: JsonValue, place: Place<'_>) -> Result<String, InvalidRequest> {
    let token = text(value, place)?;
    if token.len() > MAX_TOKEN_BYTES {
        return Err(InvalidRequest::at(
            place,
            RequestFault::TooLong(MAX_TOKEN_BYTES),
        ));
    }
    Ok(token)
}

fn limit(value: JsonValue, place: Place<'_>) -> Result<u64, InvalidRequest> {
    let number = match value {
        JsonValue::Integer(number) => u64::try_from(number).ok(),
        JsonValue::Null
        | JsonValue::Boolean(_)
        | JsonValue::Number(_)
        | JsonValue::Text(_)
        | JsonValue::Array(_)
        | JsonValue::Object(_) => None,
    };
    let expected = "a whole number that is not negative";
    number.ok_or_else(|| InvalidRequest::at(place, RequestFault::WrongType(expected)))
}

/// Which request a token belongs to: the search, whoever asks, and all that must not change (§8.2).
///
/// It is no signature. A token that somebody makes up begins where it says, and everything on its page is decided anew: so
/// it opens nothing, and there is no key to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RequestDigest([u8; DIGEST_BYTES]);

impl RequestDigest {
    pub(super) fn new(
        search: &str,
        tenant: Option<&Tenant>,
        asked: &impl Serialize,
        page: Option<&PageRequest>,
    ) -> Result<Self, InvalidRequest> {
        let org = tenant.map(|tenant| tenant.org.as_str());
        let project = tenant.and_then(|tenant| tenant.project.as_ref());
        let project = project.map(|project| project.as_str());
        // A first request need not have a page, and the next one has.
        let properties = page.map(|page| &page.properties);
        let properties = properties.filter(|properties| !properties.is_empty());
        let text = serde_json::to_vec(&(search, org, project, asked, properties))
            .map_err(|_| other_token())?;
        let mut digest = [0; DIGEST_BYTES];
        for (to, from) in digest.iter_mut().zip(Sha256::digest(&text)) {
            *to = from;
        }
        Ok(Self(digest))
    }
}

/// The page that is asked for.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) limit: usize,
    pub(super) after: Option<String>,
    digest: RequestDigest,
}

impl Page {
    pub(super) fn open(
        request: Option<&PageRequest>,
        digest: RequestDigest,
    ) -> Result<Self, InvalidRequest> {
        let limit = request.and_then(|page| page.limit).map(|limit| {
            usize::try_from(limit)
                .unwrap_or(MAX_PAGE_RESULTS)
                .min(MAX_PAGE_RESULTS)
        });
        let Some(token) = request.and_then(|page| page.token.as_ref()) else {
            return Ok(Self {
                limit: limit.unwrap_or(DEFAULT_PAGE_RESULTS),
                after: None,
                digest,
            });
        };
        let page = Self::read(token).ok_or_else(other_token)?;
        let is_same = page.digest == digest && limit.is_none_or(|limit| limit == page.limit);
        is_same.then_some(page).ok_or_else(other_token)
    }

    fn read(token: &str) -> Option<Self> {
        if token.len() > MAX_TOKEN_BYTES || !token.len().is_multiple_of(2) {
            return None;
        }
        let bytes = token.as_bytes().chunks_exact(2).map(|pair| {
            let mut byte = 0_u32;
            for digit in pair {
                // One spelling: what is written here has no capital letters.
                if digit.is_ascii_uppercase() {
                    return None;
                }
                byte = (byte << 4) | char::from(*digit).to_digit(16)?;
            }
            u8::try_from(byte).ok()
        });
        let bytes = bytes.collect::<Option<Vec<u8>>>()?;
        let (head, cursor) = bytes.split_at_checked(HEAD_BYTES)?;
        let (&[version, has_cursor], head) = head.split_first_chunk::<2>()?;
        let (limit, digest) = head.split_first_chunk::<4>()?;
        let limit = usize::try_from(u32::from_be_bytes(*limit)).ok()?;
        let after = match (has_cursor, cursor) {
            (0, []) => None,
            (1, cursor) => Some(String::from_utf8(cursor.to_vec()).ok()?),
            _ => return None,
        };
        let is_ours = version == VERSION && limit <= MAX_PAGE_RESULTS;
        is_ours.then_some(Self {
            limit,
            after,
            digest: RequestDigest(digest.try_into().ok()?),
        })
    }

    /// The token of the page behind `after`.
    fn token(&self, after: Option<&str>) -> String {
        let limit = u32::try_from(self.limit).unwrap_or(u32::MAX).to_be_bytes();
        let mut bytes = vec![VERSION, u8::from(after.is_some())];
        bytes.extend_from_slice(&limit);
        bytes.extend_from_slice(&self.digest.0);
        bytes.extend_from_slice(after.unwrap_or_default().as_bytes());
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What is said of the page, when it ends here or goes on behind `next`.
    pub(super) fn response(&self, count: usize, next: &Next) -> PageResponse {
        PageResponse {
            next_token: match next {
                Next::End => String::new(),
                Next::Behind(after) => self.token(after.as_deref()),
            },
            count: u64::try_from(count).ok(),
        }
    }
}

/// Whether there may be more.
#[derive(Debug)]
pub(super) enum Next {
    End,
    Behind(Option<String>),
}

pub(super) fn other_token() -> InvalidRequest {
    InvalidRequest::at("/page/token", RequestFault::OtherToken)
}
