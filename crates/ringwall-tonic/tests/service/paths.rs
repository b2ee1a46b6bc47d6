//! Paths that two programs may read in two ways.

use crate::raw::Call;
use crate::support::Bench;

#[tokio::test]
async fn ambiguous_paths_are_refused_at_every_door() {
    let bench = Bench::new();
    let site = bench.site().await;
    for path in [
        "//test.v1.Cases/Version",
        "/test.v1.Cases//Version",
        "/test.v1.Cases/./Version",
        "/test.v1.Cases/../test.v1.Cases/Version",
        "/x/../test.v1.Cases/Version",
        "/test.v1.Cases/%2e%2e/Version",
        "/test.v1.Cases%2fVersion",
        "/test.v1.Cases/%2fVersion",
        "/test.v1.Cases/Version%00",
        "/test.v1.Cases/Version%0a",
        "/test.v1.Cases/Version%5c",
        "/test.v1.Cases/Version%",
        "/test.v1.Cases/Version%c0%af",
    ] {
        for call in [Call::to(path), Call::to(path).from("writer")] {
            let answer = site.call(call).await;
            assert_eq!((answer.status, answer.code()), (200, Some(3)), "{path}");
        }
    }
    assert!(bench.desk.reached().is_empty());
}

#[tokio::test]
async fn a_path_is_a_method_letter_by_letter_or_not_at_all() {
    let bench = Bench::new();
    let site = bench.site().await;
    for path in [
        "/test.v1.Cases/Version/",
        "/test.v1.Cases/version",
        "/test.v1.Cases/VERSION",
        "/test.v1.cases/Version",
        "/Test.v1.Cases/Version",
        "/test.v1.Cases/V%65rsion",
        "/test.v1.C%61ses/Version",
        "/test%2ev1.Cases/Version",
        "/test.v1.Cases/Version;x=1",
        "/test.v1.Cases/Version%20",
        "/test.v1.Cases/Version%252f",
        "/prefix/test.v1.Cases/Version",
        "/test.v1.Cases/Version/Version",
        "/test.v1.Cases./Version",
    ] {
        // One that is encoded twice is not clear enough to be decided about.
        let expected = if path.contains("%25") {
            (3, 3)
        } else {
            (16, 12)
        };
        let stranger = site.call(Call::to(path)).await.code();
        let writer = site.call(Call::to(path).from("writer")).await.code();
        assert_eq!(
            (stranger, writer),
            (Some(expected.0), Some(expected.1)),
            "{path}"
        );
    }
    assert!(bench.desk.reached().is_empty());
}

#[tokio::test]
async fn a_query_changes_neither_the_method_nor_its_policy() {
    let bench = Bench::new();
    let site = bench.site().await;
    let answer = site.call(Call::of("Version?a=/test.v1.Cases/Write")).await;
    assert_eq!(answer.code(), Some(0));
    let answer = site.call(Call::of("Write?/test.v1.Cases/Version")).await;
    assert_eq!(answer.code(), Some(16));
    assert_eq!(bench.desk.reached(), ["Version"]);
    assert!(
        bench
            .trail()
            .iter()
            .all(|(_, target, _)| !target.contains('?'))
    );
}

#[tokio::test]
async fn encoded_slashes_open_nothing_where_the_owner_permits_them() {
    let bench = Bench::with(|builder| builder.permit_encoded_slashes());
    let site = bench.site().await;
    for path in ["/test.v1.Cases%2fVersion", "/test.v1.Cases/Read%2fVersion"] {
        let answer = site.call(Call::to(path).from("writer")).await;
        assert_eq!(answer.code(), Some(12), "{path}");
    }
    assert!(bench.desk.reached().is_empty());
}
