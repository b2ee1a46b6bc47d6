//! Who is believed when they say for whom they speak, and what of it.

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod forwarded;
#[cfg(test)]
mod networks;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod scheme_and_host;
#[cfg(test)]
mod support;
#[cfg(test)]
mod untrusted;
#[cfg(test)]
mod x_forwarded_for;
