//! What is wrong with limits and tiers as a whole, and where it stands.

use std::collections::{BTreeMap, BTreeSet};

use ringwall_rate_limit::{KeyPart, LimitRule, RuleFault, RuleFaults};

use super::fault::SettingSource;
use super::section::Section;

/// The limit of failed credentials, and where it is said.
pub(super) const FAILED: &str = "failed_credentials";

/// The most names of limits that a remedy lists: more than most services have, and no flood in a log.
const MOST_LISTED: usize = 20;

/// What was read of limits and tiers, and where it stands: the limits are judged together, when each of them
/// has been read.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// By the names of the settings within `rate_limits`.
    sources: BTreeMap<String, SettingSource>,
    /// The limits that a tier can name, in the order in which they were read.
    names: Vec<String>,
    /// Limits of which a fault was told already. What they lack for it is no fault of its own.
    unsound: BTreeSet<String>,
    tiers: BTreeMap<String, Vec<String>>,
    /// A tier that could not be read may have had any limit.
    has_unread_tier: bool,
}

impl Written {
    /// Reads one limit of the section `limits`.
    pub(super) fn limit(
        &mut self,
        section: &mut Section<'_>,
        name: &str,
        read: impl FnOnce(&mut Section<'_>) -> Option<LimitRule>,
    ) -> Option<LimitRule> {
        let rule = self.read(section, name, &format!("limits.{name}"), read);
        let is_given = |rule: &LimitRule| rule.parts().contains(&KeyPart::Given);
        if !rule.as_ref().is_some_and(is_given) {
            self.names.push(name.to_owned());
        }
        rule
    }

    /// Reads the limit of failed credentials, which stands beside the others.
    pub(super) fn failed(
        &mut self,
        section: &mut Section<'_>,
        name: &str,
        read: impl FnOnce(&mut Section<'_>) -> Option<LimitRule>,
    ) -> Option<LimitRule> {
        self.read(section, name, FAILED, read)
    }

    fn read(
        &mut self,
        section: &mut Section<'_>,
        name: &str,
        key: &str,
        read: impl FnOnce(&mut Section<'_>) -> Option<LimitRule>,
    ) -> Option<LimitRule> {
        let before = section.faults();
        let rule = read(section);
        if section.faults() != before {
            self.unsound.insert(name.to_owned());
        }
        self.sources
            .insert(key.to_owned(), section.source().clone());
        let on_failure = section.source_of("on_failure");
        self.sources.insert(format!("{key}.on_failure"), on_failure);
        rule
    }

    /// Keeps one tier, which is `None` when it could not be read.
    pub(super) fn tier(
        &mut self,
        section: &Section<'_>,
        name: String,
        limits: Option<Vec<String>>,
    ) {
        let source = section.source_of(&name);
        self.sources.insert(format!("tiers.{name}"), source);
        match limits {
            Some(limits) => {
                self.tiers.insert(name, limits);
            }
            None => self.has_unread_tier = true,
        }
    }

    /// The tiers that could be read.
    pub(super) fn tiers(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.tiers
            .iter()
            .map(|(name, limits)| (name.as_str(), limits.as_slice()))
    }

    /// Tells what is wrong in `section`, but for what follows from faults that were told.
    pub(super) fn tell(&self, faults: &RuleFaults, section: &mut Section<'_>) {
        for fault in faults {
            let follows = limit_of(fault).is_some_and(|limit| self.unsound.contains(limit))
                || (self.has_unread_tier && matches!(fault, RuleFault::Unused { .. }));
            if !follows {
                let (key, problem, remedy) = self.told(fault);
                let source = self.sources.get(&key).cloned();
                let source = source.unwrap_or(SettingSource::Unset);
                section.fault_at(&key, source, problem, remedy);
            }
        }
    }

    /// Where a fault is, what it is and what to do. It shows names of settings and no value: of a word in a list
    /// nobody knows what it was meant to be, so it is told by its number.
    fn told(&self, fault: &RuleFault) -> (String, String, String) {
        let tier = |name: &str| format!("tiers.{name}");
        let nth = |tier: &str, limit: &str, is_last: bool| {
            let limits = self.tiers.get(tier).map_or(&[][..], Vec::as_slice);
            let is_it = |name: &String| *name == *limit;
            let place = if is_last {
                limits.iter().rposition(is_it)
            } else {
                limits.iter().position(is_it)
            };
            place.unwrap_or_default().saturating_add(1)
        };
        let (key, problem, remedy) = match fault {
            RuleFault::UnknownLimit { tier: name, limit } => {
                let problem = format!(
                    "names a limit that does not exist, number {} of the list",
                    nth(name, limit, false)
                );
                return (tier(name), problem, self.correct_it());
            }
            RuleFault::RepeatedLimit { tier: name, limit } => {
                let number = nth(name, limit, true);
                let problem = format!("names a limit twice, the second time as number {number}");
                return (tier(name), problem, "name it once".to_owned());
            }
            RuleFault::GivenInTier { tier: name, limit } => {
                let number = nth(name, limit, false);
                let problem = format!("names a limit by what handlers give, number {number}");
                let remedy = "leave it out: its handlers check it".to_owned();
                return (tier(name), problem, remedy);
            }
            RuleFault::Policy { limit: name, .. } => (
                limit_key(name),
                "cannot be",
                "a name is 1 to 64 of a-z, 0-9, '-' and '_', and no other limit's; there are 256 at most",
            ),
            RuleFault::NoParts { limit: name } => {
                (limit_key(name), "counts by nothing", "say by what in `by`")
            }
            RuleFault::RepeatedPart { limit: name } => (
                limit_key(name),
                "counts by the same twice",
                "say it once in `by`",
            ),
            RuleFault::TooManyParts { limit: name } => (
                limit_key(name),
                "counts by more than fits into a key",
                "of project, user and identity name two at most, and then nothing else",
            ),
            RuleFault::GivenIdentity { limit: name } => (
                limit_key(name),
                "counts by identity and by what handlers give at once",
                "say one of the two in `by`",
            ),
            RuleFault::WithoutCredential { limit: name } => (
                limit_key(name),
                "counts requests without a credential, and not by address alone",
                "write by = [\"address\"]",
            ),
            RuleFault::OpenGuard { limit: name } => (
                format!("{}.on_failure", limit_key(name)),
                "is open, and whoever disturbs the store would be free to guess",
                "write closed or local",
            ),
            RuleFault::Unused { limit: name } => (
                limit_key(name),
                "is in no tier",
                "name it in `tiers`, or leave it out",
            ),
            RuleFault::TierName { tier: name } => (
                tier(name),
                "is no name of a tier",
                "take 1 to 64 of a-z, 0-9, '-' and '_'",
            ),
            RuleFault::EmptyTier { tier: name } => {
                (tier(name), "has no limits", "name some, or leave it out")
            }
            RuleFault::TooManyLimits { tier: name } => (
                tier(name),
                "has more limits than one request is checked against",
                "name five at most",
            ),
            // Of numbers that were judged before, and of what is newer than this crate.
            RuleFault::Ipv6Prefix { .. } | RuleFault::FailedCredentials | _ => {
                ("limits".to_owned(), "cannot be", "correct them")
            }
        };
        (key, problem.to_owned(), remedy.to_owned())
    }

    /// What to write instead: the limits that there are.
    fn correct_it(&self) -> String {
        let mut names: Vec<String> = self
            .names
            .iter()
            .take(MOST_LISTED)
            .map(|name| super::fault::shown(name))
            .collect();
        if self.names.len() > MOST_LISTED {
            names.push("…".to_owned());
        }
        format!(
            "write one of {}, or add the limit to `limits`",
            names.join(", ")
        )
    }
}

/// Where a limit is said.
fn limit_key(name: &str) -> String {
    match name {
        FAILED => FAILED.to_owned(),
        _ => format!("limits.{name}"),
    }
}

/// The limit that a fault is about.
fn limit_of(fault: &RuleFault) -> Option<&str> {
    match fault {
        RuleFault::Policy { limit, .. }
        | RuleFault::NoParts { limit }
        | RuleFault::RepeatedPart { limit }
        | RuleFault::TooManyParts { limit }
        | RuleFault::GivenIdentity { limit }
        | RuleFault::Ipv6Prefix { limit }
        | RuleFault::WithoutCredential { limit }
        | RuleFault::OpenGuard { limit }
        | RuleFault::Unused { limit }
        | RuleFault::UnknownLimit { limit, .. }
        | RuleFault::RepeatedLimit { limit, .. }
        | RuleFault::GivenInTier { limit, .. } => Some(limit),
        RuleFault::FailedCredentials
        | RuleFault::TierName { .. }
        | RuleFault::EmptyTier { .. }
        | RuleFault::TooManyLimits { .. }
        | _ => None,
    }
}
