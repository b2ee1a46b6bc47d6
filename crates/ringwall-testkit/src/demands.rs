//! What a route demands, as one line of a test.

use core::future::Future;
use core::panic::Location;
use core::time::Duration;

use crate::answer::{Answer, Class};
use crate::app::Transport;
use crate::assertion::Assertion;
use crate::caller::Base;
use crate::failure::fail;
use crate::request::TestRequest;
use crate::verdict::Wrong;

/// A subject whom no directory knows.
const UNKNOWN: &str = "ringwall-testkit-nobody";

/// Assertions about the route that a request is for. Each sends requests of its own, whose caller is
/// varied from the request's own: a user `alice` without a tenant, unless [`as_user`](Self::as_user),
/// [`with`](Self::with) or [`in_org`](Self::in_org) say otherwise.
impl<'a, T: Transport> TestRequest<'a, T> {
    /// Asserts that nobody gets in without a good credential: not with none, not with a token that has
    /// any [`Flaw`](crate::Flaw), not with something malformed, two at once, or a good token where none
    /// may be looked for (the query, a cookie). Each must be refused for its own reason, so that
    /// a service which refuses everybody does not pass.
    ///
    /// The handler never runs, unless the assertion fails.
    #[track_caller]
    pub fn refuses_strangers(self) -> Assertion<impl Future<Output = ()> + use<'a, T>> {
        let asked_at = Location::caller();
        let attempts = self.attempts("refuses_strangers");
        Assertion::new(asked_at, async move {
            self.refuses_all(&attempts, asked_at).await;
        })
    }

    /// Asserts that the route [refuses strangers](Self::refuses_strangers), and that any good token
    /// suffices.
    ///
    /// The handler runs once.
    #[track_caller]
    pub fn needs_login(self) -> Assertion<impl Future<Output = ()> + use<'a, T>> {
        let asked_at = Location::caller();
        let attempts = self.attempts("needs_login");
        let caller = self.caller.base("needs_login").clone();
        Assertion::new(asked_at, async move {
            self.refuses_all(&attempts, asked_at).await;
            let answer = self.send_as(&caller.credentials()).await;
            let expected = "the handler of a route that exists";
            self.expect(
                answer.is_served(),
                Wrong::NotLetIn,
                expected,
                &answer,
                asked_at,
            );
        })
    }

    /// Asserts that the route [refuses strangers](Self::refuses_strangers), that whoever lacks `scope`
    /// is refused with 403 `insufficient_scope` which names it, whatever other scopes they have (look-alikes
    /// such as `cases:*` and `CASES:READ` among them), and that with it the handler is reached.
    ///
    /// Scopes that the request's caller has beside it are kept. The handler runs once.
    #[track_caller]
    pub fn needs_scope(self, scope: &str) -> Assertion<impl Future<Output = ()> + use<'a, T>> {
        self.needs_all("needs_scope", vec![scope.to_owned()], Location::caller())
    }

    /// The same of several scopes, of which the route demands each.
    #[track_caller]
    pub fn needs_scopes<'s, I>(
        self,
        scopes: I,
    ) -> Assertion<impl Future<Output = ()> + use<'a, 's, T, I>>
    where
        I: IntoIterator<Item = &'s str>,
    {
        let scopes = scopes.into_iter().map(str::to_owned).collect();
        self.needs_all("needs_scopes", scopes, Location::caller())
    }

    #[track_caller]
    fn needs_all(
        self,
        what: &str,
        scopes: Vec<String>,
        asked_at: &'static Location<'static>,
    ) -> Assertion<impl Future<Output = ()> + use<'a, T>> {
        let needed: Vec<String> = some(what, scopes);
        let attempts = self.attempts(what);
        let caller = self.caller.base(what).clone();
        Assertion::new(asked_at, async move {
            self.refuses_all(&attempts, asked_at).await;
            let beside = beside(&caller, &needed);
            for scope in &needed {
                let others = needed.iter().filter(|other| *other != scope).cloned();
                let look_alikes = look_alikes(scope)
                    .into_iter()
                    .filter(|other| !needed.contains(other));
                let held: Vec<String> = beside
                    .iter()
                    .cloned()
                    .chain(others)
                    .chain(look_alikes)
                    .collect();
                self.lacks(&caller, &held, &needed, &beside, asked_at).await;
            }
            let held: Vec<String> = beside.iter().chain(&needed).cloned().collect();
            self.suffices(&caller, &held, asked_at).await;
        })
    }

    /// Asserts that the route [refuses strangers](Self::refuses_strangers), that whoever has none of these
    /// scopes is refused with 403 `insufficient_scope` which names them all, and that each by itself
    /// suffices.
    ///
    /// The handler runs once for each.
    #[track_caller]
    pub fn needs_any_scope<'s, I>(
        self,
        scopes: I,
    ) -> Assertion<impl Future<Output = ()> + use<'a, 's, T, I>>
    where
        I: IntoIterator<Item = &'s str>,
    {
        let asked_at = Location::caller();
        let what = "needs_any_scope";
        let any = some(what, scopes.into_iter().map(str::to_owned).collect());
        let attempts = self.attempts(what);
        let caller = self.caller.base(what).clone();
        Assertion::new(asked_at, async move {
            self.refuses_all(&attempts, asked_at).await;
            let beside = beside(&caller, &any);
            let look_alikes = any
                .iter()
                .flat_map(|scope| look_alikes(scope))
                .filter(|other| !any.contains(other));
            let held: Vec<String> = beside.iter().cloned().chain(look_alikes).collect();
            self.lacks(&caller, &held, &any, &beside, asked_at).await;
            for scope in any {
                let held: Vec<String> = beside.iter().cloned().chain([scope]).collect();
                self.suffices(&caller, &held, asked_at).await;
            }
        })
    }

    /// Asserts that a caller who acts in no organisation is refused (403), and that the request's own
    /// caller, who acts in one ([`in_org`](Self::in_org)), is let in.
    ///
    /// The handler runs twice at most: it may be what refuses.
    #[track_caller]
    pub fn needs_tenant(self) -> Assertion<impl Future<Output = ()> + use<'a, T>> {
        let asked_at = Location::caller();
        let caller = self.caller.base("needs_tenant").clone();
        if !caller.has_org() {
            fail("`needs_tenant` needs somebody who acts in one: say `.in_org(…)` before it");
        }
        Assertion::new(asked_at, async move {
            let answer = self.send_as(&caller.without_org().credentials()).await;
            let holds = answer.class() == Class::Forbidden && answer.seen().is_refused();
            let wrong = Wrong::NotRefused("acts in no organisation");
            self.expect(holds, wrong, "403, and an event", &answer, asked_at);
            let answer = self.send_as(&caller.credentials()).await;
            self.expect(
                answer.is_let_in(),
                Wrong::NotLetIn,
                "the handler",
                &answer,
                asked_at,
            );
        })
    }

    /// Asserts that a caller of another name is refused (403), whom no directory knows, who acts in the same
    /// organisation with the same scopes; and that the request's own caller is let in. It shows that what a route
    /// [demands of the authorization policy](ringwall_gate::RouteDemand), or what its handler asks, depends on who is
    /// calling.
    ///
    /// The handler runs twice at most: it may be what refuses.
    #[track_caller]
    pub fn needs_rights(self) -> Assertion<impl Future<Output = ()> + use<'a, T>> {
        let asked_at = Location::caller();
        let caller = self.caller.base("needs_rights").clone();
        Assertion::new(asked_at, async move {
            let unknown = caller.named(UNKNOWN);
            self.lacks_rights(&unknown, "of nobody", asked_at).await;
            let answer = self.send_as(&caller.credentials()).await;
            self.expect(
                answer.is_let_in(),
                Wrong::NotLetIn,
                "the handler",
                &answer,
                asked_at,
            );
        })
    }

    /// Asserts that `caller` has too few rights, and that the operator hears of it.
    pub(crate) async fn lacks_rights(
        &self,
        caller: &Base,
        role: &str,
        asked_at: &'static Location<'static>,
    ) {
        let answer = self.send_as(&caller.credentials()).await;
        let names_scope = answer
            .challenge()
            .is_some_and(|challenge| challenge.is_error("insufficient_scope"));
        let holds =
            answer.class() == Class::Forbidden && answer.seen().is_refused() && !names_scope;
        let wrong = Wrong::Role(role);
        self.expect(holds, wrong, "403, and an event", &answer, asked_at);
    }

    /// Asserts that a login of no authentication context class, and one of another, are sent to log in
    /// again (401 `insufficient_user_authentication` which names `class`, RFC 9470), and that one of `class`
    /// is let in.
    ///
    /// The handler runs once.
    #[track_caller]
    pub fn needs_acr(self, class: &str) -> Assertion<impl Future<Output = ()> + use<'a, T>> {
        let asked_at = Location::caller();
        let caller = self.caller.base("needs_acr").clone();
        let class = class.to_owned();
        Assertion::new(asked_at, async move {
            let others = look_alikes(&class).into_iter().map(Some);
            for other in others.chain([None]) {
                let weak = caller.with_acr(other.as_deref());
                let answer = self.send_as(&weak.credentials()).await;
                let is_named = |named: &[String]| named.contains(&class);
                let holds = is_step_up(&answer)
                    && answer
                        .challenge()
                        .is_some_and(|challenge| is_named(&challenge.acr_values));
                let expected = format!("401 insufficient_user_authentication, naming acr {class}");
                let wrong = Wrong::NotRefused("has a login of another class, or of none");
                self.expect(holds, wrong, &expected, &answer, asked_at);
            }
            let strong = caller.with_acr(Some(&class));
            let answer = self.send_as(&strong.credentials()).await;
            self.expect(
                answer.is_let_in(),
                Wrong::NotLetIn,
                "the handler",
                &answer,
                asked_at,
            );
        })
    }

    /// Asserts that a login of unknown age, and one a second older than `max_age`, are sent to log in again
    /// (401 `insufficient_user_authentication` with `max_age`, RFC 9470), and that one a second younger is
    /// let in.
    ///
    /// The handler runs once.
    #[track_caller]
    pub fn needs_login_within(
        self,
        max_age: Duration,
    ) -> Assertion<impl Future<Output = ()> + use<'a, T>> {
        let asked_at = Location::caller();
        let caller = self.caller.base("needs_login_within").clone();
        let second = Duration::from_secs(1);
        let now = self.app.kit().issuer().now();
        Assertion::new(asked_at, async move {
            for old in [None, max_age.checked_add(second)] {
                let answer = self
                    .send_as(&caller.logged_in(old, now).credentials())
                    .await;
                let told = |challenge: crate::BearerChallenge| {
                    challenge.max_age == Some(max_age.as_secs())
                };
                let holds = is_step_up(&answer) && answer.challenge().is_some_and(told);
                let seconds = max_age.as_secs();
                let expected = format!("401 insufficient_user_authentication, max_age {seconds}");
                let wrong = Wrong::NotRefused("logged in too long ago, or nobody knows when");
                self.expect(holds, wrong, &expected, &answer, asked_at);
            }
            let fresh = caller.logged_in(Some(max_age.saturating_sub(second)), now);
            let answer = self.send_as(&fresh.credentials()).await;
            self.expect(
                answer.is_let_in(),
                Wrong::NotLetIn,
                "the handler",
                &answer,
                asked_at,
            );
        })
    }

    /// Asserts that `held` does not suffice, and that the refusal names `needed`, and beside them nothing
    /// but what the caller has.
    pub(crate) async fn lacks(
        &self,
        caller: &Base,
        held: &[String],
        needed: &[String],
        beside: &[String],
        asked_at: &'static Location<'static>,
    ) {
        let held: Vec<&str> = held.iter().map(String::as_str).collect();
        let answer = self
            .send_as(&caller.with_exactly(&held).credentials())
            .await;
        let names = |named: &[String]| {
            needed.iter().all(|scope| named.contains(scope))
                && named
                    .iter()
                    .all(|scope| needed.contains(scope) || beside.contains(scope))
        };
        let holds = answer.class() == Class::Forbidden
            && answer.challenge().is_some_and(|challenge| {
                challenge.is_error("insufficient_scope") && names(&challenge.scope)
            });
        let needed = needed.join(" ");
        let expected = format!("403 insufficient_scope, naming {needed}");
        let wrong = Wrong::Scope(&needed);
        self.expect(holds, wrong, &expected, &answer, asked_at);
    }

    async fn suffices(&self, caller: &Base, held: &[String], asked_at: &'static Location<'static>) {
        let held: Vec<&str> = held.iter().map(String::as_str).collect();
        let answer = self
            .send_as(&caller.with_exactly(&held).credentials())
            .await;
        self.expect(
            answer.is_let_in(),
            Wrong::NotLetIn,
            "the handler",
            &answer,
            asked_at,
        );
    }
}

pub(crate) fn is_step_up(answer: &Answer) -> bool {
    let told =
        |challenge: crate::BearerChallenge| challenge.is_error("insufficient_user_authentication");
    answer.class() == Class::Unauthenticated && answer.challenge().is_some_and(told)
}

/// The scopes that the test gave the caller beside the ones in question.
fn beside(caller: &Base, asked: &[String]) -> Vec<String> {
    let granted = caller.granted().into_iter().map(str::to_owned);
    granted.filter(|scope| !asked.contains(scope)).collect()
}

/// A route that needs none of no scopes is no assertion.
#[track_caller]
fn some(what: &str, scopes: Vec<String>) -> Vec<String> {
    if scopes.is_empty() {
        fail(&format!(
            "`{what}` was given no scope, and so asserts nothing"
        ));
    }
    scopes
}

/// Names that a careless comparison takes for `name`: a wildcard, another case, a part of it, and what it
/// is a part of.
pub(crate) fn look_alikes(name: &str) -> Vec<String> {
    let mut all = vec![
        "*".to_owned(),
        "admin".to_owned(),
        name.to_uppercase(),
        name.to_lowercase(),
    ];
    all.push(format!("{name}s"));
    all.push(format!("x{name}"));
    let mut shorter = name.to_owned();
    shorter.pop();
    all.push(shorter);
    if let Some((head, tail)) = name.rsplit_once([':', '.', '/']) {
        all.extend([
            head.to_owned(),
            tail.to_owned(),
            format!("{head}:*"),
            format!("*:{tail}"),
        ]);
    }
    all.retain(|other| !other.is_empty() && other.as_str() != name);
    all.sort();
    all.dedup();
    all
}
