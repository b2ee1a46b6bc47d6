//! The smallest tonic service behind Ringwall: `JWKS_FILE=… ISSUER=… AUDIENCE=… tonic-minimal`.

use std::{env::var, error::Error, sync::Arc, time::Duration};

use proto::cases_server::{Cases, CasesServer};
use proto::{Case, GetCaseRequest, VersionReply, VersionRequest, WhoamiReply, WhoamiRequest};
use ringwall_authn::{IssuerPolicy, TokenVerifier, jose::FileKeys};
use ringwall_gate::Gate;
use ringwall_tonic::{CurrentPrincipal, CurrentTenant, GuardedRoutes};
use ringwall_tonic::{authenticated, guard, public, require_scope};
use tonic::{Request, Response, Status, transport::Server};

mod proto;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init(); // security events are log lines

    // Who may call: tokens of one issuer, for this service, signed with the keys in a file.
    let keys = FileKeys::builder(var("JWKS_FILE")?).open()?;
    let _watch = keys.watch(Duration::from_secs(5))?;
    let policy = IssuerPolicy::builder(&var("ISSUER")?, &var("AUDIENCE")?, Arc::new(keys));
    let verifier = TokenVerifier::builder().issuer(policy.build()?).build()?;
    let gate = Gate::builder("cases")
        .tokens(verifier)
        .without_audit() // or `.audit(sink)`; one of the two must be said
        .build()?;

    // What they may call: a method without a policy is closed.
    let cases = guard(CasesServer::new(Desk))
        .method("Version", public())
        .method("Whoami", authenticated())
        .method("GetCase", require_scope("cases:read"));
    let routes = GuardedRoutes::new(gate).service(cases);
    tracing::info!("methods:\n{}", routes.methods()?);
    let server = Server::builder().add_routes(routes.into_routes()?);
    Ok(server.serve(([127, 0, 0, 1], 50051).into()).await?)
}

struct Desk;

#[tonic::async_trait]
impl Cases for Desk {
    async fn version(&self, _: Request<VersionRequest>) -> Result<Response<VersionReply>, Status> {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Ok(Response::new(VersionReply { version }))
    }
    async fn whoami(&self, r: Request<WhoamiRequest>) -> Result<Response<WhoamiReply>, Status> {
        let subject = CurrentPrincipal::from_request(&r)?.0.subject.to_string();
        Ok(Response::new(WhoamiReply { subject }))
    }
    async fn get_case(&self, r: Request<GetCaseRequest>) -> Result<Response<Case>, Status> {
        let org = CurrentTenant::from_request(&r)?.0.org.to_string();
        let id = r.into_inner().id;
        Ok(Response::new(Case { id, org }))
    }
}
