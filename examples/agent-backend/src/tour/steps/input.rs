//! Bodies and queries that are not what they should be.

use crate::tour::Tour;
use crate::tour::client::{Ask, Client};
use crate::tour::expect::Expect;
use crate::tour::forge::{ALPHA, Forge};

const LIMIT: usize = 128 * 1024;

pub(crate) async fn run(tour: &mut Tour, client: &Client, forge: &Forge) {
    tour.area("Input");
    let good = forge.good(&ALPHA);
    let post = |body: String| Ask::new("POST", "/api/cases").bearer(&good).json(body);
    let bodies = [
        ("no JSON", "{".to_owned()),
        ("no body", String::new()),
        (
            "the members in an array, without their names",
            r#"["t","b"]"#.to_owned(),
        ),
        ("JSON and more", r#"{"title":"t","body":"b"} {}"#.to_owned()),
        (
            "a member that would name the tenant",
            r#"{"title":"t","body":"b","org":"globex"}"#.to_owned(),
        ),
        (
            "a member that would name the author",
            r#"{"title":"t","body":"b","created_by":"root"}"#.to_owned(),
        ),
        (
            "the title twice",
            r#"{"title":"t","title":"u","body":"b"}"#.to_owned(),
        ),
        ("an empty title", r#"{"title":"","body":"b"}"#.to_owned()),
        (
            "a title in two lines",
            r#"{"title":"a\nb","body":"b"}"#.to_owned(),
        ),
        (
            "a title of 201 characters",
            format!(r#"{{"title":"{}","body":"b"}}"#, "x".repeat(201)),
        ),
        (
            "an unknown sensitivity",
            r#"{"title":"t","body":"b","sensitivity":"none"}"#.to_owned(),
        ),
        ("brackets without end", "[".repeat(100_000)),
    ];
    for (tried, body) in bodies {
        let refused = Expect::status(400).header("content-type", "application/problem+json");
        tour.ask(tried, client, post(body), refused).await;
    }
    let form = Ask::new("POST", "/api/cases")
        .bearer(&good)
        .body("title=t&body=b");
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    tour.ask(
        "a form, as another site could send it",
        client,
        form,
        Expect::status(415),
    )
    .await;
    too_large(tour, client, &good, post("x".repeat(LIMIT + 1))).await;
    for (tried, query) in [
        ("a page of none", "limit=0"),
        ("a page of 101", "limit=101"),
        ("a negative page", "limit=-1"),
        ("a limit twice", "limit=1&limit=100"),
        ("a cursor that is none", "cursor=1%20OR%201=1"),
        ("an unknown parameter", "org=globex"),
    ] {
        let ask = Ask::get(format!("/api/cases?{query}")).bearer(&good);
        tour.ask(tried, client, ask, Expect::status(400)).await;
    }
    for id in ["1", "%27%20OR%201=1", "AAAAAAAAAAAAAAAAAAAAAB"] {
        let ask = Ask::get(format!("/api/cases/{id}")).bearer(&good);
        tour.ask(&format!("the id {id}"), client, ask, Expect::status(404))
            .await;
    }
}

async fn too_large(tour: &mut Tour, client: &Client, token: &str, long: Ask) {
    let refused = || Expect::status(413).json("/limit", LIMIT);
    tour.ask("a body of more than 128 KiB", client, long, refused())
        .await;
    let head = format!(
        "POST /api/cases HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\nconnection: close\r\n",
        client.address(),
    );
    let announced = format!("{head}content-length: 99999999999\r\n\r\n");
    tour.ask_raw(
        "a body of 100 GB, of which nothing is sent",
        client,
        &announced,
        refused(),
    )
    .await;
    let chunk = format!("{:x}\r\n{}\r\n", LIMIT, "x".repeat(LIMIT));
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n");
    tour.ask_raw(
        "a long body that does not say its length",
        client,
        &chunked,
        Expect::status(413),
    )
    .await;
    let stranger = chunked.replace("authorization", "x-authorization");
    tour.ask_raw(
        "the same without a token",
        client,
        &stranger,
        Expect::no_credentials(),
    )
    .await;
}
