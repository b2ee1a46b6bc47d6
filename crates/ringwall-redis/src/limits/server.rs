//! Scripts on their way to the server.

use core::fmt;

use redis::Value;
use redis::aio::ConnectionLike as _;
use ringwall_rate_limit::{LimitError, LimitKey};

use super::script::{GIVE_BACK, Script};
use crate::RedisClient;
use crate::client::Shared;
use crate::error::TooSlow;

/// The server, and how keys are named there.
pub(super) struct Server {
    pub(super) client: RedisClient,
    /// Before the 32 digits of each key.
    pub(super) prefix: String,
}

impl Server {
    /// Gives tokens back, by bucket in microseconds.
    pub(super) async fn give_back(&self, tokens: &[(LimitKey, u64)]) -> Result<(), LimitError> {
        let keys = tokens.iter().map(|(key, _)| *key);
        let give = self.run(&GIVE_BACK, keys, |command| {
            for (_, micros) in tokens {
                command.arg(micros);
            }
        });
        let shared = self.client.shared();
        match tokio::time::timeout(shared.timeout, give).await {
            Ok(Ok(Value::Int(_))) => Ok(()),
            Ok(Ok(_)) => Err(unavailable(Garbled)),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                shared.doubt.notify_one();
                Err(unavailable(TooSlow))
            }
        }
    }

    /// Runs a script, by its digest where the server knows it.
    pub(super) async fn run(
        &self,
        script: &Script,
        keys: impl Iterator<Item = LimitKey> + Clone,
        arguments: impl Fn(&mut redis::Cmd),
    ) -> Result<Value, LimitError> {
        let shared = self.client.shared();
        let live = shared
            .live
            .load_full()
            .ok_or_else(|| unavailable(NotConnected))?;
        let _permit = shared
            .in_flight
            .try_acquire()
            .map_err(|_| unavailable(TooMany))?;
        let mut connection = live.connection.clone();
        let command = |name: &str, script: &str| {
            let mut command = redis::cmd(name);
            command.arg(script).arg(keys.clone().count());
            for key in keys.clone() {
                command.arg(format!("{}{:032x}", self.prefix, key.to_bits()));
            }
            arguments(&mut command);
            command
        };
        let by_digest = command("EVALSHA", script.digest);
        let mut answer = plain(connection.req_packed_command(&by_digest).await);
        if answer
            .as_ref()
            .is_err_and(|error| error.code() == Some("NOSCRIPT"))
        {
            // It was not run, so it can be sent again; the server learns it by that.
            let by_text = command("EVAL", script.text);
            answer = plain(connection.req_packed_command(&by_text).await);
        }
        answer.map_err(|error| failed(shared, error))
    }
}

/// An error that the server answered is an error.
fn plain(answer: redis::RedisResult<Value>) -> redis::RedisResult<Value> {
    match answer {
        Ok(Value::ServerError(error)) => Err(error.into()),
        other => other,
    }
}

fn failed(shared: &Shared, error: redis::RedisError) -> LimitError {
    tracing::debug!(
        event = "redis_limit_failed",
        code = error.code().unwrap_or("none"),
        "a limit was not decided"
    );
    // Broken off, full, a replica by now: the task finds out what it is.
    shared.doubt.notify_one();
    unavailable(error)
}

pub(super) fn unavailable(source: impl std::error::Error + Send + Sync + 'static) -> LimitError {
    LimitError::Unavailable {
        source: Box::new(source),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("there is no connection")]
struct NotConnected;

#[derive(Debug, thiserror::Error)]
#[error("too many commands wait for an answer")]
struct TooMany;

#[derive(Debug, thiserror::Error)]
#[error("the server answered something else")]
pub(super) struct Garbled;

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("client", &self.client)
            .field("prefix", &self.prefix)
            .finish()
    }
}
