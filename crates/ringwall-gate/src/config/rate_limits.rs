//! What is limited by what, as a configuration says it: the defaults, and what it changes of them.

use std::sync::Arc;

use ringwall_core::clock::MonotonicClock;
use ringwall_core::event::EventSink;
use ringwall_rate_limit::{
    Enforcement, FallbackLimiter, Jitter, KeyPart, LimitRule, LimitRules, LimitRulesBuilder,
    LimitStore, OnFailure, Quota,
};

use super::front::Front;
use super::limit_faults::{self, Written};
use super::limit_place::{LimitPlace, StoreWatch};
use super::section::Section;
use super::token_place::is_header_name;
use crate::limits::RateLimits;

/// Keys that are counted at the same time unless said otherwise: 2 MB.
const KEYS: u32 = 100_000;

/// The most keys: a gigabyte.
const MOST_KEYS: u32 = 50_000_000;

/// The longest period in seconds: 366 days.
const LONGEST_PERIOD: u32 = 366 * 86_400;

/// The limits of a gate.
#[derive(Clone, Debug)]
pub(super) struct RateLimitsConfig {
    pub(super) rules: LimitRules,
    place: LimitPlace,
    keys: u32,
    identity_header: Option<String>,
    tells_everybody: bool,
    jitter: Jitter,
}

impl RateLimitsConfig {
    /// `None` when there is a fault.
    pub(super) fn read(
        mut section: Section<'_>,
        front: &Front,
        realm: Option<&str>,
    ) -> Option<Self> {
        let place = LimitPlace::read(&mut section, realm);
        let keys = section.number("keys", 1..=MOST_KEYS, KEYS);
        let tells_everybody = section.flag("tell_everybody", true);
        let percent = section.number("jitter_percent", 0..=100, 10);
        let jitter = u8::try_from(percent).ok().and_then(Jitter::percent);
        let identity_header = identity_header(&mut section, front);
        let rules = rules(&mut section, &place);
        section.finish();
        Some(Self {
            rules: rules?,
            place,
            keys,
            identity_header,
            tells_everybody,
            jitter: jitter.unwrap_or_default(),
        })
    }

    /// In the service's store, or in this process. In the store, its failures are what each limit says of them.
    pub(super) fn limits(
        &self,
        store: Option<&Arc<dyn LimitStore>>,
        clock: Option<&Arc<dyn MonotonicClock>>,
        events: &Arc<dyn EventSink>,
    ) -> Result<RateLimits, (&'static str, &'static str)> {
        let rules = self.rules.clone();
        let keys = usize::try_from(self.keys).unwrap_or(usize::MAX);
        let mut limits = match (&self.place, store) {
            (LimitPlace::Memory, None) => RateLimits::in_memory(rules, keys),
            (LimitPlace::Service { .. }, Some(store)) => {
                let builder = FallbackLimiter::of_rules(&rules, Arc::clone(store));
                let builder = builder.map_err(|_| {
                    (
                        "is the service's, which was made with other limits",
                        "make it with the policies of GateConfig::limit_rules",
                    )
                })?;
                let events = Arc::clone(events);
                let limiter = builder.keys(keys).observer(Arc::new(StoreWatch { events }));
                RateLimits::new(rules, Arc::new(limiter.build()))
            }
            (LimitPlace::Service { .. }, None) => {
                return Err((
                    "is the service's, and it has no store of limits",
                    "give Services::limit_store, or write memory for a service of one process",
                ));
            }
            (LimitPlace::Memory, Some(_)) => {
                return Err((
                    "is memory, and the service has a store too",
                    "leave one of the two out",
                ));
            }
        }
        .jitter(self.jitter);
        if let Some(clock) = clock {
            limits = limits.clock(Arc::clone(clock));
        }
        if let Some(name) = &self.identity_header {
            limits = limits.identity_header(name);
        }
        if !self.tells_everybody {
            limits = limits.tell_refused_alone();
        }
        Ok(limits)
    }

    /// What was loosened for the time in which the store does not answer.
    pub(super) fn notices(&self) -> impl Iterator<Item = String> {
        let policies = self.rules.policies();
        let open = policies
            .ids()
            .filter(|policy| self.rules.on_failure(*policy) == OnFailure::Open);
        open.map(|policy| {
            let name = policies.name(policy);
            format!("nothing is limited by {name} while the store does not answer (rate_limits.limits.{name}.on_failure)")
        })
    }
}

fn identity_header(section: &mut Section<'_>, front: &Front) -> Option<String> {
    let name = section.text("identity_header")?.to_ascii_lowercase();
    if !is_header_name(&name) {
        let remedy = "write one, such as x-auth-request-user";
        section.fault(
            "identity_header",
            "is not the name of a header field",
            remedy,
        );
    } else if !front.names_proxies {
        section.fault(
            "identity_header",
            "is believed of nobody, since no proxy is trusted",
            "name the ingress in front.trusted_proxies",
        );
    }
    Some(name)
}

/// The defaults, with what is written in their place.
fn rules(section: &mut Section<'_>, place: &LimitPlace) -> Option<LimitRules> {
    let mut builder = LimitRules::standard().ok()?;
    if let Some(hasher) = place.hasher() {
        builder = builder.hasher(hasher.clone());
    }
    let standard: Vec<String> = builder
        .limits()
        .map(|limit| limit.name().to_owned())
        .collect();
    let mut all = Written::default();
    let (written, limits) = section.within("limits", |limits| {
        let written = limits.keys();
        let mut names = standard.clone();
        names.extend(
            written
                .iter()
                .filter(|name| !standard.contains(name))
                .cloned(),
        );
        let read = |name: &String| {
            let base = builder.find(name);
            limits.within(name, |limit| {
                all.limit(limit, name, |limit| one(limit, name, base, place))
            })
        };
        let read: Vec<Option<LimitRule>> = names.iter().map(read).collect();
        (written, read)
    });
    builder = limits
        .into_iter()
        .flatten()
        .fold(builder, LimitRulesBuilder::limit);
    let failed = builder.failed().cloned();
    let failed = section.within(limit_faults::FAILED, |limit| {
        let name = failed.as_ref().map(|failed| failed.name().to_owned())?;
        all.failed(limit, &name, |limit| {
            one_by_address(limit, &name, failed.as_ref(), place)
        })
    });
    if let Some(failed) = failed {
        builder = builder.failed_credentials(failed);
    }
    section.within("tiers", |tiers| {
        for name in tiers.keys() {
            let limits = tiers.texts(&name);
            all.tier(tiers, name, limits);
        }
    });
    for (name, limits) in all.tiers() {
        builder = builder.tier(name, limits.iter().map(String::as_str));
    }
    // A default that no tier has any more is no mistake of whoever wrote the tiers.
    let unwritten = standard.iter().filter(|name| !written.contains(name));
    builder = builder.without_unused(unwritten.map(String::as_str));
    let built = builder.build();
    if let Err(faults) = &built {
        all.tell(faults, section);
    }
    built.ok()
}

/// One limit: what is written of it, and else what holds by default.
fn one(
    section: &mut Section<'_>,
    name: &str,
    base: Option<&LimitRule>,
    place: &LimitPlace,
) -> Option<LimitRule> {
    let quota = quota(section, base);
    let parts = parts(section, base);
    let is_anonymous = base.is_some_and(LimitRule::counts_strangers_alone);
    let is_anonymous = section.flag("without_credential", is_anonymous);
    let skips = section.flag("skip_absent", base.is_some_and(LimitRule::skips_absent));
    let prefix = prefix(section, base);
    let ceiling = ceiling(section, quota);
    let is_shadow = is_shadow(section, base);
    let on_failure = place.on_failure(section, quota);
    let guards = section.flag("guard", base.is_some_and(LimitRule::is_guard));
    let mut rule = LimitRule::new(name, quota?, parts?)
        .ipv6_prefix(prefix)
        .on_failure(on_failure);
    if is_anonymous {
        rule = rule.without_credential();
    }
    if skips {
        rule = rule.skip_absent();
    }
    if guards {
        rule = rule.guard();
    }
    if let Some(ceiling) = ceiling {
        rule = rule.ceiling(ceiling);
    }
    Some(if is_shadow { rule.shadow() } else { rule })
}

fn one_by_address(
    section: &mut Section<'_>,
    name: &str,
    base: Option<&LimitRule>,
    place: &LimitPlace,
) -> Option<LimitRule> {
    let quota = quota(section, base);
    let prefix = prefix(section, base);
    let is_shadow = is_shadow(section, base);
    let on_failure = place.on_failure(section, quota);
    let is_open = on_failure == OnFailure::Open;
    if is_open {
        let problem = "is open, and whoever disturbs the store would be free to guess";
        section.fault("on_failure", problem, "write closed or local");
    }
    let rule = LimitRule::new(name, quota?, [KeyPart::Address])
        .ipv6_prefix(prefix)
        .on_failure(if is_open {
            OnFailure::Closed
        } else {
            on_failure
        });
    Some(if is_shadow { rule.shadow() } else { rule })
}

fn quota(section: &mut Section<'_>, base: Option<&LimitRule>) -> Option<Quota> {
    let base = base.map(LimitRule::quota);
    let count = match base {
        Some(base) => Some(section.number("count", 1..=u32::MAX, base.count())),
        None => {
            let is_there = section.has("count");
            let count = section.optional_number("count", 1..=u32::MAX);
            if !is_there {
                section.fault(
                    "count",
                    "is missing",
                    "say how many requests a period may have",
                );
            }
            count
        }
    };
    let period = base.map_or(60, |base| base.period().as_secs());
    let period = u32::try_from(period).unwrap_or(60);
    let period = section.seconds("period_seconds", 1..=LONGEST_PERIOD, period);
    // As many at once as come in a period, unless the default says another number.
    let own = base.filter(|base| base.burst_size() != base.count());
    let burst = own.map(|base| base.burst_size()).or(count).unwrap_or(1);
    let burst = section.number("burst", 1..=u32::MAX, burst);
    let quota = Quota::new(count?, period).and_then(|quota| quota.burst(burst));
    if let Err(error) = &quota {
        section.fault(
            "count",
            format!("cannot be: {error}"),
            "correct count, period_seconds or burst",
        );
    }
    quota.ok()
}

/// The most that a tenant may set for itself, in the same period.
fn ceiling(section: &mut Section<'_>, quota: Option<Quota>) -> Option<Quota> {
    let count = section.optional_number("ceiling_count", 1..=u32::MAX);
    let burst = section.optional_number("ceiling_burst", 1..=u32::MAX);
    let (count, burst) = match (count, burst) {
        // As many at once as fill in the same time, unless said.
        (Some(count), burst) => (count, burst.unwrap_or_else(|| in_proportion(count, quota))),
        (None, Some(_)) => {
            let problem = "is of no use without ceiling_count";
            section.fault("ceiling_burst", problem, "say both, or leave it out");
            return None;
        }
        (None, None) => return None,
    };
    let quota = quota?;
    let ceiling = Quota::new(count, quota.period()).and_then(|quota| quota.burst(burst));
    match ceiling {
        Ok(ceiling) if quota.is_under(ceiling) => Some(ceiling),
        Ok(_) => {
            let problem = "is below what holds without it, or fills faster";
            section.fault(
                "ceiling_count",
                problem,
                "raise it and ceiling_burst, or lower count and burst",
            );
            None
        }
        Err(error) => {
            section.fault("ceiling_count", format!("cannot be: {error}"), "correct it");
            None
        }
    }
}

/// The burst that takes as long to fill at `count` as the limit's own: one that fills faster would be no ceiling.
fn in_proportion(count: u32, quota: Option<Quota>) -> u32 {
    let burst = quota.map_or(count, |quota| {
        let wide = u64::from(quota.burst_size()).saturating_mul(count.into());
        let burst = wide.div_ceil(u64::from(quota.count()).max(1));
        u32::try_from(burst).unwrap_or(u32::MAX)
    });
    burst.max(count)
}

fn parts(section: &mut Section<'_>, base: Option<&LimitRule>) -> Option<Vec<KeyPart>> {
    const WHAT: &str =
        "organisation, project, api_key, user, identity, address or given, one of them at least";
    let is_there = section.has("by");
    let parsed = section.parsed_texts("by", |name| KeyPart::from_name(&name).ok_or(()), WHAT);
    match (parsed, base) {
        (Some(parts), _) => Some(parts),
        (None, Some(base)) if !is_there => {
            let names: Vec<&str> = base.parts().iter().map(|part| part.as_str()).collect();
            section.list_unless_set("by", &names);
            Some(base.parts().to_vec())
        }
        (None, _) => {
            if !is_there {
                section.fault("by", "is missing", format!("write {WHAT}"));
            }
            None
        }
    }
}

fn prefix(section: &mut Section<'_>, base: Option<&LimitRule>) -> u8 {
    let (least, most) = LimitRule::IPV6_PREFIXES.into_inner();
    let unless_set = base.map_or(LimitRule::IPV6_PREFIX, LimitRule::ipv6_bits);
    let bits = section.number("ipv6_prefix", least.into()..=most.into(), unless_set.into());
    u8::try_from(bits).unwrap_or(unless_set)
}

fn is_shadow(section: &mut Section<'_>, base: Option<&LimitRule>) -> bool {
    let unless_set = base.is_some_and(|base| base.enforcement() == Enforcement::Shadow);
    section.flag("shadow", unless_set)
}
