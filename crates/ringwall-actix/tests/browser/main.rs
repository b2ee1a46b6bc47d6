//! What browsers are told, through the middleware and on real sockets: the corpus of `ringwall-browser`,
//! and what is actix-web's own.

#[cfg(test)]
#[path = "../../../ringwall-browser/tests/corpus/mod.rs"]
mod corpus;
#[cfg(test)]
mod own;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod site;
