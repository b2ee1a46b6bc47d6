//! What the environment of a process can change and what it cannot. Each test starts itself again
//! in a process of its own with the variables set.

use std::process::{Command, Output};

use super::*;

/// Says what a process that a test has started fetches.
const URL: &str = "RINGWALL_LIVE_URL";

async fn run_again(test: &str, variables: Vec<(&'static str, String)>) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture"])
        .env_remove("SSL_CERT_DIR")
        .envs(variables);
    let run = tokio::task::spawn_blocking(move || command.output());
    let output = run.await.unwrap().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("1 passed"), "{output:?}");
    output
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_not_asked() {
    if let Ok(url) = std::env::var(URL) {
        document(fetch(&fetcher(), development(&url)).await);
        return;
    }
    let server = Server::start(served()).await;
    let proxy = Server::start(served()).await;
    let mut variables = vec![(URL, server.url("/jwks")), ("NO_PROXY", String::new())];
    for name in [
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "all_proxy",
    ] {
        variables.push((name, proxy.url("")));
    }
    run_again(
        "http::environment::a_proxy_of_the_environment_is_not_asked",
        variables,
    )
    .await;
    assert_eq!(server.request_count(), 1);
    assert_eq!(proxy.connections(), 0);
}

/// On other systems the platform's roots are not in a file.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_platforms_roots_are_trusted_unless_only_named_ones_are() {
    if let Ok(url) = std::env::var(URL) {
        // Also shows that no process-wide provider is needed: this process installed none, and
        // before the fetcher nothing else could.
        let fetcher = HttpFetcher::new().unwrap();
        document(fetch(&fetcher, development(&url)).await);
        assert!(rustls::crypto::CryptoProvider::get_default().is_none());
        let error = fetch(&super::fetcher(), development(&url)).await;
        assert_eq!(error.expect_err("refused").kind(), FetchErrorKind::Tls);
        return;
    }
    let authority = Authority::new();
    let identity = authority.identity(&["localhost"]);
    let server = Server::start_tls(&identity, served()).await;
    let file = tempfile(authority.pem());
    let variables = vec![
        (URL, server.url_as("localhost", "/jwks")),
        ("SSL_CERT_FILE", file.0.clone()),
    ];
    let test = "http::environment::the_platforms_roots_are_trusted_unless_only_named_ones_are";
    run_again(test, variables).await;
    assert_eq!(server.request_count(), 1);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_platform_without_roots_is_told_when_the_fetcher_is_made() {
    use ringwall_jwks_client::HttpFetcherError;

    if std::env::var(URL).is_ok() {
        let error = HttpFetcher::new().expect_err("no roots");
        assert!(matches!(error, HttpFetcherError::PlatformRoots(_)));
        fetcher();
        return;
    }
    let file = tempfile("");
    let variables = vec![(URL, String::new()), ("SSL_CERT_FILE", file.0.clone())];
    let test = "http::environment::a_platform_without_roots_is_told_when_the_fetcher_is_made";
    run_again(test, variables).await;
}

/// A file that goes with its handle.
#[cfg(target_os = "linux")]
struct TemporaryFile(String);

#[cfg(target_os = "linux")]
fn tempfile(text: &str) -> TemporaryFile {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    let name = format!("ringwall-live-{}-{number}.pem", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, text).unwrap();
    TemporaryFile(path.to_str().unwrap().to_owned())
}

#[cfg(target_os = "linux")]
impl Drop for TemporaryFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}
