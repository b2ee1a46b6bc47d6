//! One set of requests, each with its verdict, sent to the same routes in axum, actix-web, tonic
//! and plain tower services, over real sockets: by HTTP/1.1, HTTP/2 and gRPC.
//!
//! The cases are data: `crates/ringwall-gate/tests/vectors`, with a README that says how to add one.

#[cfg(test)]
mod actix_site;
#[cfg(test)]
mod answer;
mod api_keys;
#[cfg(test)]
mod authorization;
#[cfg(test)]
mod axum_site;
#[cfg(test)]
mod case;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod echo;
#[cfg(test)]
mod expect;
#[cfg(test)]
mod gates;
#[cfg(test)]
mod http1;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod manual;
#[cfg(test)]
mod proofs;
#[cfg(test)]
mod render;
mod replay;
#[cfg(test)]
mod text;
#[cfg(test)]
mod tonic_site;
#[cfg(test)]
mod tower_site;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod wire;
