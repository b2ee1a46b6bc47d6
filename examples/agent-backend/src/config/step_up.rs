//! What the login of somebody who deletes must be like.

use core::time::Duration;

use ringwall_gate::AuthenticationRequirement;
use ringwall_gate::config::SettingsSection;

/// How long ago the login may be unless the section says otherwise: long enough to look at a case
/// and decide, too short for a session that was left open.
const MAX_AGE_SECONDS: u32 = 300;

/// Reads the section. What it names is demanded, all of it; with nothing named, a fresh login is.
/// Nothing can be written that demands nothing.
pub(super) fn read(section: &mut SettingsSection<'_>) -> Option<AuthenticationRequirement> {
    let names_classes = section.has("acr_values");
    let names_age = section.has("max_age_seconds");
    let classes = section.texts("acr_values").unwrap_or_default();
    let age = section.seconds("max_age_seconds", 1..=86_400, MAX_AGE_SECONDS);
    let age: Option<Duration> = (names_age || !names_classes).then_some(age);
    let requirement = match (names_classes, age) {
        (false, _) => AuthenticationRequirement::max_age(age.unwrap_or_default()),
        (true, None) => AuthenticationRequirement::acr_values(classes),
        (true, Some(age)) => AuthenticationRequirement::acr_values(classes)
            .and_then(|requirement| requirement.with_max_age(age)),
    };
    match requirement {
        Ok(requirement) => Some(requirement),
        Err(error) => {
            let remedy = "name the classes that your issuer writes into acr, 16 at most";
            section.fault("acr_values", error.to_string(), remedy);
            None
        }
    }
}
