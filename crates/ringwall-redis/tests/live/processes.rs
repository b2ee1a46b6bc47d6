//! A hundred claims of one key at once, over several processes.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use ringwall_redis::RedisReplay;
use ringwall_replay::{Claim, ClaimKey, ClaimRequest, ReplayStore as _};

use crate::setting::{now, shared_url};

const PROCESSES: u32 = 4;
const CLAIMS: u32 = 25;
const KEYS: u32 = 50;
/// Names the run to its processes.
const RUN: &str = "RINGWALL_TEST_CLAIMS_OF";
/// What a process says of itself stands between what the test harness says.
const MARK: &str = "claimant:";

/// Another process, ended with the test.
struct Claimant {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Drop for Claimant {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Claimant {
    fn start(run: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("a test program"))
            .args(["--exact", "processes::claims_as_one_of_several_processes"])
            .args(["--ignored", "--nocapture", "--test-threads=1"])
            .env(RUN, run)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program runs");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Self {
            child,
            input,
            output,
        }
    }

    fn hear(&mut self) -> Option<String> {
        let mut line = String::new();
        while self.output.read_line(&mut line).expect("text") > 0 {
            // The harness writes the test's name before it, on the same line.
            if let Some((_, said)) = line.split_once(MARK) {
                return Some(said.trim().to_owned());
            }
            line.clear();
        }
        None
    }
}

#[test]
fn of_a_hundred_claims_by_several_processes_exactly_one_is_the_first() {
    shared_url();
    let run = format!("{}-{}", std::process::id(), now().unix_micros());
    let mut claimants: Vec<Claimant> = (0..PROCESSES).map(|_| Claimant::start(&run)).collect();
    for claimant in &mut claimants {
        assert_eq!(claimant.hear().as_deref(), Some("ready"));
    }
    for claimant in &mut claimants {
        claimant.input.write_all(b"go\n").expect("it waits");
    }
    let mut first: HashMap<u32, u32> = HashMap::new();
    let mut repeated: HashMap<u32, u32> = HashMap::new();
    for claimant in &mut claimants {
        while let Some(said) = claimant.hear() {
            let (key, answer) = said.split_once(' ').expect("two words");
            let counts = match answer {
                "First" => &mut first,
                "Repeated" => &mut repeated,
                other => panic!("{other}"),
            };
            *counts.entry(key.parse().expect("a number")).or_default() += 1;
        }
        assert!(claimant.child.wait().expect("a child").success());
    }
    for key in 0..KEYS {
        assert_eq!(first.get(&key), Some(&1), "{key}");
        assert_eq!(repeated.get(&key), Some(&(PROCESSES * CLAIMS - 1)), "{key}");
    }
}

#[test]
#[ignore = "a process of the test above, which starts it"]
fn claims_as_one_of_several_processes() {
    let run = std::env::var(RUN).expect("started by the test above");
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    runtime.block_on(async {
        // Processors are few here and waiting is long: this is about who is first.
        let config = crate::setting::config(&shared_url())
            .survives_restarts()
            .timeout(Duration::from_secs(10));
        let client = ringwall_redis::RedisClient::connect(config)
            .await
            .expect("it runs");
        let store = RedisReplay::new(&client);
        say("ready");
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).expect("text");
        for key in 0..KEYS {
            let now = now();
            let request = ClaimRequest {
                key: ClaimKey::new("processes", &[run.as_bytes(), &key.to_be_bytes()]),
                valid_from: now,
                valid_until: now.checked_add(Duration::from_secs(60)).expect("in range"),
                now,
            };
            let claims: Vec<_> = (0..CLAIMS)
                .map(|_| {
                    let store = store.clone();
                    tokio::spawn(async move { store.claim(request).await })
                })
                .collect();
            for claim in claims {
                let answer = claim.await.expect("no panic").expect("it answers");
                say(&format!(
                    "{key} {}",
                    match answer {
                        Claim::First => "First",
                        Claim::Repeated => "Repeated",
                    }
                ));
            }
        }
    });
}

fn say(what: &str) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{MARK}{what}").expect("somebody listens");
    output.flush().expect("somebody listens");
}
