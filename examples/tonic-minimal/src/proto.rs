//! What `build.rs` makes of `proto/cases.proto`.
#![expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    unreachable_pub,
    unused_qualifications,
    reason = "generated"
)]

tonic::include_proto!("cases.v1");
