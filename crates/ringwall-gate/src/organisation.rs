//! What organisations demand of their own people: where they logged in, how, and by which mail domain.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ringwall_authn::Claims;
use ringwall_core::principal::{
    AuthenticationMethod, ContextClass, MethodReference, OrgId, Principal, PrincipalKind,
};

use crate::authenticator::Authenticated;
use crate::error::Error;

/// The most entries of one list of a rule: more than any organisation has, and few enough to look
/// through for each request.
const MAX_ENTRIES: usize = 64;

/// The longest mail address (RFC 5321 §4.5.3.1.3, without its angle brackets).
const MAX_ADDRESS_BYTES: usize = 254;

/// The longest name of an issuer, as policies of issuers have it.
const MAX_ISSUER_BYTES: usize = 512;

/// What one organisation demands of callers who belong to it.
///
/// | demand | of whom | what is compared |
/// |---|---|---|
/// | [`issuers`](Self::issuers) | whoever shows a token, agents and services too | the token's issuer, byte for byte |
/// | [`context_classes`](Self::context_classes), [`methods`](Self::methods) | people, and whoever acts for one | `acr`, `amr`: any one of those named |
/// | [`mail_domains`](Self::mail_domains) | people, and whoever acts for one | the domain of `email`, whole, of an address whose `email_verified` is `true` |
///
/// What a credential does not say satisfies no demand. `email_verified` is the JSON value `true`, and
/// not a text that reads like it. API keys and client certificates of the organisation were given out by
/// its own administrators, and nobody logs in by them: they pass, unless a certificate was mapped to a
/// person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrganisationRule {
    issuers: Vec<Box<str>>,
    classes: Vec<ContextClass>,
    methods: Vec<MethodReference>,
    mail_domains: Vec<MailDomain>,
}

impl OrganisationRule {
    /// A rule that demands nothing yet. [`OrganisationRules`] takes it once it demands something.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Demands that tokens come from one of these issuers: the organisation's own login (single
    /// sign-on), and not the password that somebody has here as well.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOrganisationRule`] when a name is none, or for more than 64.
    pub fn issuers<'a>(
        mut self,
        issuers: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Error> {
        for issuer in issuers {
            let is_name = (1..=MAX_ISSUER_BYTES).contains(&issuer.len())
                && issuer.bytes().all(|byte| byte.is_ascii_graphic());
            push(&mut self.issuers, is_name.then(|| issuer.into()))?;
        }
        Ok(self)
    }

    /// Demands that the login was of one of these authentication context classes (`acr`).
    ///
    /// # Errors
    ///
    /// As [`issuers`](Self::issuers).
    pub fn context_classes<'a>(
        mut self,
        classes: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Error> {
        for class in classes {
            push(&mut self.classes, ContextClass::new(class).ok())?;
        }
        Ok(self)
    }

    /// Demands that one of these methods was among those of the login (`amr`, RFC 8176).
    ///
    /// # Errors
    ///
    /// As [`issuers`](Self::issuers).
    pub fn methods<'a>(
        mut self,
        methods: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Error> {
        for method in methods {
            push(&mut self.methods, MethodReference::new(method).ok())?;
        }
        Ok(self)
    }

    /// Demands that people have a verified mail address at one of these domains. A domain stands for
    /// itself: not for those below it, and not for those that end alike. Letters are compared without
    /// case, and names with other letters by their ASCII form (UTS 46).
    ///
    /// The claim is the issuer's word. Together with an issuer at which everybody can open an account
    /// (a social login), it lets in whoever has a mailbox there.
    ///
    /// # Errors
    ///
    /// As [`issuers`](Self::issuers).
    pub fn mail_domains<'a>(
        mut self,
        domains: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Error> {
        for domain in domains {
            push(&mut self.mail_domains, MailDomain::new(domain))?;
        }
        Ok(self)
    }

    fn demands_something(&self) -> bool {
        !(self.issuers.is_empty()
            && self.classes.is_empty()
            && self.methods.is_empty()
            && self.mail_domains.is_empty())
    }

    /// Why the caller does not meet the rule, for operators.
    fn check(&self, caller: &Authenticated) -> Result<(), &'static str> {
        let principal = caller.principal();
        let is_issued_here = matches!(
            principal.authentication.method,
            AuthenticationMethod::ApiKey | AuthenticationMethod::MutualTls
        );
        if !self.issuers.is_empty() && !is_issued_here {
            let issuer = principal.issuer.as_deref();
            if !issuer.is_some_and(|issuer| self.issuers.iter().any(|named| **named == *issuer)) {
                return Err("the caller's organisation demands a login at another issuer");
            }
        }
        if !is_of_a_person(principal) {
            return Ok(());
        }
        let login = &principal.authentication;
        if !self.classes.is_empty() {
            let class = login.context_class.as_ref();
            if !class.is_some_and(|class| self.classes.contains(class)) {
                return Err("the caller's organisation demands a login of another context class");
            }
        }
        if !self.methods.is_empty()
            && !login
                .methods
                .iter()
                .any(|method| self.methods.contains(method))
        {
            return Err("the caller's organisation demands a login by another method");
        }
        if self.mail_domains.is_empty() {
            return Ok(());
        }
        let domain = caller.claims().ok_or(NO_ADDRESS).and_then(mail_domain)?;
        if self.mail_domains.contains(&domain) {
            Ok(())
        } else {
            Err("the caller's mail domain is none of the organisation's")
        }
    }
}

fn push<T>(list: &mut Vec<T>, entry: Option<T>) -> Result<(), Error> {
    let entry = entry.ok_or(Error::InvalidOrganisationRule)?;
    if list.len() >= MAX_ENTRIES {
        return Err(Error::InvalidOrganisationRule);
    }
    list.push(entry);
    Ok(())
}

/// An agent that acts for somebody is held to what that somebody is held to.
fn is_of_a_person(principal: &Principal) -> bool {
    principal.kind == PrincipalKind::User || principal.on_behalf_of.is_some()
}

const NO_ADDRESS: &str =
    "the organisation demands a mail domain, and the caller has no verified address";

/// The domain of the verified address. Of an address with two `@`, readers disagree which one counts.
fn mail_domain(claims: &Claims) -> Result<MailDomain, &'static str> {
    let is_verified = claims
        .get("email_verified")
        .and_then(|verified| verified.as_bool());
    if is_verified != Some(true) {
        return Err(NO_ADDRESS);
    }
    let address = claims
        .get("email")
        .and_then(|email| email.as_str())
        .filter(|address| address.len() <= MAX_ADDRESS_BYTES)
        .ok_or(NO_ADDRESS)?;
    let (local, domain) = address.split_once('@').ok_or(NO_ADDRESS)?;
    if local.is_empty() {
        return Err(NO_ADDRESS);
    }
    MailDomain::new(domain).ok_or(NO_ADDRESS)
}

/// A domain as it is compared: in ASCII and in lower case, without a dot at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
struct MailDomain(Box<str>);

impl MailDomain {
    fn new(text: &str) -> Option<Self> {
        if text.is_empty() || text.len() > MAX_ADDRESS_BYTES {
            return None;
        }
        let domain = idna::domain_to_ascii_strict(text).ok()?;
        // Names are read again elsewhere: what is not stable is not one name.
        let again = idna::domain_to_ascii_strict(&domain).ok()?;
        let is_plain = !domain.is_empty() && !domain.ends_with('.');
        (is_plain && again == domain).then(|| Self(domain.into()))
    }
}

/// The rules of organisations, which a gate holds callers against. Cloning shares them.
///
/// Whoever does not meet the rule of the own organisation is refused (403, [`AccessDenied`]), whatever
/// scopes the credential has. A caller without an organisation, and one whose organisation has no rule,
/// is held against the rule for [`others`](Self::others), if there is one.
///
/// ```
/// use ringwall_core::principal::OrgId;
/// use ringwall_gate::{OrganisationRule, OrganisationRules};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let rule = OrganisationRule::new()
///     .issuers(["https://login.acme.example"])?
///     .mail_domains(["acme.example"])?;
/// let rules = OrganisationRules::new().org(OrgId::new("acme")?, rule)?;
/// # Ok(())
/// # }
/// ```
///
/// [`AccessDenied`]: ringwall_core::event::EventKind::AccessDenied
///
/// Cloning shares the rules, so that they can be [replaced](Self::replace) while requests run.
#[derive(Clone, Debug, Default)]
pub struct OrganisationRules(Arc<ArcSwap<Rules>>);

#[derive(Clone, Debug, Default)]
struct Rules {
    orgs: HashMap<OrgId, OrganisationRule>,
    others: Option<OrganisationRule>,
}

impl OrganisationRules {
    /// No rules.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The rule of one organisation.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOrganisationRule`] when it demands nothing, or the organisation has one already.
    pub fn org(self, org: OrgId, rule: OrganisationRule) -> Result<Self, Error> {
        let mut rules = self.own();
        if !rule.demands_something() || rules.orgs.insert(org, rule).is_some() {
            return Err(Error::InvalidOrganisationRule);
        }
        Ok(Self::of(rules))
    }

    /// The rule for everybody whose organisation has none of its own, or who has no organisation.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOrganisationRule`] when it demands nothing, or there is one already.
    pub fn others(self, rule: OrganisationRule) -> Result<Self, Error> {
        let mut rules = self.own();
        if !rule.demands_something() || rules.others.replace(rule).is_some() {
            return Err(Error::InvalidOrganisationRule);
        }
        Ok(Self::of(rules))
    }

    /// The rules of many organisations at once.
    ///
    /// # Errors
    ///
    /// As [`org`](Self::org).
    pub fn of_all(all: impl IntoIterator<Item = (OrgId, OrganisationRule)>) -> Result<Self, Error> {
        let mut rules = Rules::default();
        for (org, rule) in all {
            if !rule.demands_something() || rules.orgs.insert(org, rule).is_some() {
                return Err(Error::InvalidOrganisationRule);
            }
        }
        Ok(Self::of(rules))
    }

    /// Puts other rules in the place of these, for every gate that shares them: when an organisation
    /// changes its settings, or another process did. Requests that come from then on are held against the
    /// new ones, and so are answers that go on, at their next look.
    pub fn replace(&self, rules: &Self) {
        self.0.store(rules.0.load_full());
    }

    fn own(&self) -> Rules {
        Rules::clone(&self.0.load())
    }

    fn of(rules: Rules) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(rules)))
    }

    /// Why the caller is refused, for operators.
    pub(crate) fn check(&self, caller: &Authenticated) -> Result<(), &'static str> {
        let org = caller.principal().tenant.as_ref().map(|tenant| &tenant.org);
        let rules = self.0.load();
        let own = org.and_then(|org| rules.orgs.get(org));
        match own.or(rules.others.as_ref()) {
            Some(rule) => rule.check(caller),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_domain_is_compared_whole_and_without_case() {
        let domain = |text| MailDomain::new(text);
        let acme = domain("acme.example");
        assert!(acme.is_some());
        for same in ["ACME.Example", "acme．example", "ａcme.example"] {
            assert_eq!(domain(same), acme, "{same:?}");
        }
        for other in [
            "evilacme.example",
            "mail.acme.example",
            "acme.example.evil.test",
            "acme.exampl",
            "аcme.example", // a Cyrillic letter
        ] {
            assert_ne!(domain(other), acme, "{other:?}");
        }
        assert_eq!(domain("bücher.example"), domain("XN--BCHER-KVA.example"));
    }

    #[test]
    fn what_is_no_domain_is_none() {
        for text in [
            "",
            ".",
            "acme.example.",
            "acme.example。",
            "a..b",
            "@acme.example",
            "x@acme.example",
            "[192.0.2.1]",
            "acme.example>",
            "acme example",
            "acme.example\n",
            "acme_x.example",
            "xn--a",
            "-acme.example",
            &"a".repeat(255),
        ] {
            assert_eq!(MailDomain::new(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_rule_demands_something_and_is_there_once() {
        let org = || OrgId::new("acme").unwrap();
        let rule = || {
            OrganisationRule::new()
                .issuers(["https://a.example"])
                .unwrap()
        };
        let nothing = OrganisationRule::new();
        assert!(
            OrganisationRules::new()
                .org(org(), nothing.clone())
                .is_err()
        );
        assert!(OrganisationRules::new().others(nothing).is_err());
        let rules = OrganisationRules::new().org(org(), rule()).unwrap();
        assert!(rules.org(org(), rule()).is_err());
        let rules = OrganisationRules::new().others(rule()).unwrap();
        assert!(rules.others(rule()).is_err());
    }

    #[test]
    fn rules_are_replaced_for_all_who_share_them_and_for_nobody_else() {
        let org = || OrgId::new("acme").unwrap();
        let rule = |issuer| OrganisationRule::new().issuers([issuer]).unwrap();
        let shared = OrganisationRules::new();
        let other = shared.clone();
        let new = OrganisationRules::new()
            .org(org(), rule("https://a.example"))
            .unwrap();
        shared.replace(&new);
        assert!(other.own().orgs.contains_key(&org()));
        // What is built on top of it is another one.
        let more = other.clone().others(rule("https://b.example")).unwrap();
        assert!(more.own().others.is_some() && shared.own().others.is_none());
    }

    #[test]
    fn what_cannot_be_demanded_is_refused() {
        let rule = OrganisationRule::new;
        assert!(rule().issuers([""]).is_err());
        assert!(rule().issuers(["https://a.example/ b"]).is_err());
        assert!(rule().context_classes(["a b"]).is_err());
        assert!(rule().methods([""]).is_err());
        assert!(rule().mail_domains(["*.example"]).is_err());
        assert!(rule().methods(["otp"; 64]).is_ok());
        assert!(rule().methods(["otp"; 65]).is_err());
    }
}
