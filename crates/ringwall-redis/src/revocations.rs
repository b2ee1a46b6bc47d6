//! Revocations of tokens, for all processes together.

use core::fmt;
use core::num::NonZeroU16;
use core::time::Duration;
use std::sync::Arc;

use redis::Value;
use redis::aio::ConnectionLike as _;
use ringwall_authn::revocation::{
    Revocation, RevocationCursor, RevocationPage, RevocationStore, RevocationStoreAnswer,
    RevocationStoreError, StoredRevocation,
};
use ringwall_core::clock::Timestamp;
use ringwall_core::step::Step;

use crate::client::Shared;
use crate::error::{OTHER_SLOTS, TooSlow};
use crate::{Error, RedisClient};

/// Before the keys, unless set.
const PREFIX: &str = "ringwall:revocations:";
/// So that a key stays small.
const MAX_PREFIX: usize = 128;
/// What a caller is told to wait for when Redis does not answer.
const SOON: Duration = Duration::from_secs(1);
/// The entries that one script removes: a server does nothing else meanwhile.
const PURGED_AT_ONCE: u16 = 1000;
/// A server's scores are floating-point numbers, exact up to here: microseconds until the year 2255.
const EXACT: i64 = 1 << 53;

/// A [`RevocationStore`] that several processes share.
///
/// - **In order, atomic**: an append is one script, and so are a page and the end of the log; a server runs
///   one at a time.
/// - **Numbers** are the server's microseconds, and one more than the last where its clock has not gone on.
/// - **Durability** is the server's: with `appendonly yes` and `appendfsync always`, what was answered survives
///   its crash. Nobody can see a `FLUSHALL` or a `DEL` of the keys.
/// - **A failover loses revocations that were answered.** Replication is asynchronous, and no `WAIT` is sent: a
///   replica that takes over may lack the latest. Processes that have read them keep them until they restart; others
///   never see them. `min-replicas-to-write 1` with a small `min-replicas-max-lag` bounds how many, and does not
///   exclude it. After a failover, revoke again what was revoked in the seconds before it. If none may be lost, keep
///   the log in PostgreSQL with a synchronous standby.
/// - **Readers after a failover.** What is appended to the new server lies behind every reader's place as long as
///   its clock is not behind the old one's by more than the failover took: keep both in step (NTP). If it is, readers
///   pass such entries over until they read the whole log again, which
///   [`SyncedRevocations`](ringwall_authn::revocation::SyncedRevocations) does every ten minutes; a log whose
///   end is before a reader's place is read again at once.
/// - **Eviction.** A server whose policy is not `noeviction` is not used, also when the policy is changed
///   later (within five seconds). Nothing expires by the server's clock; [`purge`](RevocationStore::purge)
///   alone forgets.
/// - **Lost answers.** An attempt is never repeated. When its answer does not come in time, the revocation
///   may stand; to append it again does no harm.
/// - **Bounds.** The time-out and the commands in flight of the client, and the server's `maxmemory`, at
///   which it refuses appends. A revocation takes about 350 bytes there.
///
/// The keys, all in one hash slot, are the prefix and `{log}`, `{log}:last`, `{log}:expiry`.
#[derive(Clone)]
pub struct RedisRevocations {
    client: RedisClient,
    keys: Arc<Keys>,
}

#[derive(Debug)]
struct Keys {
    /// The number of the last entry.
    last: String,
    /// The entries by number: the number, a colon and the columns as a JSON array.
    log: String,
    /// The numbers by the end of the last token.
    expiry: String,
}

/// ARGV: the columns, the end of the last token. Fails before it writes when the memory is full.
const APPEND: &str = "
local time = redis.call('TIME')
local last = tonumber(redis.call('GET', KEYS[1]) or '0')
local number = string.format('%.0f', math.max(time[1] * 1000000 + time[2], last + 1))
redis.call('SET', KEYS[1], number)
redis.call('ZADD', KEYS[2], number, number .. ':' .. ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[2], number)
return number
";

/// ARGV: behind which number, how many.
const READ: &str = "
return {
    redis.call('GET', KEYS[1]) or '0',
    redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'LIMIT', 0, ARGV[2])
}
";

/// ARGV: the end, how many.
const PURGE: &str = "
local gone = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', '(' .. ARGV[1], 'LIMIT', 0, ARGV[2])
for _, number in ipairs(gone) do
    redis.call('ZREMRANGEBYSCORE', KEYS[2], number, number)
    redis.call('ZREM', KEYS[3], number)
end
return #gone
";

impl RedisRevocations {
    /// The revocations under the prefix `ringwall:revocations:`.
    #[must_use]
    pub fn new(client: &RedisClient) -> Self {
        Self::under(client, PREFIX)
    }

    /// The revocations under a prefix of your own, of at most 128 bytes. Services that share revocations
    /// share it.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`].
    pub fn with_prefix(client: &RedisClient, prefix: &str) -> Result<Self, Error> {
        if client.shared().slot.is_some() {
            return Err(Error::Configuration(OTHER_SLOTS));
        }
        if prefix.len() > MAX_PREFIX {
            return Err(Error::Configuration("the prefix has more than 128 bytes"));
        }
        Ok(Self::under(client, prefix))
    }

    fn under(client: &RedisClient, prefix: &str) -> Self {
        Self {
            client: client.clone(),
            keys: Arc::new(Keys {
                last: format!("{prefix}{{log}}:last"),
                log: format!("{prefix}{{log}}"),
                expiry: format!("{prefix}{{log}}:expiry"),
            }),
        }
    }

    fn script(&self, script: &str) -> redis::Cmd {
        let mut command = redis::cmd("EVAL");
        command.arg(script).arg(3);
        for key in [&self.keys.last, &self.keys.log, &self.keys.expiry] {
            command.arg(key);
        }
        command
    }
}

impl RevocationStore for RedisRevocations {
    fn append(&self, revocation: &Revocation) -> RevocationStoreAnswer<()> {
        let row = StoredRevocation::from(revocation);
        let columns = serde_json::json!([
            row.kind,
            row.issuer,
            row.name,
            row.issued_until,
            row.last_expiry
        ]);
        let mut command = self.script(APPEND);
        command
            .arg(columns.to_string())
            .arg(ending(row.last_expiry));
        let shared = Arc::clone(self.client.shared());
        Step::wait(async move {
            let answer = send(&shared, &command).await?;
            text(&answer).map(drop).ok_or_else(corrupt)
        })
    }

    fn read(
        &self,
        after: RevocationCursor,
        limit: NonZeroU16,
    ) -> RevocationStoreAnswer<RevocationPage> {
        let mut command = self.script(READ);
        command.arg(after.number()).arg(limit.get());
        let shared = Arc::clone(self.client.shared());
        Step::wait(async move {
            let answer = send(&shared, &command).await?;
            page(&answer, limit).ok_or_else(corrupt)
        })
    }

    fn purge(&self, over: Timestamp) -> RevocationStoreAnswer<u64> {
        let over = over.unix_micros().clamp(-EXACT, EXACT);
        let mut command = self.script(PURGE);
        command.arg(over).arg(PURGED_AT_ONCE);
        let shared = Arc::clone(self.client.shared());
        Step::wait(async move {
            let mut count: u64 = 0;
            loop {
                let Value::Int(gone) = send(&shared, &command).await? else {
                    return Err(corrupt());
                };
                let gone = u64::try_from(gone).map_err(|_| corrupt())?;
                count = count.saturating_add(gone);
                if gone < u64::from(PURGED_AT_ONCE) {
                    return Ok(count);
                }
            }
        })
    }
}

/// The score of an end. One that would be rounded is never over: to forget too late does no harm.
fn ending(micros: i64) -> String {
    if micros >= EXACT {
        "+inf".to_owned()
    } else {
        micros.max(-EXACT).to_string()
    }
}

/// `None` when it is not what was written.
fn page(answer: &Value, limit: NonZeroU16) -> Option<RevocationPage> {
    let Value::Array(parts) = answer else {
        return None;
    };
    let [last, Value::Array(entries)] = parts.as_slice() else {
        return None;
    };
    let last: i64 = text(last)?.parse().ok()?;
    let mut revocations = Vec::with_capacity(entries.len());
    let mut end = None;
    for entry in entries {
        let (number, columns) = text(entry)?.split_once(':')?;
        end = Some(number.parse().ok()?);
        let (kind, issuer, name, issued_until, last_expiry) = serde_json::from_str(columns).ok()?;
        let row = StoredRevocation {
            kind,
            issuer,
            name,
            issued_until,
            last_expiry,
        };
        revocations.push(Revocation::try_from(row).ok()?);
    }
    // The end is behind all entries, or somebody else was at it.
    if end.is_some_and(|end| end > last) {
        return None;
    }
    let is_last = revocations.len() < usize::from(limit.get());
    let next = match end {
        Some(number) if !is_last => number,
        Some(_) | None => last,
    };
    Some(RevocationPage {
        revocations,
        next: RevocationCursor::behind(next),
        is_last,
    })
}

fn text(value: &Value) -> Option<&str> {
    let Value::BulkString(bytes) = value else {
        return None;
    };
    core::str::from_utf8(bytes).ok()
}

async fn send(shared: &Shared, command: &redis::Cmd) -> Result<Value, RevocationStoreError> {
    let unavailable = || RevocationStoreError::unavailable(SOON, None);
    // The log has a slot of its own, and this one speaks to the node of another.
    if shared.slot.is_some() {
        return Err(unavailable());
    }
    let live = shared.live.load_full().ok_or_else(unavailable)?;
    let _permit = shared.in_flight.try_acquire().map_err(|_| unavailable())?;
    let mut connection = live.connection.clone();
    let answer = tokio::time::timeout(shared.timeout, connection.req_packed_command(command)).await;
    let source = match answer {
        Ok(Ok(Value::ServerError(error))) => redis::RedisError::from(error).into(),
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(error)) => Box::from(error),
        Err(_) => Box::from(TooSlow),
    };
    // Too slow, broken off, full, a replica by now: the task finds out what it is.
    shared.doubt.notify_one();
    Err(RevocationStoreError::unavailable(SOON, Some(source)))
}

fn corrupt() -> RevocationStoreError {
    RevocationStoreError::corrupt(None)
}

impl fmt::Debug for RedisRevocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisRevocations")
            .field("client", &self.client)
            .field("log", &self.keys.log)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn read(last: &str, entries: &[&str]) -> Option<RevocationPage> {
        let entries = entries.iter().copied().map(bulk).collect();
        let answer = Value::Array(vec![bulk(last), Value::Array(entries)]);
        page(&answer, NonZeroU16::new(2).expect("not zero"))
    }

    #[test]
    fn an_end_that_would_be_rounded_is_never_over() {
        assert_eq!(ending(-1), "-1");
        assert_eq!(ending(EXACT - 1), "9007199254740991");
        assert_eq!(ending(EXACT), "+inf");
        assert_eq!(ending(i64::MAX), "+inf");
        assert_eq!(ending(i64::MIN), "-9007199254740992");
    }

    #[test]
    fn what_was_never_written_is_not_read() {
        let good = r#"7:["org",null,"acme",5,9]"#;
        let page = read("7", &[good]).expect("as it was written");
        assert_eq!((page.next.number(), page.is_last), (7, true));
        assert_eq!(read("0", &[]).expect("empty").next, RevocationCursor::START);
        for (last, entry) in [
            ("6", good),
            ("x", good),
            ("7", r#"["org",null,"acme",5,9]"#),
            ("7", r#"7:["org",null,"acme",5]"#),
            ("7", r#"7:["org","issuer","acme",5,9]"#),
            ("7", r#"7:["else",null,"acme",5,9]"#),
            ("7", "7:"),
        ] {
            assert_eq!(read(last, &[entry]), None, "{last} {entry}");
        }
    }
}
