//! The script on its way to the server.

use core::fmt;
use std::sync::Arc;

use redis::Value;
use redis::aio::ConnectionLike as _;
use ringwall_rate_limit::LimitError;

use super::script::{CHECK, Call, DIGEST, Reply, Request, replies};
use crate::RedisClient;

/// The server, and how keys are named there.
pub(super) struct Server {
    pub(super) client: RedisClient,
    /// Before the 32 digits of each key.
    pub(super) prefix: String,
}

/// Why a request has no answer. All requests of a call have the same one.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("there is no connection")]
    NotConnected,
    #[error("too many checks wait for an answer")]
    TooMany,
    #[error("no answer in time")]
    TooSlow,
    #[error("a key of the limits holds something else")]
    SomethingElse,
    #[error("the server answered something else")]
    Garbled,
    #[error("the runtime in which the connection was made is gone")]
    Ended,
    #[error(transparent)]
    Redis(Arc<redis::RedisError>),
}

impl From<Failure> for LimitError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::TooMany => Self::Overloaded,
            Failure::NotConnected
            | Failure::TooSlow
            | Failure::SomethingElse
            | Failure::Garbled
            | Failure::Ended
            | Failure::Redis(_) => Self::Unavailable {
                source: Box::new(failure),
            },
        }
    }
}

impl Server {
    /// Runs the script for these requests, by its digest where the server knows it. Answers one for each.
    pub(super) async fn call(
        &self,
        requests: impl Iterator<Item = &Request> + Clone + Send,
    ) -> Result<Vec<Result<Reply, Failure>>, Failure> {
        let shared = self.client.shared();
        let call = Call::of(requests.clone()).ok_or(Failure::TooMany)?;
        // Of the connection's, which others use too.
        let _permit = shared
            .in_flight
            .acquire()
            .await
            .map_err(|_| Failure::Ended)?;
        let live = shared.live.load_full().ok_or(Failure::NotConnected)?;
        let mut connection = live.connection.clone();
        let by_digest = self.command("EVALSHA", DIGEST, &call);
        let mut answer = plain(connection.req_packed_command(&by_digest).await);
        if answer
            .as_ref()
            .is_err_and(|error| error.code() == Some("NOSCRIPT"))
        {
            // It was not run, so it can be sent again; the server learns it by that.
            let by_text = self.command("EVAL", CHECK, &call);
            answer = plain(connection.req_packed_command(&by_text).await);
        }
        let value = answer.map_err(|error| {
            tracing::debug!(
                event = "redis_limit_failed",
                code = error.code().unwrap_or("none"),
                "limits were not decided"
            );
            // Broken off, full, a replica by now: the task finds out what it is.
            shared.doubt.notify_one();
            Failure::Redis(Arc::new(error))
        })?;
        let replies = replies(&value, requests).ok_or(Failure::Garbled)?;
        let each = |reply: Option<Reply>| reply.ok_or(Failure::SomethingElse);
        Ok(replies.into_iter().map(each).collect())
    }

    fn command(&self, name: &str, script: &str, call: &Call) -> redis::Cmd {
        let mut command = redis::cmd(name);
        command.arg(script).arg(call.keys.len());
        for key in &call.keys {
            command.arg(format!("{}{:032x}", self.prefix, key.to_bits()));
        }
        command.arg(&call.encoded);
        command
    }
}

/// An error that the server answered is an error.
fn plain(answer: redis::RedisResult<Value>) -> redis::RedisResult<Value> {
    match answer {
        Ok(Value::ServerError(error)) => Err(error.into()),
        other => other,
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("client", &self.client)
            .field("prefix", &self.prefix)
            .finish()
    }
}
