//! A PostgreSQL.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::account::Account;
use super::folder::Folder;
use super::process::{Launch, Ready, Server, free_port};
use super::{Result, io, on_path, random_text};

/// Ports that are tried: another program may take one before the server does.
const TRIES: usize = 5;

/// Where Debian keeps the programs of each version, which are on nobody's path.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The database user, who may do everything.
const USER: &str = "ringwall";

/// The folder with the programs of the newest version, or `None` where it is not installed.
pub(crate) fn programs() -> Option<PathBuf> {
    let complete = |folder: &Path| {
        ["initdb", "postgres", "pg_isready"]
            .iter()
            .all(|name| folder.join(name).is_file())
    };
    let version = |folder: &Path| -> Option<u32> { folder.file_name()?.to_str()?.parse().ok() };
    let debian = std::fs::read_dir(DEBIAN).ok().and_then(|entries| {
        entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|folder| complete(&folder.join("bin")))
            .max_by_key(|folder| version(folder))
    });
    match debian {
        Some(folder) => Some(folder.join("bin")),
        None => on_path("initdb")
            .and_then(|program| Some(program.parent()?.to_owned()))
            .filter(|folder| complete(folder)),
    }
}

/// Starts a PostgreSQL with an empty database `postgres`, which stores what it confirms (`fsync`), so
/// that a test may kill whoever writes to it, and itself. With `tls`, a certificate and its key
/// (PEM), it speaks TLS too.
pub(crate) fn start(tls: Option<(&str, &str)>) -> Result<Server> {
    start_with(tls, &[])
}

/// The same with more settings, each as `name=value`; they count before those that a server has otherwise.
pub(crate) fn start_with(tls: Option<(&str, &str)>, settings: &[&str]) -> Result<Server> {
    let programs = programs().ok_or(
        "no PostgreSQL server on this system: `cargo xtask test` installs it where it may",
    )?;
    let mut result = Err(String::new());
    for _ in 0..TRIES {
        result = start_once(&programs, tls, settings);
        if result.is_ok() {
            break;
        }
    }
    result
}

fn start_once(programs: &Path, tls: Option<(&str, &str)>, more: &[&str]) -> Result<Server> {
    let account = Account::for_servers()?;
    let folder = Folder::create("postgres", account)?;
    let port = free_port()?;
    let password = random_text();
    let data = folder.data().to_owned();
    let password_file = folder.write("password", &password, account)?;
    let mut initdb = Command::new(programs.join("initdb"));
    initdb
        .current_dir(folder.path())
        .arg("--pgdata")
        .arg(&data)
        .arg("--pwfile")
        .arg(&password_file)
        .args(["--username", USER, "--auth", "scram-sha-256"])
        // Sorts bytes, on every machine alike.
        .args(["--encoding", "UTF8", "--locale", "C"])
        .stdin(Stdio::null());
    if let Some(account) = account {
        account.of(&mut initdb);
    }
    let made = initdb
        .output()
        .map_err(|error| io("start", &programs.join("initdb"), &error))?;
    if !made.status.success() {
        return Err(format!(
            "initdb failed:\n{}",
            String::from_utf8_lossy(&made.stderr)
        ));
    }
    let mut arguments: Vec<OsString> = vec!["-D".into(), data.into_os_string()];
    for setting in [
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        "unix_socket_directories=".to_owned(),
        "fsync=on".to_owned(),
        // Every test program has pools of its own.
        "max_connections=300".to_owned(),
        "shared_buffers=32MB".to_owned(),
    ] {
        arguments.extend(["-c".into(), setting.into()]);
    }
    // Of two that differ, the last one counts.
    for setting in more {
        arguments.extend(["-c".into(), (*setting).into()]);
    }
    if let Some((certificate, key)) = tls {
        let certificate = folder.write("server.crt", certificate, account)?;
        let key = folder.write("server.key", key, account)?;
        for setting in [
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", certificate.display()),
            format!("ssl_key_file={}", key.display()),
        ] {
            arguments.extend(["-c".into(), setting.into()]);
        }
    }
    let launch = Launch {
        program: programs.join("postgres"),
        arguments,
        account,
        ready: Ready::Postgres(programs.join("pg_isready")),
    };
    let url = format!("postgres://{USER}:{password}@127.0.0.1:{port}/postgres");
    Server::start(launch, folder, port, url)
}
