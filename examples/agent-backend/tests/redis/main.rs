//! Several processes of the service and one Redis: run `cargo xtask test -p agent-backend`.

#[cfg(test)]
#[path = "../process/mod.rs"]
mod process;
#[cfg(test)]
mod processes;

#[cfg(test)]
#[expect(dead_code, unused_imports, reason = "the chores use more of it")]
#[path = "../../../../xtask/src/servers/mod.rs"]
mod servers;
