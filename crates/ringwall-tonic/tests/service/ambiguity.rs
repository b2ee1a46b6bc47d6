//! Credentials that can be read in two ways.

use crate::raw::Call;
use crate::support::Bench;

const WRITER: &str = "Bearer writer";

/// The bytes that binary metadata has after its base64 is decoded are nobody's business: it is another
/// field, `authorization-bin`.
const BINARY: &str = "QmVhcmVyIHdyaXRlcg";

async fn codes(calls: impl IntoIterator<Item = Call>) -> Vec<Option<u32>> {
    let bench = Bench::new();
    let site = bench.site().await;
    let mut codes = Vec::new();
    for call in calls {
        codes.push(site.call(call).await.code());
    }
    codes
}

#[tokio::test]
async fn two_credentials_are_refused_as_malformed_whatever_they_are() {
    let bench = Bench::new();
    let site = bench.site().await;
    for (first, second) in [
        (("authorization", WRITER), ("authorization", WRITER)),
        (
            ("authorization", WRITER),
            ("authorization", "Bearer mallory"),
        ),
        (("authorization", ""), ("authorization", WRITER)),
        (("authorization", WRITER), ("x-api-key", "writer")),
        (("authorization", "Basic x"), ("x-api-key", "writer")),
    ] {
        for method in ["Whoami", "Greet", "Write", "Upload", "Talk", "Forgotten"] {
            let call = Call::of(method)
                .with(first.0, first.1)
                .with(second.0, second.1);
            let answer = site.call(call).await;
            assert_eq!(answer.code(), Some(3), "{method} {first:?} {second:?}");
            assert_eq!(
                answer.header("www-authenticate"),
                Some("Bearer realm=\"test\", error=\"invalid_request\"")
            );
        }
    }
    assert!(bench.desk.reached().is_empty());
}

#[tokio::test]
async fn joined_credentials_are_not_one() {
    let refused = codes([
        Call::of("Whoami").with("authorization", "Bearer writer, Bearer reader"),
        Call::of("Whoami").with("authorization", "Bearer writer,Bearer writer"),
        Call::of("Whoami").with("authorization", ", Bearer writer"),
        Call::of("Whoami").with("authorization", "Bearer"),
        Call::of("Whoami").with("authorization", ""),
        Call::of("Greet").with("authorization", ""),
    ])
    .await;
    assert_eq!(refused, [Some(16); 6]);
}

#[tokio::test]
async fn binary_metadata_is_no_credential() {
    let answered = codes([
        Call::of("Whoami").with("authorization-bin", BINARY),
        Call::of("Greet").with("authorization-bin", BINARY),
        // It does not make a good one ambiguous either.
        Call::of("Whoami")
            .with("authorization-bin", BINARY)
            .from("reader"),
    ])
    .await;
    assert_eq!(answered, [Some(16), Some(0), Some(0)]);
}

#[tokio::test]
async fn one_credential_of_either_kind_is_enough() {
    let answered = codes([
        Call::of("Write").from("writer"),
        Call::of("Write").with("x-api-key", "writer"),
        Call::of("Write").with("x-api-key", "mallory"),
        Call::of("Write").with_bytes("authorization", b"Bearer \xff"),
    ])
    .await;
    assert_eq!(answered, [Some(0), Some(0), Some(16), Some(16)]);
}

#[tokio::test]
async fn several_host_fields_are_refused_also_in_public_methods() {
    let answered = codes([
        Call::of("Version").with("host", "a").with("host", "b"),
        Call::of("Version").with("host", "a"),
    ])
    .await;
    assert_eq!(answered, [Some(3), Some(0)]);
}
