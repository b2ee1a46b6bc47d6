//! All routes at once.

use core::future::Future;
use core::panic::Location;
use core::time::Duration;

use http::Method;
use ringwall_core::principal::{ContextClass, Scope};
use ringwall_gate::{Access, AuthenticationRequirement, RouteDemand};

use crate::answer::Answer;
use crate::app::{App, Transport};
use crate::assertion::Assertion;
use crate::caller::Base;
use crate::demands::{is_step_up, look_alikes};
use crate::failure::fail;
use crate::report::Report;
use crate::request::TestRequest;
use crate::verdict::Wrong;

/// What stands for a parameter of a template: of every shape that a handler might read, a number is the
/// one that most accept. Requests of a sweep never reach a handler.
const SAMPLE: &str = "1";

/// A path that no service has.
pub(crate) const UNKNOWN: &str = "/ringwall-testkit/no-such-route";

/// One registered route, whatever the framework.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedRoute {
    /// The name under which it is recorded, such as `GET /cases/{id}`.
    pub name: String,
    /// A method that it answers to.
    pub method: Method,
    /// A path that belongs to it.
    pub sample: String,
    /// Who may use it.
    pub access: Access,
    /// What it demands of the login behind a credential.
    pub login: Option<AuthenticationRequirement>,
    /// What it demands of the gate's authorization policy.
    pub demand: RouteDemand,
}

impl ListedRoute {
    /// A route by its name: a method, a space, and a template whose parameters are segments in braces.
    /// `ANY` stands for every method.
    #[must_use]
    pub fn new(name: &str, access: Access) -> Self {
        let (method, template) = name.split_once(' ').unwrap_or(("ANY", name));
        let method = match method {
            "ANY" | "OTHER" => Method::GET,
            named => named.parse().unwrap_or(Method::GET),
        };
        Self {
            name: name.to_owned(),
            method,
            sample: sample(template),
            access,
            login: None,
            demand: RouteDemand::none(),
        }
    }

    /// Says what it demands of the login behind a credential.
    #[must_use]
    pub fn with_login(mut self, login: Option<AuthenticationRequirement>) -> Self {
        self.login = login;
        self
    }

    /// Says what it demands of the gate's authorization policy.
    #[must_use]
    pub fn with_demand(mut self, demand: RouteDemand) -> Self {
        self.demand = demand;
        self
    }

    const fn is_open(&self) -> bool {
        matches!(self.access, Access::Public | Access::Optional)
    }
}

/// A list of routes: what the routers of the adapters answer when they are asked for theirs.
pub trait RouteList {
    /// The routes.
    fn listed(&self) -> Vec<ListedRoute>;
}

impl RouteList for [ListedRoute] {
    fn listed(&self) -> Vec<ListedRoute> {
        self.to_vec()
    }
}

impl RouteList for Vec<ListedRoute> {
    fn listed(&self) -> Vec<ListedRoute> {
        self.clone()
    }
}

/// A path that matches `template`.
fn sample(template: &str) -> String {
    if !template.starts_with('/') {
        return UNKNOWN.to_owned();
    }
    let segments = template.split('/').map(|segment| {
        let is_parameter = segment.starts_with('{') && segment.ends_with('}');
        if is_parameter || segment == "*" {
            SAMPLE
        } else {
            segment
        }
    });
    segments.collect::<Vec<_>>().join("/")
}

impl<T: Transport> App<T> {
    /// Asserts that the routes named in `open`, by names such as `GET /healthz`, are public or optional,
    /// that no other route is, and that each of the others [refuses strangers], refuses whoever lacks a
    /// scope that it declares, sends a login to log in again that is not what it declares, and refuses whoever
    /// holds the scopes and not the role that it declares.
    ///
    /// A list that still names what is no longer there, or no longer open, fails too: it is what a reviewer
    /// reads. No handler runs, unless the assertion fails.
    ///
    /// [refuses strangers]: TestRequest::refuses_strangers
    #[track_caller]
    pub fn protects_all_but<'s, L, I>(
        &self,
        routes: &L,
        open: I,
    ) -> Assertion<impl Future<Output = ()> + use<'_, 's, T, L, I>>
    where
        L: RouteList + ?Sized,
        I: IntoIterator<Item = &'s str>,
    {
        let asked_at = Location::caller();
        let routes = routes.listed();
        compare(&routes, open);
        Assertion::new(asked_at, async move {
            for route in routes.iter().filter(|route| !route.is_open()) {
                self.sweep(route, asked_at).await;
            }
        })
    }

    async fn sweep(&self, route: &ListedRoute, asked_at: &'static Location<'static>) {
        let request = self.request(route.method.clone(), &route.sample);
        let attempts = request.attempts("protects_all_but");
        if let Some(first) = attempts.first() {
            let answer = request.attempt(first).await;
            reaches(&request, route, &answer, asked_at);
        }
        request.refuses_all(&attempts, asked_at).await;
        let scopes: Vec<String> = route
            .access
            .scopes()
            .iter()
            .map(|scope| Scope::as_str(scope).to_owned())
            .collect();
        let caller = self.caller(&request, route, asked_at).await;
        match &route.access {
            Access::Public | Access::Optional | Access::Authenticated => {}
            Access::AnyScope(_) => {
                let held = held(&scopes, None);
                request.lacks(&caller, &held, &scopes, &[], asked_at).await;
            }
            Access::AllScopes(_) => {
                for scope in &scopes {
                    let held = held(&scopes, Some(scope));
                    request.lacks(&caller, &held, &scopes, &[], asked_at).await;
                }
            }
        }
        // Whether a caller whom nobody knows has a permission is the policy's to say. A role it has not.
        if let Some(role) = route.demand.demanded_role() {
            let held: Vec<&str> = scopes.iter().map(String::as_str).collect();
            let caller = caller.with_exactly(&held);
            request.lacks_rights(&caller, role, asked_at).await;
        }
    }

    /// Somebody whose login is what the route demands, once it is shown that no other will do.
    async fn caller(
        &self,
        request: &TestRequest<'_, T>,
        route: &ListedRoute,
        asked_at: &'static Location<'static>,
    ) -> Base {
        let anybody = self.kit().token("alice");
        let Some(login) = &route.login else {
            return Base::Token(anybody);
        };
        let answer = request.send_as(&anybody.clone().into()).await;
        let expected = "401 insufficient_user_authentication";
        let wrong = Wrong::NotRefused("says nothing of a login");
        request.expect(is_step_up(&answer), wrong, expected, &answer, asked_at);
        let class = login.context_classes().first().map(ContextClass::as_str);
        let fresh = anybody.with_acr(class).logged_in_ago(Duration::ZERO);
        Base::Token(fresh)
    }
}

/// All but `scope`, or none of `scopes`; and what looks like them.
fn held(scopes: &[String], all_but: Option<&String>) -> Vec<String> {
    let others = scopes
        .iter()
        .filter(|other| all_but.is_some_and(|scope| *other != scope))
        .cloned();
    let alike = scopes
        .iter()
        .filter(|other| all_but.is_none_or(|scope| *other == scope))
        .flat_map(|scope| look_alikes(scope))
        .filter(|alike| !scopes.contains(alike));
    others.chain(alike).collect()
}

/// The sample must belong to the route, or another one is judged in its place.
fn reaches<T: Transport>(
    request: &TestRequest<'_, T>,
    route: &ListedRoute,
    answer: &Answer,
    asked_at: &'static Location<'static>,
) {
    let seen = answer.seen();
    let mut about = seen
        .events
        .iter()
        .filter_map(|event| event.about.as_deref());
    let Some(other) = about.find(|about| *about != route.name) else {
        return;
    };
    let line = request.line();
    Report {
        headline: format!(
            "{line} was to stand for the route {}, and reached {other}",
            route.name
        ),
        asked_at: Some(asked_at),
        expected: format!("an event about {}", route.name),
        answer,
        hint: Some("the list of routes is that of another application".to_owned()),
    }
    .fail();
}

/// Holds what is open against what should be.
#[track_caller]
fn compare<'s>(routes: &[ListedRoute], open: impl IntoIterator<Item = &'s str>) {
    let open: Vec<&str> = open.into_iter().collect();
    if !routes.iter().any(|route| !route.is_open()) {
        fail("the list of routes has none that is protected, so there is nothing to assert");
    }
    let mut wrong = Vec::new();
    for route in routes.iter().filter(|route| route.is_open()) {
        if !open.contains(&route.name.as_str()) {
            wrong.push(format!(
                "{} is {}, and the test does not name it",
                route.name, route.access
            ));
        }
    }
    for name in open {
        match routes.iter().find(|route| route.name == name) {
            Some(route) if route.is_open() => {}
            Some(route) => wrong.push(format!(
                "{name} is named as open, and demands: {}",
                route.access
            )),
            None => wrong.push(format!("{name} is named as open, and is no route")),
        }
    }
    if !wrong.is_empty() {
        let listed: Vec<String> = routes
            .iter()
            .map(|route| format!("  {}: {}", route.name, route.access))
            .collect();
        fail(&format!(
            "the routes that are open are not the ones that the test names\n\n  {}\n\nall routes:\n{}\n",
            wrong.join("\n  "),
            listed.join("\n")
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_matches_its_template() {
        for (template, expected) in [
            ("/", "/"),
            ("/cases/{id}", "/cases/1"),
            ("/cases/{id}/notes/{*rest}", "/cases/1/notes/1"),
            ("/files/*", "/files/1"),
            ("/a.b/c", "/a.b/c"),
            ("(unknown path)", UNKNOWN),
        ] {
            assert_eq!(sample(template), expected, "{template}");
        }
    }

    #[test]
    fn holds_all_but_one_scope_and_what_looks_like_it() {
        let scopes = ["a:b".to_owned(), "c:d".to_owned()];
        let some = held(&scopes, Some(&scopes[0]));
        assert!(some.contains(&scopes[1]) && !some.contains(&scopes[0]));
        assert!(some.contains(&"a:*".to_owned()) && some.contains(&"A:B".to_owned()));
        let none = held(&scopes, None);
        assert!(!none.contains(&scopes[0]) && !none.contains(&scopes[1]));
        assert!(none.contains(&"a:*".to_owned()) && none.contains(&"c:*".to_owned()));
    }
}
