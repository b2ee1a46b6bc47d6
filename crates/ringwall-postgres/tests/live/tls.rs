//! Servers with certificates.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use ringwall_postgres::{Error, PostgresDatabase};

use crate::servers::{Server, postgres};
use crate::setting::config;

/// Somebody who vouches for servers, as PEM, and a server of that name with a certificate of theirs.
fn server_named(name: &str) -> (String, Server) {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("random bytes");
    let issuer = CertifiedIssuer::self_signed(params, key).expect("it signs");
    let key = KeyPair::generate().expect("random bytes");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, &issuer).expect("it signs");
    let server = postgres::start(Some((&certificate.pem(), &key.serialize_pem())));
    (issuer.pem(), server.expect("a server"))
}

async fn refused(database: Result<PostgresDatabase, Error>) {
    let error = database.map(drop).expect_err("nobody vouches for it");
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_spoken_to_only_if_somebody_vouches_for_its_name() {
    let (roots, server) = server_named("localhost");
    let by_name = server.url().replace("@127.0.0.1:", "@localhost:");
    let database = PostgresDatabase::open(config(&by_name).root_certificates(roots.clone())).await;
    let database = database.expect("they vouch for it");
    assert_eq!(database.migrations().migrate().await.expect("it can"), 3);
    // Another name than that of the certificate.
    refused(PostgresDatabase::open(config(server.url()).root_certificates(roots)).await).await;
    // Nobody known vouches for it.
    let demanded = format!("{by_name}?sslmode=verify-full");
    refused(PostgresDatabase::open(config(&demanded)).await).await;
    let (strangers, _) = server_named("localhost");
    refused(PostgresDatabase::open(config(&by_name).root_certificates(strangers)).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_refused_where_tls_is_demanded() {
    let server = postgres::start(None).expect("a server");
    let demanded = format!("{}?sslmode=verify-full", server.url());
    refused(PostgresDatabase::open(config(&demanded)).await).await;
}
