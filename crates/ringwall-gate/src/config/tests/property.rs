//! Of whatever is written: nothing panics, and no fault holds a value.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;

/// What stands for a secret, and is looked for in everything that is said. Letters alone would be found
/// in words.
const CANARY: &str = "q7Zx9Kq7Zx9K";

/// Values of every type and form, each with the canary where it can have one.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(format!("\"{CANARY}\"")),
        Just(format!("\"https://{CANARY}.example/{CANARY}?{CANARY}\"")),
        Just(format!("\"http://{CANARY}.example\"")),
        Just(format!("\"{CANARY} {CANARY}\"")),
        Just(format!("\"{CANARY}\\n\\u001b\"")),
        Just(format!("\"spiffe://{CANARY}/a\"")),
        Just(format!("\"{}\"", CANARY.repeat(40))),
        Just(format!("\"pak_{CANARY}\"")),
        Just(format!("{{ file = \"/nonexistent/{CANARY}\" }}")),
        Just(format!("{{ env = \"{CANARY}\" }}")),
        Just("true".to_owned()),
        Just("0".to_owned()),
        Just("60".to_owned()),
        Just("-9223372036854775808".to_owned()),
        Just("99999999999999999999999".to_owned()),
        Just("1.5".to_owned()),
        Just("1979-05-27".to_owned()),
        Just("\"\"".to_owned()),
        Just("\"*\"".to_owned()),
        Just("\"jwt\"".to_owned()),
        Just("\"development\"".to_owned()),
        Just("\"text\"".to_owned()),
        Just("\"10.0.0.0/8\"".to_owned()),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|values| format!("[{}]", values.join(", "))),
            inner.prop_map(|value| format!("{{ a = {value} }}")),
        ]
    })
}

/// The full name of a setting, with something for what people choose.
fn name() -> impl Strategy<Value = String> {
    let names: Vec<String> = SETTINGS
        .iter()
        .map(|setting| {
            let levels = setting.name().split('.');
            let levels = levels.map(|level| match level {
                "NAME" | "ROLE" | "ORG" | "ID" => "x",
                level => level,
            });
            levels.collect::<Vec<_>>().join(".")
        })
        .collect();
    prop_oneof![
        9 => prop::sample::select(names),
        1 => "[a-z_]{1,8}(\\.[a-z_]{1,8}){0,2}",
    ]
}

fn modes() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("modes = [\"jwt\", \"api_key\", \"mtls\"]\n"),
        Just("profile = \"development\"\nmodes = [\"jwt\", \"api_key\", \"mtls\"]\n"),
        Just("profile = \"development\"\nmodes = [\"none\"]\n"),
        Just(""),
    ]
}

fn says_nothing(answer: &Result<GateConfig, ConfigFaults>) -> Result<(), TestCaseError> {
    if let Err(faults) = answer {
        let shown = format!("{faults} {faults:?}");
        prop_assert!(!shown.contains(CANARY), "{shown}");
        prop_assert!(faults.iter().next().is_some());
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_value_of_a_file_is_in_a_fault(head in modes(), settings in btree_map(name(), value(), 0..12)) {
        let mut text = head.to_owned();
        for (name, value) in &settings {
            // A setting of the head stands there already.
            if !matches!(name.as_str(), "modes" | "profile") || head.is_empty() {
                text.push_str(&format!("{name} = {value}\n"));
            }
        }
        let variables: [(&str, &str); 0] = [];
        let sources = ConfigSources::new().text("gate.toml", text).variables(variables);
        says_nothing(&GateConfig::load(sources))?;
    }

    #[test]
    fn no_content_of_a_variable_is_in_a_fault(head in modes(), settings in btree_map(name(), value(), 0..12), old in btree_map(0..OLD_NAMES.len(), value(), 0..6)) {
        let mut variables: Vec<(String, String)> = settings
            .iter()
            .map(|(name, value)| {
                let name = format!("RINGWALL__{}", name.replace('.', "__").to_ascii_uppercase());
                (name, value.trim_matches('"').to_owned())
            })
            .collect();
        for (number, value) in &old {
            variables.push((OLD_NAMES[*number].name().to_owned(), value.trim_matches('"').to_owned()));
        }
        let sources = ConfigSources::new()
            .text("gate.toml", head)
            .environment("RINGWALL")
            .old_names(true)
            .variables(variables);
        says_nothing(&GateConfig::load(sources))?;
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,200}|[\\[\\]a-z_.=\"'{}, \n0-9]{0,200}") {
        let variables: [(&str, &str); 0] = [];
        let sources = ConfigSources::new().text("gate.toml", text).variables(variables);
        // Nobody writes all that a configuration needs by accident.
        prop_assert!(GateConfig::load(sources).is_err());
    }

    #[test]
    fn a_broken_line_is_not_quoted(at in 0_usize..200, cut in prop_oneof![Just("\""), Just("'"), Just("]"), Just("="), Just("\u{0}"), Just("{")]) {
        let mut text = format!("modes = [\"api_key\"]\n[api_keys]\npepper = \"{CANARY}\" # {CANARY}\nheader = '{CANARY}'\n");
        let at = at.min(text.len());
        text.insert_str(at, cut);
        let variables: [(&str, &str); 0] = [];
        let sources = ConfigSources::new().text("gate.toml", text).variables(variables);
        says_nothing(&GateConfig::load(sources))?;
    }
}
