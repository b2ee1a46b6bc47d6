//! One limit of several processes, through what happens to a server.

use std::io::{BufRead as _, BufReader, Write as _};
use std::num::NonZeroU32;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use ringwall_redis::{RedisClient, RedisLeases, RedisLimiter};

use crate::servers::{Server, redis};
use crate::setting::config;
use crate::world::{Admin, bucket, check, hourly, policies_of, secret};

const PROCESSES: u32 = 8;
/// Requests at once in each process.
const TASKS: usize = 8;
/// What a lease is divided by, where there are leases.
const SHARE: u32 = 100;
/// For how long a lease is served.
const LASTING: Duration = Duration::from_millis(100);
/// Between a request that passed and the next of its task, so that the limit lasts while things happen.
const PACE: Duration = Duration::from_millis(40);
/// Names the server, the secret, the burst and whether there are leases to the processes.
const RUN: &str = "RINGWALL_TEST_LIMIT_OF";
/// What a process says of itself stands between what the test harness says.
const MARK: &str = "limited:";

/// What came of a process's requests.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    passed: u32,
    /// Of which it is not known what they charged.
    failed: u32,
}

/// Another process, ended with the test.
struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Process {
    fn start(run: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("a test program"))
            .args(["--exact", "processes::takes_as_one_of_several_processes"])
            .args(["--ignored", "--nocapture", "--test-threads=1"])
            .env(RUN, run)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program runs");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, output }
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        while self.output.read_line(&mut line).expect("text") > 0 {
            // The harness writes the test's name before it, on the same line.
            if let Some((_, said)) = line.split_once(MARK) {
                return said.trim().to_owned();
            }
            line.clear();
        }
        panic!("it ended without a word");
    }
}

/// All processes take what they can get, while `meanwhile` is done to the server.
fn run(
    server: &mut Server,
    burst: u32,
    leases: bool,
    meanwhile: impl FnOnce(&mut Server),
) -> Count {
    let secret: String = secret().iter().map(|byte| format!("{byte:02x}")).collect();
    let run = format!("{} {secret} {burst} {leases}", server.url());
    let mut processes: Vec<Process> = (0..PROCESSES).map(|_| Process::start(&run)).collect();
    for process in &mut processes {
        assert_eq!(process.hear(), "ready");
    }
    meanwhile(server);
    let mut all = Count::default();
    for process in &mut processes {
        let said = process.hear();
        let (passed, failed) = said.split_once(' ').expect("two words");
        all.passed += passed.parse::<u32>().expect("a number");
        all.failed += failed.parse::<u32>().expect("a number");
        assert!(process.child.wait().expect("a child").success());
    }
    all
}

/// A server that stores each write before it answers, as `redis::start` has it.
fn server() -> Server {
    redis::start(&[]).expect("a server")
}

fn pause() {
    std::thread::sleep(Duration::from_millis(150));
}

#[test]
fn several_processes_hold_a_limit_exactly_through_lost_scripts() {
    let count = run(&mut server(), 3000, false, |server| {
        let mut admin = Admin::of(server);
        for _ in 0..10 {
            let _: String = admin.run(&["SCRIPT", "FLUSH"]);
            pause();
        }
    });
    assert_eq!((count.passed, count.failed), (3000, 0));
}

#[test]
fn several_processes_hold_a_limit_through_restarts_and_silence() {
    let count = run(&mut server(), 3000, false, |server| {
        for _ in 0..2 {
            pause();
            server.kill();
            server.start_again().expect("it starts");
            pause();
            server.pause();
            std::thread::sleep(Duration::from_millis(1500));
            server.resume();
        }
    });
    // A check without an answer may have charged, and admitted nobody.
    assert!(count.failed > 0, "nothing happened to the server");
    assert!(count.passed <= 3000, "{count:?}");
    assert!(count.passed + count.failed >= 3000, "{count:?}");
}

#[test]
fn several_processes_with_leases_never_serve_more_than_there_is_and_use_it_within_the_bound() {
    let burst = 4000;
    let count = run(&mut server(), burst, true, |server| {
        let mut admin = Admin::of(server);
        for _ in 0..10 {
            let _: String = admin.run(&["SCRIPT", "FLUSH"]);
            pause();
        }
    });
    assert_eq!(count.failed, 0);
    assert!(count.passed <= burst, "{count:?}");
    // What a process that ended had not used: a lease of each at most.
    assert!(
        count.passed >= burst - PROCESSES * burst / SHARE,
        "{count:?}"
    );
}

#[test]
fn several_processes_with_leases_never_serve_more_than_there_is_through_restarts_and_silence() {
    let burst = 4000;
    let count = run(&mut server(), burst, true, |server| {
        for _ in 0..2 {
            pause();
            server.kill();
            server.start_again().expect("it starts");
            pause();
            server.pause();
            std::thread::sleep(Duration::from_millis(1500));
            server.resume();
        }
    });
    assert!(count.passed <= burst, "{count:?}");
    assert!(count.passed > 0);
}

#[test]
#[ignore = "a process of the tests above, which start it"]
fn takes_as_one_of_several_processes() {
    let run = std::env::var(RUN).expect("started by the tests above");
    let words: Vec<&str> = run.split(' ').collect();
    let [url, secret, burst, leases] = words[..] else {
        panic!("{run}");
    };
    let secret = u128::from_str_radix(secret, 16)
        .expect("a secret")
        .to_be_bytes();
    let limits = [("all", hourly(burst.parse().expect("a number")))];
    let with_leases = leases == "true";
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    runtime.block_on(async {
        let config = config(url).timeout(Duration::from_secs(1));
        let client = RedisClient::connect(config).await.expect("it runs");
        let mut limiter = RedisLimiter::builder(&client, policies_of(secret, &limits));
        if with_leases {
            let share = NonZeroU32::new(SHARE).expect("not zero");
            limiter = limiter.leases(RedisLeases::new().share(share).lasting(LASTING));
        }
        let limiter = limiter
            .remember_denials(Duration::ZERO)
            .build()
            .expect("valid");
        say("ready");
        let counts = Arc::new((AtomicU32::new(0), AtomicU32::new(0)));
        // As long as anybody gets a token, everybody goes on: what a lease had left may come back.
        let is_fed = Arc::new(AtomicBool::new(true));
        while is_fed.swap(false, Ordering::SeqCst) {
            let tasks: Vec<_> = (0..TASKS)
                .map(|_| {
                    let (limiter, counts) = (limiter.clone(), Arc::clone(&counts));
                    let is_fed = Arc::clone(&is_fed);
                    tokio::spawn(async move {
                        let bucket = [bucket(&limiter, "all", "everybody")];
                        loop {
                            match check(&limiter, &bucket, 1).await {
                                Ok(decision) if decision.is_allowed() => {
                                    is_fed.store(true, Ordering::SeqCst);
                                    counts.0.fetch_add(1, Ordering::SeqCst);
                                    tokio::time::sleep(PACE).await;
                                }
                                Ok(_) => return,
                                Err(_) => {
                                    is_fed.store(true, Ordering::SeqCst);
                                    counts.1.fetch_add(1, Ordering::SeqCst);
                                    tokio::time::sleep(Duration::from_millis(20)).await;
                                }
                            }
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("no panic");
            }
            if with_leases {
                // What was not used is on its way back.
                tokio::time::sleep(LASTING * 5).await;
            }
        }
        let (passed, failed) = &*counts;
        say(&format!(
            "{} {}",
            passed.load(Ordering::SeqCst),
            failed.load(Ordering::SeqCst)
        ));
    });
}

fn say(what: &str) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{MARK}{what}").expect("somebody listens");
    output.flush().expect("somebody listens");
}
