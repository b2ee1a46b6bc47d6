//! The client against servers on real sockets that lie, stall, and break off.

#[cfg(test)]
mod http;
#[cfg(test)]
mod server;
