//! How many requests are served, where nobody says otherwise.

use ringwall_gate::config::SettingsSection;

use crate::project_limits::LIMIT;

/// The most that a project may set for itself unless said otherwise: so many requests a second, and at once.
const CEILING: (u32, u32) = (50, 100);

/// Says that there are limits: the gate's own defaults, and a ceiling under which projects set theirs. Without
/// the section the gate would limit nothing.
pub(super) fn default_to(top: &mut SettingsSection<'_>) {
    let (count, burst) = CEILING;
    for (setting, value) in [("ceiling_count", count), ("ceiling_burst", burst)] {
        let setting = format!("rate_limits.limits.{LIMIT}.{setting}");
        top.default_to(&setting, &value.to_string());
    }
}
