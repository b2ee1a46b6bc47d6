//! The tests of `ringwall-authn` that use its public API alone, in one program.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::string_slice,
    clippy::wildcard_enum_match_arm,
    reason = "tests, on texts that are ASCII"
)]

#[cfg(test)]
mod allowed_grants;
#[cfg(test)]
mod binding;
#[cfg(test)]
mod cache;
#[cfg(test)]
mod grants;
#[cfg(test)]
mod issuing;
#[cfg(test)]
mod logins;
#[cfg(test)]
mod metadata;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod presets;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod providers;
#[cfg(test)]
mod pyjwt;
#[cfg(test)]
mod recheck;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod revoking;
#[cfg(test)]
mod support;
#[cfg(test)]
mod threats_claims;
#[cfg(test)]
mod threats_form;
#[cfg(test)]
mod threats_header;
