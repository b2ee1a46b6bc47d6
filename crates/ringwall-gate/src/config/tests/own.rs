//! What a service says itself: its own settings, its defaults, and the options of its command line.

use super::*;

#[derive(Debug, Default, PartialEq, Eq)]
struct Own {
    listen: Option<String>,
    workers: u32,
    names: Vec<String>,
    is_loud: bool,
}

fn own(section: &mut SettingsSection<'_>) -> Option<Own> {
    let listen = section.text("listen");
    Some(section.within("limits", |limits| Own {
        listen,
        workers: limits.number("workers", 1..=64, 4),
        names: limits.texts("names").unwrap_or_default(),
        is_loud: limits.flag("loud", false),
    }))
}

#[test]
fn own_settings_are_read_from_the_same_places() {
    let folder = Folder::new();
    let text = format!("listen = \"a\"\n{JWT}[limits]\nworkers = 7\nnames = [\"x\"]\n");
    let sources = folder.sources(&text).environment("RINGWALL").variables([
        ("RINGWALL__LISTEN", "b"),
        ("RINGWALL__LIMITS__NAMES", "y, z"),
        ("RINGWALL__LIMITS__LOUD", "true"),
    ]);
    let (config, own) = GateConfig::load_with(sources, own).expect("good");
    let wanted = Own {
        listen: Some("b".to_owned()),
        workers: 7,
        names: vec!["y".to_owned(), "z".to_owned()],
        is_loud: true,
    };
    assert_eq!(own, wanted);
    let shown = config.effective().to_string();
    assert!(
        shown.contains("[limits]\nworkers = 7 # gate.toml:"),
        "{shown}"
    );
    assert!(
        shown.contains("listen = \"b\" # RINGWALL__LISTEN, instead of gate.toml:1"),
        "{shown}"
    );
}

#[test]
fn own_faults_are_told_with_the_others() {
    let folder = Folder::new();
    let text = "listen = 7\nmodes = [\"jwt\"]\ncolour = 1\n[limits]\nworkers = 0\nworker = 1\n[tokens]\nissuer = \"https://a.example\"\n";
    let faults = GateConfig::load_with(folder.sources(text), |section| {
        section.fault("listen", "is not what it should be", "write another one");
        section.refuse(&["organisation"], "is not read", "leave it out");
        own(section)
    });
    let faults = faults.expect_err("faults");
    assert_eq!(
        fields_of(&faults),
        [
            "listen",
            "listen",
            "limits.workers",
            "limits.worker",
            "colour",
            "tokens.audience"
        ],
        "{faults}"
    );
    assert_eq!(
        faults.iter().next().expect("one").source().to_string(),
        "gate.toml:1"
    );
}

#[test]
fn a_default_of_the_service_holds_where_nobody_says_otherwise() {
    let folder = Folder::new();
    let load = |text: &str, variables: &[(&'static str, &'static str)]| {
        let sources = folder.sources(text).environment("RINGWALL");
        let sources = sources.variables(variables.iter().copied());
        GateConfig::load_with(sources, |own| {
            own.default_to("realm", "cases");
            own.default_to("modes", "jwt");
            own.default_to("api_keys.scopes", "a, b");
            own.default_to("api_keys.hash", "sha256");
            own.default_to("tokens.clock_skew_seconds", "7");
            Some(())
        })
        .map(|(config, ())| config.effective().to_string())
    };
    let jwt = JWT.replace("modes = [\"jwt\"]\n", "");
    // Of a mode that is not on, nothing is said.
    let shown = load(&jwt, &[]).expect("good");
    for line in [
        "realm = \"cases\" # the service\n",
        "modes = [\"jwt\"] # the service\n",
        "clock_skew_seconds = 7 # the service\n",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    let shown = load(
        &format!("realm = \"own\"\n{jwt}"),
        &[("RINGWALL__TOKENS__CLOCK_SKEW_SECONDS", "9")],
    );
    let shown = shown.expect("good");
    assert!(
        shown.contains("realm = \"own\" # gate") && shown.contains("clock_skew_seconds = 9 # RING"),
        "{shown}"
    );
    let keys = load("modes = [\"api_key\"]\n", &[]).expect("good");
    assert!(
        keys.contains("hash = \"sha256\" # the service")
            && keys.contains("scopes = [\"a\", \"b\"]"),
        "{keys}"
    );
    // Whatever stands in the place of a section is told, and not replaced.
    for text in [
        "modes = [\"api_key\"]\napi_keys = 1\n",
        "modes = [\"api_key\"]\napi_keys = \"x\"\n",
    ] {
        let faults = load(text, &[]).expect_err("no section");
        assert_eq!(fields_of(&faults)[0], "api_keys", "{faults}");
    }
}

#[test]
fn a_default_section_holds_as_a_whole_or_not_at_all() {
    let folder = Folder::new();
    let keys = folder.fill("{}/jwks.json");
    let load = |text: &str| {
        GateConfig::load_with(folder.sources(text), |own| {
            let settings = [
                ("issuer", ISSUER),
                ("audience", "api"),
                ("jwks_file", &*keys),
            ];
            Some(own.default_section("tokens", &settings))
        })
    };
    const ISSUER: &str = "https://own.example";
    let (config, holds) = load("modes = [\"jwt\"]\n").expect("good");
    assert!(holds && config.issuers().eq([ISSUER]));
    // Somebody else's issuer does not get our keys.
    let faults = load("modes = [\"jwt\"]\n[tokens]\naudience = \"b\"\n").expect_err("no issuer");
    assert_eq!(fields_of(&faults), ["tokens.issuer"]);
    let (_, holds) = load(NONE).expect("good");
    assert!(!holds);
}

#[test]
fn what_is_written_can_be_looked_at_and_objected_to() {
    let folder = Folder::new();
    let second = "[[tokens]]\nissuer = \"https://b.example\"\naudience = \"api\"\njwks_file = \"{}/jwks.json\"\norg = \"b\"\n";
    let two = format!(
        "{}org = \"a\"\n{second}",
        JWT.replace("[tokens]", "[[tokens]]")
    );
    for (text, fields) in [
        (JWT, ["tokens.issuer"].as_slice()),
        (&two, &["tokens[0].issuer", "tokens[1].issuer"]),
    ] {
        let faults = GateConfig::load_with(folder.sources(text), |own| {
            own.inspect("tokens", "issuer", |text| {
                text.starts_with("https")
                    .then_some(("is not wanted", "take another one"))
            });
            own.inspect("tokens", "issuer", |_| None);
            own.inspect("nothing", "issuer", |_| Some(("is there", "leave it out")));
            Some(())
        });
        let faults = faults.expect_err("objections");
        assert_eq!(fields_of(&faults), fields, "{faults}");
        assert!(
            faults
                .iter()
                .all(|fault| fault.source().to_string().starts_with("gate.toml:"))
        );
    }
    GateConfig::load_with(folder.sources(JWT), |own| {
        assert_eq!(
            own.written("tokens.audience"),
            Some("https://api.example.com")
        );
        assert_eq!(own.written("modes"), None);
        assert_eq!(own.written("tokens.org"), None);
        Some(())
    })
    .expect("good");
}

#[test]
fn an_argument_goes_before_everything_and_holds_no_secret() {
    let folder = Folder::new();
    let sources = || {
        folder
            .sources(JWT)
            .environment("RINGWALL")
            .variables([("RINGWALL__TOKENS__ISSUER", "https://variable.example")])
    };
    let given = sources().argument("--issuer", "tokens.issuer", "https://argument.example");
    let config = GateConfig::load(given).expect("good");
    assert!(config.issuers().eq(["https://argument.example"]));
    let shown = config.effective().to_string();
    assert!(
        shown.contains("issuer = \"https://argument.example\" # --issuer\n"),
        "{shown}"
    );
    let wrong = sources().argument("--issuer", "tokens.issuer", "http://a.example");
    let faults = GateConfig::load(wrong).expect_err("no TLS");
    assert!(
        faults.to_string().contains("tokens.issuer (--issuer): "),
        "{faults}"
    );
    for secret in ["tokens.hmac_secret", "api_keys.pepper", "dpop.nonce_secret"] {
        let given = sources().argument("--secret", secret, "hunter2");
        let faults = GateConfig::load(given).expect_err("a secret");
        assert_eq!(fields_of(&faults), [secret], "{faults}");
        assert!(!faults.to_string().contains("hunter2"));
    }
    let two = JWT.replace("[tokens]", "[[tokens]]");
    let given = folder
        .sources(&two)
        .argument("--issuer", "tokens.issuer", "https://a.example");
    assert!(GateConfig::load(given).is_err());
    let unknown = sources().argument("--colour", "colour", "red");
    let faults = GateConfig::load(unknown).expect_err("unknown");
    assert_eq!(fields_of(&faults), ["colour"]);
}

#[test]
fn keys_that_are_made_beside_the_service_are_accepted_by_it() {
    let folder = Folder::new();
    let text =
        format!("{API_KEY}prefix = \"cases\"\npepper_id = \"b\"\nscopes = [\"runs:read\"]\n");
    let store = Arc::new(ringwall_authn::MemoryApiKeys::new(8));
    let builder = folder
        .good(&text)
        .into_api_keys(store.clone())
        .expect("keys");
    let keys = builder.build();
    let tenant = ringwall_core::principal::Tenant {
        org: ringwall_core::principal::OrgId::new("acme").expect("an organisation"),
        project: None,
    };
    let by = ringwall_core::principal::Subject::new("ada").expect("a subject");
    let request = ringwall_authn::ApiKeyRequest::new("CI", tenant, by).expect("a request");
    let wild = request.scopes([Scope::new("runs:*").expect("a scope")]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let made = runtime.block_on(keys.create(wild)).expect("made");
    assert!(made.key.text().expose().starts_with("cases_"));
    assert_eq!(
        made.record.scopes,
        [Scope::new("runs:read").expect("a scope")]
    );
    let services = Services::new().api_key_store(store);
    let service = folder
        .good(&text)
        .into_builder(services)
        .expect("a gate")
        .api_keys
        .expect("keys");
    let usage = ringwall_authn::api_key::ApiKeyUse {
        address: None,
        origin: ringwall_core::request::HeaderValues::Absent,
    };
    let verdict = runtime.block_on(async {
        service
            .verify(made.key.text().expose().as_bytes(), usage)
            .await
    });
    assert!(verdict.is_ok());
    assert!(
        folder
            .good(JWT)
            .into_api_keys(Arc::new(ringwall_authn::MemoryApiKeys::new(1)))
            .is_none()
    );
}

#[test]
fn the_times_of_all_issuers_count_together() {
    let folder = Folder::new();
    assert_eq!(folder.good(API_KEY).token_times(), None);
    let two = "modes = [\"jwt\"]\n[[tokens]]\nissuer = \"https://a.example\"\naudience = \"api\"\norg = \"a\"\nclock_skew_seconds = 9\nmax_lifetime_seconds = 50\n[[tokens]]\nissuer = \"https://b.example\"\naudience = \"api\"\norg = \"b\"\nclock_skew_seconds = 5\nmax_lifetime_seconds = 70\n";
    let times = folder.good(two).token_times().expect("tokens");
    assert_eq!(
        (times.clock_skew.as_secs(), times.longest_life.as_secs()),
        (9, 70)
    );
}

#[test]
fn own_settings_that_cannot_be_used_are_a_fault_also_when_nobody_says_which() {
    let sources = Folder::new().sources(NONE);
    let answer = GateConfig::load_with(sources, |_| None::<()>);
    assert_eq!(fields_of(&answer.expect_err("nothing")), ["configuration"]);
}
