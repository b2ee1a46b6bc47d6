//! The program as it is built, on files, on a real PostgreSQL and on a real Redis: run
//! `cargo xtask test -p ringwall-cli`.

#[cfg(test)]
mod configurations;
#[cfg(test)]
mod files;
#[cfg(test)]
mod guides;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod revocations;
#[cfg(test)]
mod runner;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod service_keys;
#[cfg(test)]
mod subjects;
#[cfg(test)]
mod tls;
