//! Requests that wait while others are at the server, and then go together.

use core::fmt;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ringwall_rate_limit::LimitError;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::script::{Bucket, Reply, Request};
use super::server::{Failure, Server};
use crate::RedisClient;

/// Calls that are at the server at once. A request that finds fewer goes at once, and alone.
const CALLS: usize = 4;
/// Requests that go as one call, at most.
const REQUESTS: usize = 64;
/// Buckets of a call, at most, so that the server is held up for a fraction of a millisecond.
const BUCKETS: usize = 128;

/// What is on its way to a server. The first requests go alone; those that come while these are at the server wait,
/// and the next call takes them all: under load, a round trip and a run of the script are shared by many.
///
/// Calls are made by tasks of the connection's own runtime, so nobody has to wait for whoever asked first to look
/// at the answer.
pub(super) struct Queue {
    server: Server,
    state: Mutex<State>,
}

/// Requests wait only while all calls are under way, and each call takes of them when it is back.
#[derive(Default)]
struct State {
    calls: usize,
    waiting: VecDeque<Job>,
}

struct Job {
    request: Request,
    reply: oneshot::Sender<Result<Reply, Failure>>,
}

impl Queue {
    pub(super) fn new(server: Server) -> Arc<Self> {
        Arc::new(Self {
            server,
            state: Mutex::default(),
        })
    }

    pub(super) const fn client(&self) -> &RedisClient {
        &self.server.client
    }

    /// What the server says, within the time that the caller gives it.
    pub(super) async fn ask(self: &Arc<Self>, request: Request) -> Result<Reply, Failure> {
        let (reply, answer) = oneshot::channel();
        self.push(Job { request, reply })?;
        answer.await.unwrap_or(Err(Failure::Ended))
    }

    /// Gives tokens back, also when nobody waits for the answer.
    pub(super) async fn give_back(
        self: &Arc<Self>,
        buckets: Vec<Bucket>,
    ) -> Result<(), LimitError> {
        let shared = self.server.client.shared();
        let request = Request {
            charge: true,
            buckets,
        };
        let answer = timeout(shared.timeout, self.ask(request)).await;
        answer.map(|answer| answer.map(drop)).unwrap_or_else(|_| {
            shared.doubt.notify_one();
            Err(Failure::TooSlow)
        })?;
        Ok(())
    }

    /// Puts a request where it waits, and sees to it that somebody sends it.
    fn push(self: &Arc<Self>, job: Job) -> Result<(), Failure> {
        let shared = self.server.client.shared();
        let mut state = self.state();
        // What gives back was counted when it was taken, and is let wait beside the others.
        let most = if job.request.only_gives_back() {
            shared.most_waiting.saturating_mul(2)
        } else {
            shared.most_waiting
        };
        if state.calls >= CALLS && state.waiting.len() >= most {
            return Err(Failure::TooMany);
        }
        state.waiting.push_back(job);
        if state.calls >= CALLS {
            return Ok(());
        }
        state.calls = state.calls.saturating_add(1);
        drop(state);
        let ending = Ending {
            queue: Arc::clone(self),
            is_regular: false,
        };
        shared.runtime.spawn(Arc::clone(self).send(ending));
        Ok(())
    }

    /// Sends what waits, call after call, until nothing does.
    async fn send(self: Arc<Self>, ending: Ending) {
        let shared = self.server.client.shared();
        while let Some(jobs) = self.next() {
            let call = self.server.call(jobs.iter().map(|job| &job.request));
            let replies = timeout(shared.timeout, call).await.unwrap_or_else(|_| {
                shared.doubt.notify_one();
                Err(Failure::TooSlow)
            });
            match replies {
                Ok(replies) => {
                    for (job, reply) in jobs.into_iter().zip(replies) {
                        // Whoever no longer waits was charged all the same.
                        job.reply.send(reply).ok();
                    }
                }
                Err(failure) => {
                    for job in jobs {
                        job.reply.send(Err(failure.clone())).ok();
                    }
                }
            }
        }
        ending.in_order();
    }

    fn next(&self) -> Option<Vec<Job>> {
        self.state().take()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Plain values: after a panic elsewhere they are still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What goes as the next call. Without any, the call's place is free again.
    fn take(&mut self) -> Option<Vec<Job>> {
        let mut jobs: Vec<Job> = Vec::new();
        let mut buckets = 0_usize;
        while let Some(job) = self.waiting.front() {
            let more = job.request.buckets.len();
            let is_full = jobs.len() >= REQUESTS || buckets.saturating_add(more) > BUCKETS;
            if is_full && !jobs.is_empty() {
                break;
            }
            if let Some(job) = self.waiting.pop_front().and_then(Job::still_wanted) {
                buckets = buckets.saturating_add(more);
                jobs.push(job);
            }
        }
        if jobs.is_empty() {
            self.calls = self.calls.saturating_sub(1);
            return None;
        }
        Some(jobs)
    }
}

impl Job {
    /// Nobody is charged who has given up; what was to be given back is given back.
    fn still_wanted(self) -> Option<Self> {
        if !self.reply.is_closed() {
            return Some(self);
        }
        let request = self.request.only_giving_back()?;
        Some(Self {
            request,
            reply: self.reply,
        })
    }
}

/// A task that sends. One that ends before its time, with its runtime, leaves nobody waiting for it.
struct Ending {
    queue: Arc<Queue>,
    is_regular: bool,
}

impl Ending {
    fn in_order(mut self) {
        self.is_regular = true;
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if !self.is_regular {
            let mut state = self.queue.state();
            state.calls = state.calls.saturating_sub(1);
            if state.calls > 0 {
                // Another one takes them.
                return;
            }
            let waiting = core::mem::take(&mut state.waiting);
            drop(state);
            // Each is told that the runtime is gone.
            drop(waiting);
        }
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}
