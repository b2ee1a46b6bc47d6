//! TLS of the service's own: certificates that are replaced while it runs, proxies in front of it, and
//! what browsers are told.

use std::error::Error;
use std::fs;
use std::path::Path;

use crate::tour::Tour;
use crate::tour::client::{Ask, Client};
use crate::tour::encrypted::{Authority, EncryptedClient};
use crate::tour::expect::Expect;
use crate::tour::forge::{ALPHA, Forge};
use crate::tour::outside::{AUDIENCE, Outside};

const APP: &str = "https://app.tour.example";

pub(crate) async fn run(tour: &mut Tour, forge: &Forge) -> Result<(), Box<dyn Error>> {
    let folder = tour.folder.join("encrypted");
    let front = "https_redirect_hosts = [\"agent-backend.tour.example\"]";
    let outside = Outside::new(&folder, "\"jwt\", \"mtls\"", front)?;
    let authority = Authority::new(&folder, "authority")?;
    let server = authority.server()?;
    let certificate = authority.file("server.pem", &server.chain)?;
    let key = authority.file("server.key", &server.key)?;
    let roots = authority.file("clients.pem", &authority.root())?;
    let text = |path: &Path| serde_json::Value::from(path.to_string_lossy()).to_string();
    let more = format!(
        "\n[tls]\ncertificate = {}\nkey = {}\nclient_roots = [{}]\npoll_seconds = 1\n\n\
         [certificates]\ntrust_domain = \"tour.example\"\n\
         [certificates.clients.\"spiffe://tour.example/worker\"]\norg = \"acme\"\nscopes = [\"cases:read\"]\n\n\
         [browser]\nallowed_origins = [\"{APP}\", \"https://*.tour.example\"]\n",
        text(&certificate),
        text(&key),
        text(&roots),
    );
    let config = fs::read_to_string(&outside.config)? + &more;
    fs::write(&outside.config, config)?;
    let path = outside.config.display().to_string();
    let mut service = tour.serve(&["serve", "--config", &path]).await?;
    let token = forge.issue(&outside.issuer, &ALPHA, AUDIENCE);
    let whoami = || Ask::get("/api/whoami").bearer(&token);
    let nobody = EncryptedClient::new(service.address(), &authority.root(), None)?;

    tour.area("TLS");
    let answer = nobody.ask(&whoami()).await;
    tour.compare("a good token over TLS", &answer, &Expect::status(200));
    let other = Authority::new(&folder, "stranger")?;
    let suspicious = EncryptedClient::new(service.address(), &other.root(), None)?;
    let answer = suspicious.ask(&whoami()).await;
    tour.happened(
        "a client that does not know the authority stays away",
        answer.failure.is_some(),
    );
    let plain = Client::new(service.address()).ask(&whoami()).await;
    tour.happened("plain HTTP at the port of TLS", plain.failure.is_some());
    let known = authority.client("spiffe://tour.example/worker")?;
    let worker = EncryptedClient::new(service.address(), &authority.root(), Some(&known))?;
    let certified = || Ask::get("/api/whoami");
    let answer = worker.ask(&certified()).await;
    let known = Expect::status(200).json("/subject", "spiffe://tour.example/worker");
    tour.compare("a client certificate of the authority", &answer, &known);
    let answer = worker.ask(&Ask::get("/api/cases")).await;
    tour.compare("what its mapping grants", &answer, &Expect::status(200));
    let answer = worker.ask(&Ask::get("/api/audit")).await;
    tour.compare("what it does not", &answer, &Expect::status(403));
    let answer = worker.ask(&whoami()).await;
    let ambiguous = Expect::status(400);
    tour.compare("a token beside the certificate", &answer, &ambiguous);
    let other_name = authority.client("spiffe://tour.example/other")?;
    let unknown = EncryptedClient::new(service.address(), &authority.root(), Some(&other_name))?;
    let answer = unknown.ask(&certified()).await;
    tour.compare(
        "one of the same authority that nobody named",
        &answer,
        &Expect::status(403),
    );
    let foreign = other.client("spiffe://tour.example/worker")?;
    let foreign = EncryptedClient::new(service.address(), &authority.root(), Some(&foreign))?;
    let answer = foreign.ask(&certified()).await;
    tour.happened(
        "a client certificate of somebody else with the same name",
        answer.failure.is_some(),
    );

    // The client's root goes, while the service runs.
    authority.file("clients.pem", &other.root())?;
    let mut gone = false;
    for _ in 0..100 {
        tokio::time::sleep(core::time::Duration::from_millis(100)).await;
        gone = worker.ask(&certified()).await.failure.is_some();
        if gone {
            break;
        }
    }
    tour.happened("the root is removed: its clients are refused soon", gone);
    let answer = foreign.ask(&certified()).await;
    tour.compare(
        "and those of the new root let in",
        &answer,
        &Expect::status(200),
    );
    let answer = nobody.ask(&whoami()).await;
    tour.compare("whoever shows none still is", &answer, &Expect::status(200));

    browsers(tour, &nobody).await;
    service.terminate()?;
    service.ended().await?;
    proxied(tour, &folder, forge).await
}

async fn browsers(tour: &mut Tour, client: &EncryptedClient) {
    tour.area("What browsers are told");
    let page = Expect::status(200)
        .header("content-type", "text/html; charset=utf-8")
        .header("strict-transport-security", "max-age=31536000")
        .header("x-frame-options", "DENY")
        .header("x-content-type-options", "nosniff")
        .header("referrer-policy", "strict-origin-when-cross-origin");
    let answer = client.ask(&Ask::get("/")).await;
    tour.compare("the page, with its header fields", &answer, &page);
    let policy = answer.header("content-security-policy").unwrap_or_default();
    tour.happened(
        "its policy permits nothing inline and nobody to frame it",
        policy.contains("default-src 'none'")
            && policy.contains("frame-ancestors 'none'")
            && !policy.contains("unsafe"),
    );
    tour.happened(
        "and nothing stands inline in it",
        !answer.body.contains("<script>") && !answer.body.contains("style="),
    );
    let answer = client.ask(&Ask::get("/api/whoami")).await;
    let refusal = Expect::status(401).header("x-content-type-options", "nosniff");
    tour.compare("a refusal has them too", &answer, &refusal);

    let preflight = |origin: &str| {
        Ask::new("OPTIONS", "/api/cases")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,content-type",
            )
    };
    for origin in [APP, "https://other.tour.example"] {
        let answer = client.ask(&preflight(origin)).await;
        let open = Expect::status(204).header("access-control-allow-origin", origin);
        tour.compare(&format!("a preflight from {origin}"), &answer, &open);
    }
    for origin in [
        "https://eviltour.example",
        "https://tour.example",
        "https://a.b.tour.example",
        "https://app.tour.example.evil.example",
        "http://app.tour.example",
        "https://app.tour.example:8443",
        "null",
    ] {
        let answer = client.ask(&preflight(origin)).await;
        let closed = Expect::status(204).no_header("access-control-allow-origin");
        tour.compare(&format!("a preflight from {origin}"), &answer, &closed);
    }
    let answer = client.ask(&Ask::new("OPTIONS", "/api/cases")).await;
    tour.compare(
        "OPTIONS that is no preflight",
        &answer,
        &Expect::status(401),
    );
    let ask = Ask::get("/api/whoami").header("origin", APP);
    let answer = client.ask(&ask).await;
    let readable = Expect::status(401).header("access-control-allow-origin", APP);
    tour.compare("a page reads why it was refused", &answer, &readable);
}

/// The same service behind something that ends TLS.
async fn proxied(tour: &mut Tour, folder: &Path, forge: &Forge) -> Result<(), Box<dyn Error>> {
    tour.area("Behind a proxy that ends TLS");
    let front = "trusted_proxies = [\"127.0.0.1\"]";
    let outside = Outside::new(&folder.join("proxied"), "\"jwt\"", front)?;
    let path = outside.config.display().to_string();
    let mut service = tour.serve(&["serve", "--config", &path]).await?;
    let client = Client::new(service.address());
    let token = forge.issue(&outside.issuer, &ALPHA, AUDIENCE);
    let whoami = || Ask::get("/api/whoami").bearer(&token);
    let over = |proto: &str| whoami().header("x-forwarded-proto", proto);
    let https = || over("https").header("x-forwarded-for", "203.0.113.7");
    tour.ask("HTTPS at the proxy", &client, https(), Expect::status(200))
        .await;
    for (tried, ask) in [
        ("plain HTTP at the proxy", over("http")),
        ("no word of the scheme", whoami()),
        (
            "two words",
            over("https").header("x-forwarded-proto", "http"),
        ),
        ("a list of words", over("https, http")),
        (
            "the word of the other family",
            whoami().header("forwarded", "for=203.0.113.7;proto=https"),
        ),
    ] {
        let refused = Expect::status(403).no_header("location");
        tour.ask(tried, &client, ask, refused).await;
    }
    let ask = https().header("connection", "close, x-forwarded-for");
    tour.ask(
        "a client that makes proxies remove a field",
        &client,
        ask,
        Expect::status(400),
    )
    .await;
    let ask = https().header("x_forwarded_for", "10.0.0.1");
    tour.ask(
        "a field spelled otherwise",
        &client,
        ask,
        Expect::status(400),
    )
    .await;
    tour.ask(
        "a probe, which comes from beside the service",
        &client,
        Ask::get("/healthz"),
        Expect::status(200),
    )
    .await;
    service.terminate()?;
    service.ended().await?;
    Ok(())
}
