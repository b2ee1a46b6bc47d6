//! `agent-backend tour`: starts the service as a process of its own and drives it through every
//! control over real sockets, as a client that means well and as several that do not.
//!
//! Each step says what it tries and what must happen; a difference makes the tour fail.

mod answer;
mod callers;
mod client;
mod encrypted;
mod expect;
mod forge;
mod outside;
mod remote;
mod report;
mod service;
mod steps;

use core::time::Duration;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::TourArgs;
use crate::tour::answer::Answer;
use crate::tour::client::{Ask, Client};
use crate::tour::expect::Expect;
use crate::tour::forge::Forge;
use crate::tour::report::Report;
use crate::tour::service::Service;

/// The longest a tour may take. It takes 40 seconds, most of it for keys that have to grow old;
/// what hangs must not hang a test run.
const TIME: Duration = Duration::from_secs(120);

/// All of the tour comes from one address, most of it as one person, and much of it with wrong credentials. So
/// the services that are not asked about their limits have higher ones, as an operator sets them.
const RAISED_LIMITS: &[(&str, &str)] = &[
    ("AGENT_BACKEND__RATE_LIMITS__LIMITS__TENANT__COUNT", "10000"),
    (
        "AGENT_BACKEND__RATE_LIMITS__LIMITS__TENANT__CEILING_COUNT",
        "10000",
    ),
    ("AGENT_BACKEND__RATE_LIMITS__LIMITS__TENANT__BURST", "10000"),
    (
        "AGENT_BACKEND__RATE_LIMITS__LIMITS__TENANT__CEILING_BURST",
        "10000",
    ),
    ("AGENT_BACKEND__RATE_LIMITS__LIMITS__USER__COUNT", "100000"),
    (
        "AGENT_BACKEND__RATE_LIMITS__LIMITS__ANONYMOUS__COUNT",
        "100000",
    ),
    (
        "AGENT_BACKEND__RATE_LIMITS__FAILED_CREDENTIALS__COUNT",
        "100000",
    ),
    (
        "AGENT_BACKEND__RATE_LIMITS__FAILED_CREDENTIALS__BURST",
        "100000",
    ),
];

pub(crate) fn run(args: &TourArgs) -> Result<ExitCode, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let report = runtime.block_on(async {
        tokio::time::timeout(TIME, drive())
            .await
            .map_err(|_| "the tour took longer than two minutes")?
    })?;
    report.print();
    if let Some(path) = &args.json {
        std::fs::write(path, report.json())?;
    }
    Ok(if report.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn drive() -> Result<Report, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut tour = Tour::new(folder.path())?;
    let data_dir = folder.path().join("development");
    let service = tour.serve_dev(&data_dir).await?;
    let forge = Forge::new(&data_dir)?;
    let client = Client::new(service.address());

    steps::public::run(&mut tour, &client).await;
    steps::tokens::run(&mut tour, &client, &forge).await?;
    steps::credentials::run(&mut tour, &client, &forge).await;
    steps::routes::run(&mut tour, &client, &forge).await;
    steps::paths::run(&mut tour, &client, &forge).await;
    steps::tenants::run(&mut tour, &client, &forge).await;
    steps::members::run(&mut tour, &client, &forge).await;
    steps::step_up::run(&mut tour, &client, &forge).await;
    steps::api_keys::run(&mut tour, &client, &forge).await;
    steps::organisations::run(&mut tour, &client, &forge).await;
    steps::input::run(&mut tour, &client, &forge).await;
    steps::audit::run(&mut tour, &client, &forge).await;
    let key = steps::modes::key(&client, &forge).await;
    steps::stop::run(&mut tour, service, &data_dir, &forge).await?;
    steps::modes::run(&mut tour, &data_dir, &forge, &key).await?;
    steps::limits::run(&mut tour, &data_dir, &forge).await?;
    steps::start::run(&mut tour, &data_dir).await?;
    steps::outside::run(&mut tour, &data_dir, &forge).await?;
    steps::encrypted::run(&mut tour, &forge).await?;
    steps::remote::run(&mut tour, &data_dir, &forge).await?;
    steps::logs::run(&mut tour, &forge);
    Ok(tour.report)
}

/// What the steps share.
struct Tour {
    report: Report,
    /// This program, which is started as the service.
    program: PathBuf,
    /// Where everything of this tour lies; it is deleted at the end.
    folder: PathBuf,
    /// What the services wrote to their logs.
    logs: Vec<PathBuf>,
}

impl Tour {
    fn new(folder: &Path) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            report: Report::default(),
            program: std::env::current_exe()?,
            folder: folder.to_owned(),
            logs: Vec::new(),
        })
    }

    /// Begins a chapter of the report.
    fn area(&mut self, name: &'static str) {
        self.report.area(name);
    }

    /// Asks, compares, and notes.
    async fn ask(&mut self, tried: &str, client: &Client, ask: Ask, expect: Expect) -> Answer {
        let answer = client.ask(&ask).await;
        self.compare(tried, &answer, &expect);
        answer
    }

    /// As [`Tour::ask`], over a bare socket: for what no HTTP library would send.
    async fn ask_raw(&mut self, tried: &str, client: &Client, request: &str, expect: Expect) {
        let answer = client.ask_raw(request.as_bytes()).await;
        self.compare(tried, &answer, &expect);
    }

    /// As [`Tour::ask`], as often as it takes, but not for long: for what happens soon.
    async fn ask_until(&mut self, tried: &str, client: &Client, ask: Ask, expect: Expect) {
        let mut answer = client.ask(&ask).await;
        for _ in 0..100 {
            if expect.is_met_by(&answer) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            answer = client.ask(&ask).await;
        }
        self.compare(tried, &answer, &expect);
    }

    fn compare(&mut self, tried: &str, answer: &Answer, expect: &Expect) {
        let (expected, got) = (expect.to_string(), expect.shown_of(answer));
        let ok = expect.is_met_by(answer);
        self.report.note(tried, expected, got, ok);
    }

    /// Notes something that is no request.
    fn note(&mut self, tried: &str, expected: impl Into<String>, got: impl Into<String>) {
        let (expected, got) = (expected.into(), got.into());
        let ok = expected == got;
        self.report.note(tried, expected, got, ok);
    }

    /// Notes whether something happened that had to.
    fn happened(&mut self, tried: &str, did: bool) {
        self.note(tried, "yes", if did { "yes" } else { "no" });
    }

    /// Starts the service with `--dev`.
    async fn serve_dev(&mut self, data_dir: &Path) -> Result<Service, Box<dyn Error>> {
        let data_dir = data_dir.display().to_string();
        let args = [
            "serve",
            "--dev",
            "--listen",
            "127.0.0.1:0",
            "--data-dir",
            &data_dir,
        ];
        self.serve(&args).await
    }

    /// Starts the service, with limits that the tour does not come near.
    async fn serve(&mut self, args: &[&str]) -> Result<Service, Box<dyn Error>> {
        self.serve_with(args, RAISED_LIMITS).await
    }

    /// Starts the service with these variables.
    async fn serve_with(
        &mut self,
        args: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Service, Box<dyn Error>> {
        let number = self.logs.len();
        let output = self.folder.join(format!("output-{number}"));
        let log = self.folder.join(format!("log-{number}"));
        self.logs.extend([output.clone(), log.clone()]);
        let program = &self.program;
        Service::start(program, args, variables, &self.folder, &output, &log).await
    }
}
