//! The Authorization API 1.0 of OpenID AuthZEN, as enforcement points see it.

#[cfg(test)]
mod batch;
#[cfg(test)]
mod deciding;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod metadata;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod searching;
#[cfg(test)]
mod spelling;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod world;
