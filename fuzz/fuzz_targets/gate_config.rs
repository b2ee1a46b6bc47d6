//! A configuration of whatever text and variables: a secret is never shown, and production permits what it
//! permits.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_core::profile::Profile;
use ringwall_gate::config::{AuthenticationMode, ConfigFaults, ConfigSources, GateConfig};

/// A secret of the process, which an input can name and must not see again.
const SECRET: &str = "q7Zx9Kq7Zx9Kq7Zx9Kq7Zx9Kq7Zx9Kq7Zx9K";

/// Its name in the environment.
const NAME: &str = "S";

fn load(text: &str, variables: &[(&str, &str)]) -> Result<GateConfig, ConfigFaults> {
    let secrets = [
        (NAME, SECRET),
        ("RINGWALL__API_KEYS__PEPPER", SECRET),
        ("RINGWALL__TOKENS__HMAC_SECRET", SECRET),
        ("API_KEYS", SECRET),
        ("JWT_SECRET", SECRET),
    ];
    // Some of them, as the first variable says, or every input would have the faults of all.
    let chosen = variables.first().map_or(0, |(name, _)| name.len());
    let secrets = secrets
        .into_iter()
        .enumerate()
        .filter(|(number, _)| *number == 0 || chosen % 5 == *number)
        .map(|(_, secret)| secret);
    let sources = ConfigSources::new()
        .text("fuzz.toml", text)
        .environment("RINGWALL")
        .old_names(true)
        .variables(variables.iter().copied().chain(secrets));
    GateConfig::load(sources)
}

fuzz_target!(|data: &[u8]| {
    let Ok(input) = str::from_utf8(data) else {
        return;
    };
    // What is in the input may be shown where it is a name.
    if input.contains(&SECRET[..6]) || input.contains("/dev/") || input.contains("/proc/") {
        return;
    }
    let (text, variables) = input.split_once("\n%%\n").unwrap_or((input, ""));
    let variables: Vec<(&str, &str)> = variables
        .lines()
        .take(32)
        .filter_map(|line| line.split_once('='))
        .collect();
    let first = load(text, &variables);
    let again = load(text, &variables);
    match (first, again) {
        (Err(faults), Err(again)) => {
            assert_eq!(faults, again);
            let shown = format!("{faults}{faults:?}");
            assert!(!shown.contains(&SECRET[..6]), "{shown}");
            assert!(!shown.contains('\u{1b}'));
            assert!(faults.iter().next().is_some());
        }
        (Ok(config), Ok(again)) => {
            assert_eq!(config.effective(), again.effective());
            let shown = format!("{}{config:?}{:?}", config.effective(), config.notices());
            assert!(!shown.contains(&SECRET[..6]), "{shown}");
            let effective = config.effective().to_string();
            let table: toml::Table = effective.parse().expect("what is shown is TOML");
            assert!(!config.modes().is_empty());
            if config.profile() == Profile::Production {
                assert!(!config.modes().contains(&AuthenticationMode::None));
                assert_eq!(table.get("check_scopes"), Some(&toml::Value::Boolean(true)));
                let mut settings = config.effective().settings();
                assert!(settings.all(|(name, _)| {
                    name != "tokens.hmac_secret" && !name.starts_with("api_keys.static.")
                }));
            }
        }
        (first, again) => panic!("{first:?} {again:?}"),
    }
});
