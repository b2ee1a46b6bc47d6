//! Limits of a configuration, at the gate that comes of it.

use core::num::NonZeroU32;
use core::time::Duration;

use ringwall_core::clock::{ManualClock, Timestamp};
use ringwall_core::event::{EventKind, MemoryEvents, SecurityEvent};
use ringwall_core::request::RequestView;
use ringwall_core::step::Step;
use ringwall_rate_limit::{
    Decision, Dimension, Enforcement, LimitError, LimitStore, MemoryLimiter, Policies, Quota,
};

use super::*;
use crate::{Access, Gate, RoutePolicy};

/// The name of a service.
const REALM: &str = "realm = \"cases\"\n";

/// Limits that processes share.
const SHARED: &str = "[rate_limits]\nstore = \"service\"\nsecret = { file = \"{}/pepper\" }\n";

fn quota(policies: &Policies, name: &str) -> (u32, u64, u32) {
    let policy = policies.find(name).unwrap_or_else(|| panic!("{name}"));
    let quota = policies.quota(policy).expect("a quota");
    (quota.count(), quota.period().as_secs(), quota.burst_size())
}

fn gate(config: GateConfig) -> Gate {
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let services = Services::new()
        .clock(clock.clone())
        .limit_clock(clock)
        .revocations(Arc::new(ringwall_authn::MemoryRevocations::new(1)));
    let assembled = config.into_builder(services).expect("services");
    assembled.builder.without_audit().build().expect("a gate")
}

fn statuses(gate: &Gate, policy: &RoutePolicy, count: usize) -> Vec<u16> {
    let headers: Vec<(&str, &str)> = Vec::new();
    let view = RequestView {
        method: "GET",
        scheme: Some("https"),
        authority: None,
        raw_path: "/",
        raw_query: None,
        socket_peer: Some(([192, 0, 2, 1], 4711).into()),
        client_address: None,
        tls_peer: None,
        headers: &headers,
    };
    let one = || match gate.door(policy.clone()).enter(&view) {
        Step::Done(entry) => entry.map_or_else(|denial| denial.http_status(), |_| 200),
        Step::Wait(_) => panic!("nothing waits here"),
    };
    (0..count).map(|_| one()).collect()
}

#[test]
fn without_the_section_nothing_is_limited() {
    let folder = Folder::new();
    let config = folder.good(JWT);
    assert!(config.limit_rules().is_none());
    let gate = gate(config);
    assert!(gate.rate_limits().is_none());
    let policy = RoutePolicy::new("a route", Access::Public);
    assert_eq!(statuses(&gate, &policy, 100), [200; 100]);
}

#[test]
fn the_section_alone_is_the_defaults() {
    let folder = Folder::new();
    let config = folder.good(&format!("{JWT}[rate_limits]\n"));
    let policies = config.limit_rules().expect("rules").policies().clone();
    for (name, expected) in [
        ("tenant", (20, 1, 40)),
        ("user", (100, 60, 100)),
        ("anonymous", (60, 60, 60)),
        ("auth_address", (5, 60, 5)),
        ("auth_account", (5, 60, 5)),
        ("heavy", (10, 60, 5)),
        ("failed_credentials", (20, 60, 40)),
    ] {
        assert_eq!(quota(&policies, name), expected, "{name}");
    }
    let gate = gate(config);
    let login = RoutePolicy::new("login", Access::Public).with_tier("auth");
    assert_eq!(statuses(&gate, &login, 7)[4..], [200, 429, 429]);
    let page = RoutePolicy::new("page", Access::Public);
    let all = statuses(&gate, &page, 70);
    assert_eq!(all.iter().filter(|status| **status == 200).count(), 60);
}

#[test]
fn what_is_written_changes_a_default_or_adds_to_them() {
    let text = format!(
        r#"{JWT}
[rate_limits]
tell_everybody = false
[rate_limits.limits.user]
count = 200
shadow = true
[rate_limits.limits.tenant]
ceiling_count = 50
ceiling_burst = 100
[rate_limits.limits.heavy]
count = 30
[rate_limits.limits.daily]
count = 1000
period_seconds = 86400
burst = 10
by = ["address"]
ipv6_prefix = 48
[rate_limits.failed_credentials]
count = 7
[rate_limits.tiers]
default = ["user", "anonymous", "daily"]
"#
    );
    let folder = Folder::new();
    let config = folder.good(&text);
    let rules = config.limit_rules().expect("rules").clone();
    let policies = rules.policies();
    // A burst follows the count, unless the default has another one.
    assert_eq!(quota(policies, "user"), (200, 60, 200));
    assert_eq!(quota(policies, "heavy"), (30, 60, 5));
    assert_eq!(quota(policies, "daily"), (1000, 86_400, 10));
    assert_eq!(quota(policies, "failed_credentials"), (7, 60, 40));
    let find = |name| policies.find(name).expect("a limit");
    assert_eq!(
        policies.enforcement(find("user")),
        Some(Enforcement::Shadow)
    );
    let ceiling = Quota::per_second(50)
        .and_then(|quota| quota.burst(100))
        .expect("a quota");
    assert_eq!(policies.ceiling(find("tenant")), Some(ceiling));
    let effective = config.effective().to_string();
    for line in [
        "count = 200",
        "by = [\"user\"]",
        "count = 7",
        "ipv6_prefix = 48",
    ] {
        assert!(effective.contains(line), "{line}\n{effective}");
    }
    let gate = gate(config);
    let page = RoutePolicy::new("page", Access::Public);
    let all = statuses(&gate, &page, 30);
    assert_eq!(all.iter().filter(|status| **status == 200).count(), 10);
}

#[test]
fn a_default_that_no_tier_has_any_more_is_left_out_and_a_limit_of_ones_own_is_a_fault() {
    let tiers = "[rate_limits.tiers]\ndefault = [\"user\", \"anonymous\"]\nheavy = [\"heavy\"]\n";
    let folder = Folder::new();
    let config = folder.good(&format!("{JWT}{tiers}"));
    assert!(
        config
            .limit_rules()
            .expect("rules")
            .policies()
            .find("tenant")
            .is_none()
    );
    let own = "[rate_limits.limits.mine]\ncount = 1\nby = [\"user\"]\n";
    folder.refuses(&format!("{JWT}{own}"), &["rate_limits.limits.mine"]);
}

#[test]
fn all_that_is_wrong_with_limits_is_told_at_once() {
    let text = format!(
        r#"{JWT}
[rate_limits]
keys = 0
identity_header = "x-user"
[rate_limits.limits.mine]
period_seconds = 0
[rate_limits.limits.heavy]
by = ["ip"]
[rate_limits.failed_credentials]
ipv6_prefix = 8
[rate_limits.tiers]
default = "user"
"#
    );
    Folder::new().refuses(
        &text,
        &[
            "rate_limits.keys",
            "rate_limits.identity_header",
            "rate_limits.limits.heavy.by",
            "rate_limits.limits.mine.count",
            "rate_limits.limits.mine.period_seconds",
            "rate_limits.limits.mine.by",
            "rate_limits.failed_credentials.ipv6_prefix",
            "rate_limits.tiers.default",
        ],
    );
    let text = format!("{JWT}[rate_limits.tiers]\ndefault = [\"usr\"]\nBig = [\"user\"]\n");
    Folder::new().refuses(
        &text,
        &["rate_limits.tiers.Big", "rate_limits.tiers.default"],
    );
}

#[test]
fn a_misspelled_limit_of_a_tier_is_told_with_its_place_and_with_all_else_that_is_wrong() {
    let text = r#"
modes = ["jwt"]
[tokens]
issuer = "https://login.example.com"
audience = "https://api.example.com"
jwks_file = "{}/jwks.json"
[rate_limits.limits.reports]
count = 30
by = ["user"]
[rate_limits.limits.broken]
by = ["user"]
[rate_limits.limits.anonymous]
by = ["user"]
[rate_limits.tiers]
reports = ["tenant", "user", "reprots"]
twice = ["reports", "user", "reports"]
given = ["auth_account"]
broken = ["broken"]
"#;
    let faults = Folder::new()
        .load_with(
            text,
            &[("RINGWALL__RATE_LIMITS__TIERS__HEAVY", "user,hevy")],
        )
        .expect_err("faults");
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let names = "tenant, user, anonymous, auth_address, heavy, broken, reports";
    let correct = format!("write one of {names}, or add the limit to `limits`");
    let unknown = "names a limit that does not exist, number";
    assert_eq!(
        told,
        [
            "rate_limits.limits.broken.count (not set): is missing; say how many requests a period may have".to_owned(),
            "rate_limits.limits.anonymous (gate.toml:12): counts requests without a credential, and not by address alone; write by = [\"address\"]".to_owned(),
            "rate_limits.tiers.given (gate.toml:17): names a limit by what handlers give, number 1; leave it out: its handlers check it".to_owned(),
            format!("rate_limits.tiers.heavy (RINGWALL__RATE_LIMITS__TIERS__HEAVY): {unknown} 2 of the list; {correct}"),
            format!("rate_limits.tiers.reports (gate.toml:15): {unknown} 3 of the list; {correct}"),
            "rate_limits.tiers.twice (gate.toml:16): names a limit twice, the second time as number 3; name it once".to_owned(),
        ]
    );
}

#[test]
fn where_a_tier_could_not_be_read_no_limit_is_told_to_be_in_none() {
    let text = format!(
        "{JWT}[rate_limits.limits.mine]\ncount = 1\nby = [\"user\"]\n[rate_limits.tiers]\nmine = \"mine\"\n"
    );
    Folder::new().refuses(&text, &["rate_limits.tiers.mine"]);
}

#[test]
fn variables_say_limits_too() {
    let config = Folder::new()
        .load_with(
            JWT,
            &[
                ("RINGWALL__RATE_LIMITS__LIMITS__HEAVY__COUNT", "3"),
                ("RINGWALL__RATE_LIMITS__TIERS__DEFAULT", "user,heavy"),
            ],
        )
        .expect("good");
    let rules = config.limit_rules().expect("rules");
    assert_eq!(quota(rules.policies(), "heavy"), (3, 60, 5));
    assert!(rules.tier("default").expect("a tier").has_identities());
}

#[test]
fn a_store_of_the_service_counts_in_the_place_of_the_process() {
    let folder = Folder::new();
    let shared = format!("{REALM}{JWT}{SHARED}");
    let config = folder.good(&shared);
    let policies = config.limit_rules().expect("rules").policies().clone();
    assert!(policies.has_shared_keys());
    let store = Arc::new(MemoryLimiter::new(policies, 10));
    let services = |store: Option<Arc<dyn LimitStore>>| {
        let services =
            Services::new().revocations(Arc::new(ringwall_authn::MemoryRevocations::new(1)));
        match store {
            Some(store) => services.limit_store(store),
            None => services,
        }
    };
    let assembled = config.into_builder(services(Some(store.clone())));
    let built = assembled.expect("services").builder.without_audit().build();
    assert!(built.is_ok());
    // One that was made with other policies, none at all, and one beside the process's own.
    let other = Arc::new(MemoryLimiter::new(Policies::builder().build(), 10));
    let own = format!("{JWT}[rate_limits]\n");
    for (text, store) in [
        (&shared, Some(other.clone() as Arc<dyn LimitStore>)),
        (&shared, Some(store as Arc<dyn LimitStore>)),
        (&shared, None),
        (&own, Some(other)),
    ] {
        let refused = folder.good(text).into_builder(services(store));
        let faults = refused.expect_err("no such store");
        assert_eq!(fields_of(&faults), ["rate_limits.store"], "{faults}");
    }
}

#[test]
fn processes_share_keys_by_their_secret_alone() {
    let folder = Folder::new();
    folder.write("other", &"a secret of 32 bytes for the keys".repeat(2));
    folder.write("short", &"x".repeat(31));
    let text = |file: &str| format!("{REALM}{JWT}{SHARED}").replace("pepper", file);
    let bucket = |file: &str| {
        let config = folder.good(&text(file));
        let rules = config.limit_rules().expect("rules");
        let caller = ringwall_rate_limit::Caller {
            address: Some([192, 0, 2, 1].into()),
            ..Default::default()
        };
        let bucket = rules.bucket("auth_address", &caller, None);
        bucket.expect("a limit").expect("a bucket").key()
    };
    assert_eq!(bucket("pepper"), bucket("pepper"));
    assert_ne!(bucket("pepper"), bucket("other"));
    folder.refuses(&text("short"), &["rate_limits.secret"]);
    // Another service with the same secret counts for itself, and one without a name does not count there.
    folder.refuses(&format!("{JWT}{SHARED}"), &["rate_limits.store"]);
    let config = folder.good(&text("pepper").replace("cases", "other"));
    let rules = config.limit_rules().expect("rules");
    let caller = ringwall_rate_limit::Caller {
        address: Some([192, 0, 2, 1].into()),
        ..Default::default()
    };
    let other = rules.bucket("auth_address", &caller, None);
    let other = other.expect("a limit").expect("a bucket").key();
    assert_ne!(other, bucket("pepper"));
}

#[test]
fn a_ceiling_fills_no_faster_than_the_limit_and_does_so_unless_it_is_said() {
    let folder = Folder::new();
    let text = |ceiling: &str| format!("{JWT}[rate_limits.limits.tenant]\n{ceiling}\n");
    let config = folder.good(&text("ceiling_count = 50"));
    let policies = config.limit_rules().expect("rules").policies();
    let ceiling = policies.ceiling(policies.find("tenant").expect("a limit"));
    let ceiling = ceiling.expect("a ceiling");
    // 20 a second and 40 at once: two seconds.
    assert_eq!((ceiling.count(), ceiling.burst_size()), (50, 100));
    for faster in [
        "ceiling_count = 50\nceiling_burst = 50",
        "ceiling_count = 50\nceiling_burst = 99",
    ] {
        folder.refuses(&text(faster), &["rate_limits.limits.tenant.ceiling_count"]);
    }
}

#[test]
fn a_guard_by_another_name_is_never_open_and_a_share_can_be_counted() {
    let folder = Folder::new();
    let text = |more: &str| {
        format!(
            r#"{REALM}{JWT}{SHARED}
processes = 4
[rate_limits.limits.login_address]
count = 1
by = ["address"]
{more}
[rate_limits.tiers]
login = ["login_address"]
"#
        )
    };
    assert!(folder.load(&text("on_failure = \"open\"")).is_ok());
    let field = "rate_limits.limits.login_address.on_failure";
    folder.refuses(&text("guard = true\non_failure = \"open\""), &[field]);
    let slow = "period_seconds = 31622400\non_failure = \"local\"";
    folder.refuses(&text(slow), &[field]);
    assert!(
        folder
            .load(&text("guard = true\non_failure = \"local\""))
            .is_ok()
    );
}

/// A store that answers nothing.
#[derive(Debug)]
struct Lost(Policies);

impl LimitStore for Lost {
    fn policies(&self) -> &Policies {
        &self.0
    }

    fn check(
        &self,
        _now: Duration,
        _dimensions: &[Dimension],
        _cost: NonZeroU32,
    ) -> Step<Result<Decision, LimitError>> {
        Step::Done(Err(LimitError::Unavailable {
            source: "no answer".into(),
        }))
    }

    fn peek(
        &self,
        now: Duration,
        dimensions: &[Dimension],
        cost: NonZeroU32,
    ) -> Step<Result<Decision, LimitError>> {
        self.check(now, dimensions, cost)
    }

    fn refund(&self, _now: Duration, _decision: Decision) -> Step<Result<(), LimitError>> {
        Step::Done(Ok(()))
    }
}

#[test]
fn a_gate_refuses_a_store_that_would_not_do_what_its_limits_say_of_failures() {
    use ringwall_rate_limit::{FallbackLimiter, LimitRules, OnFailure};
    let gate = |limits| {
        Gate::builder("test")
            .rate_limits(limits)
            .without_authenticators()
            .without_audit()
            .build()
            .map(drop)
    };
    let standard = || LimitRules::standard().expect("the defaults");
    let user = standard().find("user").cloned().expect("a limit");
    let said = standard().limit(user.on_failure(OnFailure::Open)).build();
    let said = said.expect("rules");
    let lost = || Arc::new(Lost(said.policies().clone()));
    assert_eq!(
        gate(crate::RateLimits::new(said.clone(), lost())),
        Err(crate::Error::FailurePoliciesUnheld)
    );
    let held = FallbackLimiter::of_rules(&said, lost()).expect("the same");
    let held = Arc::new(held.build());
    assert_eq!(gate(crate::RateLimits::new(said.clone(), held)), Ok(()));
    assert_eq!(gate(crate::RateLimits::in_memory(said.clone(), 10)), Ok(()));
    // Where nothing was said, everything is closed anyway.
    let silent = standard().build().expect("rules");
    let lost = Arc::new(Lost(silent.policies().clone()));
    assert_eq!(gate(crate::RateLimits::new(silent, lost)), Ok(()));
}

#[test]
fn without_its_store_a_gate_does_what_each_limit_says_and_tells_it_once() {
    let folder = Folder::new();
    let text = format!(
        r#"{REALM}{JWT}{SHARED}
processes = 4
[rate_limits.limits.anonymous]
on_failure = "local"
[rate_limits.limits.pages]
count = 1
by = ["address"]
on_failure = "open"
[rate_limits.tiers]
pages = ["pages"]
"#
    );
    let config = folder.good(&text);
    let notices: Vec<&String> = config.notices().iter().collect();
    assert!(
        notices
            .iter()
            .any(|notice| notice.contains("rate_limits.limits.pages.on_failure")),
        "{notices:?}"
    );
    let policies = config.limit_rules().expect("rules").policies().clone();
    let events = Arc::new(MemoryEvents::new(100));
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let services = Services::new()
        .clock(clock.clone())
        .limit_clock(clock)
        .events(events.clone())
        .limit_store(Arc::new(Lost(policies)))
        .revocations(Arc::new(ringwall_authn::MemoryRevocations::new(1)));
    let assembled = config.into_builder(services).expect("services");
    let gate = assembled.builder.without_audit().build().expect("a gate");
    let route = |name: &'static str, tier| RoutePolicy::new(name, Access::Public).with_tier(tier);
    // A quarter of 60.
    let local = statuses(&gate, &route("page", "default"), 20);
    assert_eq!(local, [[200; 15].as_slice(), &[429; 5]].concat());
    assert_eq!(statuses(&gate, &route("pages", "pages"), 20), [200; 20]);
    assert_eq!(statuses(&gate, &route("login", "auth"), 3), [503; 3]);
    let count = |cause: &str| {
        let all = events.snapshot();
        let is_it = |event: &&SecurityEvent| {
            event.kind == EventKind::RateLimitsUnavailable && event.cause.contains(cause)
        };
        all.iter().filter(is_it).count()
    };
    assert_eq!(count("what each limit says of that holds"), 1);
    assert_eq!(count("counted by this process alone"), 20);
    assert_eq!(count("passed unchecked"), 20);
}

#[test]
fn old_names_say_the_heavy_tier_and_the_field_of_the_ingress() {
    for prefix in ["TGEFD_", ""] {
        let name = |name| format!("{prefix}{name}");
        let variables = [
            (name("HEAVY_RATE_LIMIT_PER_MINUTE"), "30"),
            (name("HEAVY_BURST_LIMIT"), "7"),
            (name("IDENTITY_HEADER"), "x-client-id"),
        ];
        let sources = ConfigSources::new()
            .text("gate.toml", Folder::new().fill(MTLS))
            .environment("RINGWALL")
            .variables(
                variables
                    .iter()
                    .map(|(name, value)| (name.as_str(), *value)),
            )
            .old_names(true);
        let config = GateConfig::load(sources).unwrap_or_else(|faults| panic!("{faults}"));
        let policies = config.limit_rules().expect("rules").policies().clone();
        assert_eq!(quota(&policies, "heavy"), (30, 60, 7));
        let gate = gate(config);
        assert!(gate.proxy_headers().contains("x-client-id"));
        let bucket = gate.rate_limits().expect("limits").rules().bucket(
            "heavy",
            &ringwall_rate_limit::Caller {
                identity_header: Some("ada"),
                ..Default::default()
            },
            None,
        );
        assert!(bucket.expect("a limit").is_ok());
    }
}
