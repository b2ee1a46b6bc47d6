//! One connection to one server, for all that this process keeps there.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use redis::aio::MultiplexedConnection;
use ringwall_core::clock::Timestamp;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::AbortHandle;

use crate::supervisor;
use crate::{Error, RedisConfig};

/// A connection that is kept: commands share it, and it is made anew when it breaks off, in a task of
/// its own. Nobody who has a command waits for a connection; without one, the answer is that there is none.
///
/// Clones are handles of the same connection. It is closed when the last one is dropped, the stores'
/// included.
#[derive(Clone)]
pub struct RedisClient {
    shared: Arc<Shared>,
    _task: Arc<Task>,
}

/// What a connection is good for at the moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RedisStatus {
    /// The first attempt is under way.
    Connecting,
    /// Connected, and the server was looked at.
    Ready,
    /// There is no connection, for this reason; the next attempt comes within five seconds, and in a cluster, of which
    /// several nodes may have to be asked, later.
    Down(Error),
}

/// What the handles and the task share.
#[cfg_attr(
    not(any(feature = "rate-limit", feature = "replay", feature = "revocations")),
    expect(
        dead_code,
        reason = "read by stores, and there is none without a feature"
    )
)]
pub(crate) struct Shared {
    /// Empty while there is no connection.
    pub(crate) live: ArcSwapOption<Live>,
    /// Told by whoever met a failure, so that the task looks at the server before its time.
    pub(crate) doubt: Notify,
    pub(crate) status: watch::Sender<RedisStatus>,
    pub(crate) in_flight: Semaphore,
    pub(crate) timeout: Duration,
    /// Where the connection is kept.
    #[cfg(feature = "rate-limit")]
    pub(crate) runtime: tokio::runtime::Handle,
    /// Of a cluster: the slot whose node is spoken to.
    pub(crate) slot: Option<u16>,
    /// Checks of limits that may wait for their turn.
    #[cfg(feature = "rate-limit")]
    pub(crate) most_waiting: usize,
}

/// A connection to a server that was looked at.
#[cfg_attr(
    not(feature = "replay"),
    expect(
        dead_code,
        reason = "read by stores, and there is none without a feature"
    )
)]
pub(crate) struct Live {
    pub(crate) connection: MultiplexedConnection,
    /// The latest moment at which something may have been stored that the server no longer has.
    pub(crate) lost_at: Timestamp,
}

/// Ends the task with the last handle.
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl RedisClient {
    /// Connects, and fails if the server cannot be used at this moment: at start, so that a wrong password
    /// or a policy that evicts shows there. Must be called within a tokio runtime, in which a task goes
    /// on to keep the connection.
    ///
    /// # Errors
    ///
    /// [`Error`] for a configuration that cannot be used, a server that is not there, or must not be used.
    pub async fn connect(config: RedisConfig) -> Result<Self, Error> {
        let client = Self::start(config)?;
        let mut status = client.shared.status.subscribe();
        let first = status
            .wait_for(|status| !matches!(status, RedisStatus::Connecting))
            .await
            .map_err(Error::unreachable)?
            .clone();
        match first {
            RedisStatus::Down(error) => Err(error),
            RedisStatus::Connecting | RedisStatus::Ready => Ok(client),
        }
    }

    /// Begins to connect, for services that start before their Redis does: until it is there, every
    /// claim is refused. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`].
    pub fn start(config: RedisConfig) -> Result<Self, Error> {
        config.check()?;
        let (status, _) = watch::channel(RedisStatus::Connecting);
        let shared = Arc::new(Shared {
            live: ArcSwapOption::empty(),
            doubt: Notify::new(),
            status,
            in_flight: Semaphore::new(config.in_flight),
            timeout: config.timeout,
            #[cfg(feature = "rate-limit")]
            runtime: tokio::runtime::Handle::current(),
            slot: config.slot,
            #[cfg(feature = "rate-limit")]
            most_waiting: config.in_flight,
        });
        let task = tokio::spawn(supervisor::run(Arc::clone(&shared), config));
        Ok(Self {
            shared,
            _task: Arc::new(Task(task.abort_handle())),
        })
    }

    /// How it stands, for a readiness probe.
    #[must_use]
    pub fn status(&self) -> RedisStatus {
        self.shared.status.borrow().clone()
    }

    /// Whether there is a connection to a server that may be used.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self.status(), RedisStatus::Ready)
    }

    #[cfg(any(feature = "rate-limit", feature = "replay", feature = "revocations"))]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Shared {
    /// Publishes a connection, or takes the last one away.
    pub(crate) fn publish(&self, live: Option<Live>, status: RedisStatus) {
        self.live.store(live.map(Arc::new));
        self.status.send_replace(status);
    }
}

impl fmt::Debug for RedisClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisClient")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
