//! That the kit's assertions fail when they must: one that cannot is worse than none.

#[cfg(test)]
#[cfg(feature = "actix")]
mod actix;
#[cfg(test)]
mod answers;
#[cfg(test)]
#[cfg(feature = "certificates")]
mod certificates;
#[cfg(test)]
mod demands;
#[cfg(test)]
mod flaws;
#[cfg(test)]
mod issuers;
#[cfg(test)]
mod judgement;
#[cfg(test)]
mod open_routes;
#[cfg(test)]
mod principals;
#[cfg(test)]
mod records;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod scopes;
#[cfg(test)]
mod strangers;
#[cfg(test)]
mod support;
#[cfg(test)]
mod sweep;
#[cfg(test)]
#[cfg(feature = "tonic")]
mod tonic;
