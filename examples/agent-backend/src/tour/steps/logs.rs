//! What the logs hold, and what they do not.

use std::fs;

use serde_json::Value;

use crate::tour::Tour;
use crate::tour::forge::Forge;

pub(crate) fn run(tour: &mut Tour, forge: &Forge) {
    tour.area("Logs");
    let texts: Vec<_> = tour
        .logs
        .iter()
        .map(|path| fs::read_to_string(path).unwrap_or_default())
        .collect();
    let tokens = forge.made();
    // The parts too: a payload alone is personal data, and a signature is what makes a token.
    let parts = |token: &String| -> Vec<String> {
        token
            .split('.')
            .filter(|part| part.len() > 16)
            .map(str::to_owned)
            .collect()
    };
    let leaked = tokens
        .iter()
        .filter(|token| {
            let parts = parts(token);
            texts
                .iter()
                .any(|text| parts.iter().any(|part| text.contains(part.as_str())))
        })
        .count();
    let tried = format!(
        "{} tokens of this tour, or parts of them, in the logs",
        tokens.len()
    );
    tour.note(&tried, "0", leaked.to_string());
    let any = texts.iter().filter(|text| text.contains("eyJ")).count();
    tour.note(
        "anything that looks like the beginning of a token",
        "0",
        any.to_string(),
    );

    // Standard output is for people, standard error for programs.
    let lines: Vec<_> = texts
        .iter()
        .skip(1)
        .step_by(2)
        .flat_map(|text| text.lines())
        .collect();
    let unread = lines
        .iter()
        .filter(|line| !serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object()));
    tour.note(
        "log lines that are not JSON",
        "0",
        unread.count().to_string(),
    );
    let has = |kind: &str| {
        let wanted = Value::from(kind);
        let mut events = lines
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.any(|event| event.get("kind") == Some(&wanted) && event.get("cause").is_some())
    };
    for kind in [
        "authentication_failed",
        "authentication_succeeded",
        "credentials_missing",
        "credentials_ambiguous",
        "access_denied",
        "request_refused",
        "keys_reloaded",
        "keys_refresh_failed",
        "keys_refused",
        "keys_unavailable",
    ] {
        let got = if has(kind) { "logged" } else { "not logged" };
        tour.note(&format!("the event {kind}, with its cause"), "logged", got);
    }
}
