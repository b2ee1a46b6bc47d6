//! A Redis.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use super::account::Account;
use super::folder::Folder;
use super::process::{Launch, Ready, Server, free_port};
use super::{Result, on_path, random_text};

/// Ports that are tried: another program may take one before the server does.
const TRIES: usize = 5;
/// For one connection, one answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// The server's program, or `None` where it is not installed.
pub(crate) fn executable() -> Option<PathBuf> {
    on_path("redis-server")
}

/// Starts a Redis that drops nothing and stores each write before it answers. `more` are further
/// lines of its configuration, such as `maxmemory 2mb`.
pub(crate) fn start(more: &[&str]) -> Result<Server> {
    let program = executable()
        .ok_or("no redis-server on this system: `cargo xtask test` installs it where it may")?;
    let mut result = Err(String::new());
    for _ in 0..TRIES {
        result = start_once(program.clone(), more);
        if result.is_ok() {
            break;
        }
    }
    result
}

fn start_once(program: PathBuf, more: &[&str]) -> Result<Server> {
    let account = Account::for_servers()?;
    let folder = Folder::create("redis", account)?;
    let port = free_port()?;
    let password = random_text();
    let mut lines = vec![
        "bind 127.0.0.1".to_owned(),
        format!("port {port}"),
        // Not on the command line, which everybody on the machine can read.
        format!("requirepass {password}"),
        format!("dir \"{}\"", folder.data().display()),
        "daemonize no".to_owned(),
        "save \"\"".to_owned(),
        "appendonly yes".to_owned(),
        "appendfsync always".to_owned(),
        "maxmemory-policy noeviction".to_owned(),
        // A test's load is small; two databases keep it small.
        "databases 2".to_owned(),
        String::new(),
    ];
    // The last line of a name counts.
    lines.extend(more.iter().map(|line| format!("{line}\n")));
    let configuration = folder.write("redis.conf", &lines.join("\n"), account)?;
    let launch = Launch {
        program,
        arguments: vec![configuration.into_os_string()],
        account,
        ready: Ready::Redis(password.clone()),
    };
    let url = format!("redis://:{password}@127.0.0.1:{port}/0");
    Server::start(launch, folder, port, url)
}

/// Whether the Redis with this password serves at the port.
pub(crate) fn answers(port: u16, password: &str) -> bool {
    ask(port, password).is_ok_and(|answer| answer.contains("+PONG"))
}

fn ask(port: u16, password: &str) -> std::io::Result<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("AUTH {password}\r\nPING\r\nQUIT\r\n").as_bytes())?;
    let mut answer = String::new();
    // It closes after `QUIT`.
    stream.take(1024).read_to_string(&mut answer)?;
    Ok(answer)
}
