use actix_web::middleware::Condition;
use actix_web::web::{Data, ReqData};
use actix_web::{App, HttpResponse, http::StatusCode, web};
use ringwall_actix::{CorsPolicyMiddleware, SecurityHeadersMiddleware};
use ringwall_browser::{CorsPolicy, CspNonce, SecurityHeaders};
use ringwall_transport::{Peer, TrustedProxies};

use crate::corpus::{self, CLIENT, Case, HANDLER_FIELD, NONCE_FIELD, PROXY, Seen, Whose};
use crate::site::start;

#[tokio::test]
async fn each_case_of_the_corpus_is_answered_as_written() {
    let mut outcomes = Vec::new();
    for case in corpus::cases() {
        outcomes.push(case.check(&answer(&case).await));
    }
    corpus::report(outcomes);
}

async fn answer(case: &Case) -> Seen {
    let client = CLIENT.parse().expect("an address");
    let peer = match case.whose {
        Whose::ClientWithTls => Some(Peer::tls(client, None)),
        Whose::ClientWithout => Some(Peer::plain(client)),
        Whose::ClientUnknown => Some(Peer::new(client)),
        Whose::TrustedProxy => Some(Peer::plain(PROXY.parse().expect("an address"))),
        Whose::Nobody => None,
    };
    let shared = case.clone();
    let site = start(
        move || {
            let cors = shared.cors.clone();
            let headers = shared.headers.clone();
            App::new()
                .app_data(Data::new(shared.clone()))
                .default_service(web::to(handler))
                .wrap(Condition::new(
                    cors.is_some(),
                    CorsPolicyMiddleware::new(cors.unwrap_or_else(CorsPolicy::closed)),
                ))
                .wrap(Condition::new(
                    headers.is_some(),
                    SecurityHeadersMiddleware::new(headers.unwrap_or_else(SecurityHeaders::api))
                        .with_proxies(proxies()),
                ))
        },
        peer,
    );
    site.send(&case.method, &case.request).await
}

fn proxies() -> TrustedProxies {
    let proxy = PROXY.split(':').next().expect("an address");
    let proxies = TrustedProxies::builder().network(proxy);
    proxies.build().expect("proxies")
}

async fn handler(case: Data<Case>, nonce: Option<ReqData<CspNonce>>) -> HttpResponse {
    let status = StatusCode::from_u16(case.status).expect("a status");
    let mut response = HttpResponse::build(status);
    for (name, value) in &case.handler {
        response.append_header((name.as_str(), value.as_str()));
    }
    response.append_header((HANDLER_FIELD, "ran"));
    if let Some(nonce) = nonce {
        response.append_header((NONCE_FIELD, nonce.as_str()));
    }
    response.body("answered")
}
