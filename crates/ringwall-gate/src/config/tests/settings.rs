//! Each setting, good and bad.

use std::collections::BTreeSet;

use ringwall_jwks_client::RefreshPolicy;

use super::cases::{self, AUTHORIZATION, Case, DPOP, INTROSPECTION, REMOTE, SHARED, STATIC};
use super::*;

/// `base` with the one setting in it, in place of what is there.
fn text(case: &Case, value: &str) -> String {
    let heading = format!("[{}]", case.section);
    let mut lines: Vec<String> = Vec::new();
    let mut here = String::new();
    let mut is_done = false;
    if case.section.is_empty() {
        lines.push(format!("{} = {value}", case.key));
        is_done = true;
    }
    for line in case.base.lines() {
        if line.starts_with('[') {
            here = line.to_owned();
        }
        let is_same_section = here == heading || (here.is_empty() && case.section.is_empty());
        let is_same = is_same_section
            && line
                .split_once('=')
                .is_some_and(|(key, _)| key.trim() == case.key);
        if !is_same {
            lines.push(line.to_owned());
        }
        if line == heading {
            lines.push(format!("{} = {value}", case.key));
            is_done = true;
        }
    }
    if !is_done {
        lines.push(heading);
        lines.push(format!("{} = {value}", case.key));
    }
    lines.join("\n")
}

#[test]
fn each_setting_takes_what_it_can_be_and_nothing_else() {
    let folder = Folder::new();
    folder.write(
        "keys",
        "pak_0123456789abcdef0123456789abcdef, pak_fedcba9876543210fedcba9876543210",
    );
    for base in [
        JWT,
        API_KEY,
        MTLS,
        NONE,
        REMOTE,
        STATIC,
        SHARED,
        DPOP,
        INTROSPECTION,
        AUTHORIZATION,
    ] {
        folder.good(base);
    }
    for case in cases::all() {
        for good in case.good {
            let text = text(case, good);
            if let Err(faults) = folder.load(&text) {
                panic!("{faults}\n{text}");
            }
        }
        for bad in case.bad {
            let text = text(case, bad);
            let faults = match folder.load(&text) {
                Ok(_) => panic!("accepted:\n{text}"),
                Err(faults) => faults,
            };
            let section = case.section.split('.').next().unwrap_or_default();
            let is_about = |field: &str| {
                field.contains(case.key) || field.starts_with(section) || field == "configuration"
            };
            assert!(
                fields_of(&faults).iter().any(|field| is_about(field)),
                "{faults}\n{text}"
            );
        }
    }
}

/// A level in capital letters stands for names that people choose.
pub(super) fn matches(setting: &Setting, name: &str) -> bool {
    let is_chosen = |level: &str| level.bytes().all(|byte| byte.is_ascii_uppercase());
    let mut rest = name;
    let mut levels = setting.name().split('.').peekable();
    while let Some(level) = levels.next() {
        if is_chosen(level) {
            // A name may have dots of its own: it goes on to what follows it.
            let Some(last) = levels.next() else {
                return !rest.is_empty();
            };
            return rest
                .strip_suffix(last)
                .is_some_and(|before| before.ends_with('.'));
        }
        let Some(after) = rest.strip_prefix(level) else {
            return false;
        };
        rest = match (after.strip_prefix('.'), levels.peek()) {
            (Some(after), Some(_)) => after,
            (None, None) if after.is_empty() => return true,
            _ => return false,
        };
    }
    false
}

#[test]
fn every_setting_is_listed_and_every_listed_one_is_a_setting() {
    let folder = Folder::new();
    folder.write(
        "keys",
        "pak_0123456789abcdef0123456789abcdef, pak_fedcba9876543210fedcba9876543210",
    );
    let mut seen: BTreeSet<&'static str> = BTreeSet::new();
    let whole = "scopes_supported = [\"a\"]\nname = \"n\"\ndocumentation = \"https://d.example\"\n";
    let resource = format!("{JWT}[resource]\nurl = \"https://a.example\"\n{whole}");
    let project = MTLS.replace(
        "header = \"x-forwarded-client-cert\"",
        "header = \"x-subject\"\nverdict_header = \"x-verdict\"",
    );
    let project = project.replace(
        "trust_domain = \"example.org\"\n",
        "identities = \"common-name\"\n",
    );
    let project = project.replace("spiffe://example.org/reports", "reports");
    let mut texts = vec![
        resource,
        project,
        format!("{NONE}[unchecked]\norg = \"a\"\nproject = \"p\"\n"),
        format!("{STATIC}org = \"a\"\nproject = \"p\"\n"),
        format!("{JWT}[rate_limits.limits.heavy]\nceiling_count = 20\nceiling_burst = 30\n"),
        // A root certificate that is none ends in a fault, and is noted before.
    ];
    for case in cases::all() {
        texts.extend(case.good.iter().map(|good| text(case, good)));
    }
    for text in &texts {
        let config = folder.good(text);
        for (name, _) in config.effective().settings() {
            let setting = SETTINGS.iter().find(|setting| matches(setting, &name));
            seen.insert(
                setting
                    .unwrap_or_else(|| panic!("{name} is not listed"))
                    .name(),
            );
        }
    }
    let unseen: Vec<_> = SETTINGS
        .iter()
        .map(Setting::name)
        .filter(|name| !seen.contains(name))
        .collect();
    let unread = [
        "tokens.jwks_root_certificates",
        "introspection.root_certificates",
    ];
    assert_eq!(unseen, unread);
}

#[test]
fn what_is_left_out_is_what_the_libraries_have() {
    let config = Folder::new().good(REMOTE);
    let tokens::Keys::Remote(remote) = &config.tokens[0].keys else {
        panic!("{:?}", config.tokens[0].keys);
    };
    assert_eq!(*remote.policy(), RefreshPolicy::default());
    assert_eq!(config.profile(), Profile::Production);
    assert_eq!(config.realm(), "api");
}

#[test]
fn the_effective_configuration_is_toml_that_comes_to_the_same() {
    let folder = Folder::new();
    for text in [JWT, MTLS, NONE, REMOTE] {
        let shown = folder.good(text).effective().to_string();
        assert!(shown.parse::<toml::Table>().is_ok(), "{shown}");
        let again = folder.good(&shown).effective().to_string();
        let without_sources = |text: &str| -> Vec<String> {
            let lines = text
                .lines()
                .map(|line| line.split(" # ").next().unwrap_or_default());
            lines.map(str::to_owned).collect()
        };
        assert_eq!(without_sources(&again), without_sources(&shown));
    }
    let odd = JWT.replace("\"https://api.example.com\"", "'a\"b\\c # d'");
    let shown = folder.good(&odd).effective().to_string();
    let table = shown.parse::<toml::Table>().expect("TOML");
    let audience = table
        .get("tokens")
        .and_then(|tokens| tokens.get("audience"));
    assert_eq!(audience.and_then(toml::Value::as_str), Some("a\"b\\c # d"));
    for text in [API_KEY, STATIC, SHARED, DPOP, INTROSPECTION] {
        let shown = folder.good(text).effective().to_string();
        assert!(shown.parse::<toml::Table>().is_ok(), "{shown}");
        assert!(
            shown.contains("[redacted]") && !shown.contains("0123456789abcdef"),
            "{shown}"
        );
    }
}

#[test]
fn sections_of_other_modes_are_refused() {
    let folder = Folder::new();
    for section in ["api_keys", "certificates", "unchecked"] {
        folder.refuses(&format!("{JWT}[{section}]\n"), &[section]);
    }
    folder.refuses(&format!("{API_KEY}[tokens]\n"), &["tokens"]);
    folder.refuses(&format!("{API_KEY}[[tokens]]\n"), &["tokens"]);
}

#[test]
fn each_provider_says_what_it_needs() {
    let folder = Folder::new();
    let with = |settings: &str| format!("modes = [\"jwt\"]\n[tokens]\n{settings}\n");
    let audience = "audience = \"client\"";
    let google = with(&format!("provider = \"google\"\n{audience}"));
    folder.refuses(&google, &["tokens.org"]);
    let google = format!("{google}org = \"example.com\"\n");
    folder.good(&google);
    folder.refuses(
        &format!("{google}issuer = \"https://a.example\"\n"),
        &["tokens.issuer"],
    );
    let supabase = with("provider = \"supabase\"\nissuer = \"https://p.supabase.co/auth/v1\"");
    folder.good(&supabase);
    folder.refuses(
        &format!("{supabase}audience = \"x\"\n"),
        &["tokens.audience"],
    );
    let keycloak = with(&format!(
        "provider = \"keycloak\"\nissuer = \"https://a.example\"\n{audience}\naccept_actor = true"
    ));
    folder.refuses(&keycloak, &["tokens.accept_actor"]);
}

#[test]
fn an_issuer_whose_keys_are_in_a_file_has_any_name_on_a_development_machine_alone() {
    let folder = Folder::new();
    let text = JWT.replace("https://login.example.com", "http://dev-issuer.localhost");
    folder.refuses(&text, &["tokens.issuer"]);
    folder.good(&format!("profile = \"development\"\n{text}"));
    let remote = text.replace("jwks_file = \"{}/jwks.json\"\n", "");
    folder.refuses(
        &format!("profile = \"development\"\n{remote}"),
        &["tokens.issuer"],
    );
}

#[test]
fn certificates_come_from_somewhere() {
    let folder = Folder::new();
    let direct = MTLS.replace("header = \"x-forwarded-client-cert\"", "direct = true");
    folder.good(&direct);
    folder.refuses(
        &direct.replace("direct = true", ""),
        &["certificates.header"],
    );
    let nobody = MTLS.replace("trusted_proxies = [\"10.0.0.0/28\"]", "");
    folder.refuses(&nobody, &["certificates.header"]);
}

#[test]
fn a_demand_that_nobody_meets_is_refused_beside_others() {
    let rule = "[organisation.acme]\namr_values = [\"mfa\"]\n";
    let folder = Folder::new();
    folder.good(&format!("{JWT}{rule}"));
    folder.refuses(
        &format!("{JWT}{rule}acr_values = []\n"),
        &["organisation.acme.acr_values"],
    );
    folder.refuses(
        &format!("{JWT}[organisation.acme]\n"),
        &["organisation.acme"],
    );
}

#[test]
fn keys_are_in_one_place() {
    let folder = Folder::new();
    folder.refuses(
        &format!("{JWT}jwks_url = \"https://a.example\"\njwks_max_stale_seconds = 60\n"),
        &["tokens.jwks_url", "tokens.jwks_max_stale_seconds"],
    );
    folder.refuses(
        &format!("{REMOTE}jwks_poll_seconds = 5\n"),
        &["tokens.jwks_poll_seconds"],
    );
    folder.refuses(
        &format!("{REMOTE}hmac_secret_encoding = \"text\"\n"),
        &["tokens.hmac_secret_encoding"],
    );
    folder.refuses(
        &format!("{SHARED}jwks_file = \"x\"\n"),
        &["tokens.jwks_file"],
    );
    let production = SHARED
        .replace("development", "production")
        .replace("\"here\"", "\"https://a.example\"");
    folder.refuses(&production, &["tokens.hmac_secret"]);
}

#[test]
fn the_guide_lists_what_there_is() {
    let guide = include_str!("../guide.md");
    for setting in SETTINGS {
        let line = format!(
            "| `{}` | {} | {} | {} |",
            setting.name(),
            setting.form(),
            setting.unless_set(),
            setting.meaning()
        );
        assert!(guide.contains(&line), "write into the guide:\n{line}");
    }
    for old in OLD_NAMES {
        let becomes = match old.setting() {
            Some(setting) => format!("`{setting}`"),
            None => format!("nothing: {}", old.because().expect("a reason")),
        };
        let line = format!("| `{}` | {becomes} |", old.name());
        assert!(guide.contains(&line), "write into the guide:\n{line}");
    }
    let tables = guide.split("# All settings").nth(1).expect("the tables");
    let rows = tables
        .lines()
        .filter(|line| line.starts_with("| `"))
        .count();
    assert_eq!(rows, SETTINGS.len() + OLD_NAMES.len());
    // The variables follow from the names.
    assert_eq!(SETTINGS[5].variable("RINGWALL"), "RINGWALL__TOKENS__ISSUER");
}

#[test]
fn the_example_of_the_guide_is_a_configuration() {
    let folder = Folder::new();
    let guide = include_str!("../guide.md");
    let example = guide
        .split("```toml")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let example = example.expect("an example");
    let example = example.replace("/run/secrets/ringwall-pepper", "{}/pepper");
    let config = folder.good(&example);
    let modes = [
        AuthenticationMode::ApiKey,
        AuthenticationMode::Jwt,
        AuthenticationMode::Mtls,
    ];
    assert_eq!(config.modes(), modes);
}
