//! That the kit's assertions fail when they must: one that cannot is worse than none.

mod answers;
#[cfg(feature = "certificates")]
mod certificates;
mod demands;
mod flaws;
mod issuers;
mod open_routes;
mod principals;
mod records;
mod requests;
mod scopes;
mod strangers;
mod support;
mod sweep;
