//! A private PostgreSQL and a private Redis for all tests of a run.

use super::debian;
use crate::{
    failure::{Failure, Result},
    program::Program,
    project::Project,
    servers::{self, Server},
};

/// Tell the tests where the servers are, with name and password.
const POSTGRES_VARIABLE: &str = "RINGWALL_TEST_POSTGRES_URL";
const REDIS_VARIABLE: &str = "RINGWALL_TEST_REDIS_URL";

/// The servers of a run. When this is dropped, they are ended, also after a failure.
#[derive(Debug)]
pub(crate) struct Databases {
    /// `None` where the caller named one.
    postgres: Option<Server>,
    redis: Option<Server>,
}

impl Databases {
    /// Installs what is missing where it may, and starts what the caller did not name.
    pub(crate) fn start() -> Result<Self> {
        // Tests start servers of their own as well, so the programs are needed in any case.
        need_postgres("to test against a real PostgreSQL")?;
        if servers::redis::executable().is_none() {
            debian::install(&["redis-server"], "to test against a real Redis")?;
        }
        let unless_named =
            |variable, start: fn() -> servers::Result<Server>| match std::env::var_os(variable) {
                Some(_) => Ok(None),
                None => start().map(Some).map_err(Failure::new),
            };
        Ok(Self {
            postgres: unless_named(POSTGRES_VARIABLE, || servers::postgres::start(None))?,
            redis: unless_named(REDIS_VARIABLE, || servers::redis::start(&[]))?,
        })
    }

    /// The project, whose programs find the servers.
    pub(crate) fn told_to(&self, project: Project) -> Project {
        let servers = [
            (POSTGRES_VARIABLE, &self.postgres),
            (REDIS_VARIABLE, &self.redis),
        ];
        servers
            .into_iter()
            .fold(project, |project, (variable, server)| match server {
                Some(server) => project.with(variable, server.url()),
                None => project,
            })
    }
}

/// A Redis that keeps everything in memory, for measuring what it and we cost, and not its disk.
#[derive(Debug)]
pub(crate) struct BenchRedis(Server);

impl BenchRedis {
    pub(super) fn start() -> Result<Self> {
        if servers::redis::executable().is_none() {
            debian::install(&["redis-server"], "to measure against a real Redis")?;
        }
        let server = servers::redis::start(&["appendonly no"]).map_err(Failure::new)?;
        Ok(Self(server))
    }

    /// The program, which finds the server.
    pub(crate) fn told_to(&self, program: Program) -> Program {
        program.env(REDIS_VARIABLE, self.0.url())
    }
}

/// A PostgreSQL that keeps a table of a million rows in its memory, for measuring what statements cost, and not its disk.
#[derive(Debug)]
pub(crate) struct BenchPostgres(Server);

impl BenchPostgres {
    pub(super) fn start() -> Result<Self> {
        need_postgres("to measure against a real PostgreSQL")?;
        let settings = ["shared_buffers=512MB", "max_wal_size=4GB"];
        let server = servers::postgres::start_with(None, &settings).map_err(Failure::new)?;
        Ok(Self(server))
    }

    /// The program, which finds the server.
    pub(crate) fn told_to(&self, program: Program) -> Program {
        program.env(POSTGRES_VARIABLE, self.0.url())
    }
}

fn need_postgres(purpose: &str) -> Result<()> {
    match servers::postgres::programs() {
        Some(_) => Ok(()),
        None => debian::install(&["postgresql"], purpose),
    }
}

/// Here and not beside the servers: test programs that include them must not run these again.
#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::path::Path;

    use super::*;
    use crate::servers::account::Account;
    use crate::servers::folder::Folder;

    fn is_listening(server: &Server) -> bool {
        TcpStream::connect(("127.0.0.1", server.port())).is_ok()
    }

    #[test]
    fn a_redis_is_paused_killed_started_again_and_ended() {
        let mut server = servers::redis::start(&["maxmemory 4mb"]).unwrap();
        let folder = server.folder().to_owned();
        let port = server.port();
        assert!(server.url().ends_with(&format!("@127.0.0.1:{port}/0")));
        let (_, password) = server.url().split_once("//:").unwrap();
        let password = password.split('@').next().unwrap().to_owned();
        assert!(servers::redis::answers(port, &password));
        assert!(!servers::redis::answers(port, "another"));

        server.pause();
        assert!(!servers::redis::answers(port, &password));
        server.resume();
        assert!(servers::redis::answers(port, &password));

        server.kill();
        assert!(!is_listening(&server));
        server.start_again().unwrap();
        assert!(servers::redis::answers(port, &password));

        drop(server);
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
        assert!(!folder.exists());
    }

    #[test]
    fn a_postgres_is_killed_and_started_again() {
        let mut server = servers::postgres::start(None).unwrap();
        let folder = server.folder().to_owned();
        assert!(is_listening(&server));
        server.kill();
        assert!(!is_listening(&server));
        server.start_again().unwrap();
        assert!(is_listening(&server));
        // What happens to a paused server at the end: it is ended all the same.
        server.pause();
        drop(server);
        assert!(!folder.exists());
    }

    #[test]
    fn a_server_that_does_not_start_says_why() {
        let failure = servers::redis::start(&["no-such-setting yes"]).unwrap_err();
        assert!(failure.contains("no-such-setting"), "{failure}");
    }

    #[cfg(unix)]
    #[test]
    fn follows_no_link_where_it_writes() {
        use std::os::unix::fs::MetadataExt as _;
        let owner = Account::for_servers().expect("an account");
        let folder = Folder::create("links", owner).expect("a folder");
        let target = folder.path().join("of-the-system");
        std::fs::write(&target, "as it was").expect("ours");
        let before = std::fs::metadata(&target).expect("there");
        std::os::unix::fs::symlink(&target, folder.path().join("password")).expect("ours");
        assert!(folder.write("password", "hunter2", owner).is_err());
        assert_eq!(
            std::fs::read_to_string(&target).expect("there"),
            "as it was"
        );
        let after = std::fs::metadata(&target).expect("there");
        assert_eq!((after.uid(), after.mode()), (before.uid(), before.mode()));
    }

    #[cfg(unix)]
    #[test]
    fn the_server_can_write_only_where_we_do_not() {
        use std::os::unix::fs::MetadataExt as _;
        let owner = Account::for_servers().expect("an account");
        let folder = Folder::create("owners", owner).expect("a folder");
        let file = folder.write("conf", "text", owner).expect("written");
        let of = |path: &Path| std::fs::symlink_metadata(path).expect("there");
        let (outer, data) = (of(folder.path()), of(folder.data()));
        assert_eq!(data.mode() & 0o777, 0o700);
        assert_eq!(of(&file).mode() & 0o777, 0o600);
        assert_eq!(of(&file).uid(), data.uid());
        if owner.is_some() {
            assert_eq!((outer.uid(), outer.mode() & 0o777), (0, 0o710));
            assert_ne!(data.uid(), 0);
        } else {
            assert_eq!((outer.uid(), outer.mode() & 0o777), (data.uid(), 0o700));
        }
    }
}
