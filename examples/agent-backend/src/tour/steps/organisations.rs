//! What organisations demand of their people, and the end of all that they gave out.

use crate::dev_issuer;
use crate::tour::Tour;
use crate::tour::client::{Ask, Client};
use crate::tour::expect::Expect;
use crate::tour::forge::{Forge, Who, with};
use crate::tour::steps::api_keys::{Key, MANAGER, STRANGER, new_key};

pub(crate) async fn run(tour: &mut Tour, client: &Client, forge: &Forge) {
    settings(tour, client, forge).await;
    everything(tour, client, forge).await;
}

/// Of an organisation that demands something of its people.
const OF_STRICT: Who = Who {
    subject: "strict-manager",
    tenant: Some(("strict", None)),
    acr: Some("urn:example:mfa"),
    ..MANAGER
};

async fn settings(tour: &mut Tour, client: &Client, forge: &Forge) {
    tour.area("Settings of an organisation");
    let path = "/v1/orgs/strict/settings";
    let manager = forge.good(&OF_STRICT);
    let weak = forge.good(&Who {
        acr: None,
        ..OF_STRICT
    });
    let change = |token: &str, body: &str| Ask::new("PATCH", path).bearer(token).json(body);
    let demand = r#"{"acr_values":["urn:example:mfa"]}"#;
    for (tried, token) in [
        (
            "changing them from another organisation",
            forge.good(&STRANGER),
        ),
        (
            "changing them from one of its projects",
            forge.good(&Who {
                tenant: Some(("strict", Some("one"))),
                ..OF_STRICT
            }),
        ),
    ] {
        let ask = change(&token, demand);
        tour.ask(tried, client, ask, Expect::status(404)).await;
    }
    for (tried, body) in [
        ("every domain", r#"{"allowed_mail_domains":["*"]}"#),
        ("a setting that there is not", r#"{"rbac_enabled":false}"#),
    ] {
        let ask = change(&manager, body);
        tour.ask(tried, client, ask, Expect::status(400)).await;
    }
    for issuer in ["https://login.example.com", "https://a b", ""] {
        let tried = format!("demanding a login at an issuer that is not accepted: {issuer:?}");
        let ask = change(&manager, &format!(r#"{{"sso_issuers":["{issuer}"]}}"#));
        let refused = Expect::status(422).says(dev_issuer::ISSUER);
        tour.ask(&tried, client, ask, refused).await;
    }
    let whoami = |token: &str| Ask::get("/api/whoami").bearer(token);
    let tried = "a weak login, before anything is demanded";
    tour.ask(tried, client, whoami(&weak), Expect::status(200))
        .await;
    let expect = Expect::status(200).json("/acr_values/0", "urn:example:mfa");
    let ask = change(&manager, demand);
    tour.ask("demanding a second factor", client, ask, expect)
        .await;
    let tried = "a weak login from then on";
    tour.ask(tried, client, whoami(&weak), Expect::status(403))
        .await;
    let tried = "a strong one";
    tour.ask(tried, client, whoami(&manager), Expect::status(200))
        .await;
    let tried = "people of other organisations, as before";
    let other = forge.good(&STRANGER);
    tour.ask(tried, client, whoami(&other), Expect::status(200))
        .await;
    let ask = change(&manager, r#"{"allowed_mail_domains":["strict.example"]}"#);
    tour.ask(
        "demanding a mail domain too",
        client,
        ask,
        Expect::status(200),
    )
    .await;
    let tried = "a token that names no verified address";
    tour.ask(tried, client, whoami(&manager), Expect::status(403))
        .await;
    let of_strict = |mail: &str, verified: bool| {
        let claims = [
            ("org_id", "strict".into()),
            ("auth_time", forge.at(0).into()),
            ("acr", "urn:example:mfa".into()),
            ("email", mail.into()),
            ("email_verified", verified.into()),
        ];
        let claims = claims
            .into_iter()
            .fold(forge.claims(), |claims, (name, value)| {
                with(claims, name, value)
            });
        forge.sign(&Forge::header().to_string(), &claims.to_string())
    };
    for (mail, verified, status) in [
        ("x@strict.example", true, 200),
        ("x@STRICT.example", true, 200),
        ("x@strict.example", false, 403),
        ("x@evilstrict.example", true, 403),
        ("x@mail.strict.example", true, 403),
        ("x@strict.example@evil.example", true, 403),
    ] {
        let token = of_strict(mail, verified);
        let tried = format!("{mail}, verified: {verified}");
        tour.ask(&tried, client, whoami(&token), Expect::status(status))
            .await;
    }
}

/// Of an organisation that was broken into.
const OF_BREACHED: Who = Who {
    subject: "breached-manager",
    tenant: Some(("breached", None)),
    ..MANAGER
};

async fn everything(tour: &mut Tour, client: &Client, forge: &Forge) {
    tour.area("An organisation that was broken into");
    let manager = forge.good(&OF_BREACHED);
    let end = forge.date(7);
    let body = format!(r#"{{"name":"x","expires_at":"{end}"}}"#);
    let key = Key::of(&client.ask(&new_key(&manager, &body)).await, forge);
    let whoami = || key.on(Ask::get("/api/whoami"));
    tour.ask("its key", client, whoami(), Expect::status(200))
        .await;
    let path = "/v1/orgs/breached/revoke";
    let old = forge.good(&Who {
        login_age: Some(3600),
        ..OF_BREACHED
    });
    let ask = Ask::new("POST", path).bearer(&old);
    let tried = "ending everything with a login of an hour ago";
    tour.ask(tried, client, ask, Expect::weak_login("max_age=300"))
        .await;
    let ask = Ask::new("POST", path).bearer(&forge.good(&STRANGER));
    let tried = "ending everything of somebody else";
    tour.ask(tried, client, ask, Expect::status(404)).await;
    let ask = Ask::new("POST", path).bearer(&manager);
    let expect = Expect::status(200).json("/api_keys", 1);
    tour.ask("ending everything", client, ask, expect).await;
    tour.ask("its key", client, whoami(), Expect::bad_token())
        .await;
    let ask = Ask::get("/api/whoami").bearer(&manager);
    tour.ask("its token", client, ask, Expect::bad_token())
        .await;
    let ask = Ask::get("/api/whoami").bearer(&forge.good(&STRANGER));
    let tried = "a token of another organisation";
    tour.ask(tried, client, ask, Expect::status(200)).await;
}

/// What was taken back stays so when the service is started again.
pub(crate) async fn after_restart(tour: &mut Tour, client: &Client, forge: &Forge) {
    let ask = Ask::get("/api/whoami").bearer(&forge.good(&OF_BREACHED));
    let tried = "a token of the organisation that was broken into, after a restart";
    tour.ask(tried, client, ask, Expect::bad_token()).await;
    let weak = forge.good(&Who {
        acr: None,
        ..OF_STRICT
    });
    let ask = Ask::get("/api/whoami").bearer(&weak);
    let tried = "a weak login where a strong one is demanded, after a restart";
    tour.ask(tried, client, ask, Expect::status(403)).await;
}
