//! What organisations demand of their own people.

use ringwall_core::principal::OrgId;

use super::judge::Issuers;
use super::section::Section;
use crate::organisation::{OrganisationRule, OrganisationRules};

/// Stands for everybody else.
const OTHERS: &str = "*";

/// Reads the sections. `issuers` are those whose tokens are accepted.
pub(super) fn read(mut section: Section<'_>, issuers: &Issuers) -> OrganisationRules {
    let mut rules = OrganisationRules::new();
    for name in section.keys() {
        let Some(rule) = rule(section.child(&name), issuers) else {
            continue;
        };
        let added = if name == OTHERS {
            rules.clone().others(rule)
        } else {
            match OrgId::new(name.as_str()) {
                Ok(org) => rules.clone().org(org, rule),
                Err(error) => {
                    let remedy = "write it as your tenants are named";
                    section.fault(&name, error.to_string(), remedy);
                    continue;
                }
            }
        };
        match added {
            Ok(added) => rules = added,
            Err(_) => section.fault(
                &name,
                "demands nothing",
                "name sso_issuers, acr_values, amr_values or mail_domains, or leave it out",
            ),
        }
    }
    section.finish();
    rules
}

/// `None` when there is a fault.
fn rule(mut section: Section<'_>, issuers: &Issuers) -> Option<OrganisationRule> {
    type Add = fn(OrganisationRule, &[String]) -> Result<OrganisationRule, crate::Error>;
    let demands: [(&str, Add, &str); 4] = [
        (
            "sso_issuers",
            |rule, texts| rule.issuers(texts.iter().map(String::as_str)),
            "name issuers of the section tokens, 64 at most",
        ),
        (
            "acr_values",
            |rule, texts| rule.context_classes(texts.iter().map(String::as_str)),
            "name what the issuer writes into acr, 64 at most",
        ),
        (
            "amr_values",
            |rule, texts| rule.methods(texts.iter().map(String::as_str)),
            "name what the issuer writes into amr, such as mfa, 64 at most",
        ),
        (
            "mail_domains",
            |rule, texts| rule.mail_domains(texts.iter().map(String::as_str)),
            "name domains without wildcards, such as example.com, 64 at most",
        ),
    ];
    let mut rule = OrganisationRule::new();
    let mut is_good = true;
    for (key, add, remedy) in demands {
        let is_there = section.has(key);
        let Some(texts) = section.texts(key) else {
            is_good &= !is_there;
            continue;
        };
        let is_foreign = key == "sso_issuers"
            && !issuers.is_partial
            && !texts.iter().all(|text| issuers.names.contains(text));
        let problem = match add(rule.clone(), &texts) {
            _ if texts.is_empty() => "admits nobody",
            _ if is_foreign => "names an issuer whose tokens are not accepted",
            Ok(added) => {
                rule = added;
                continue;
            }
            Err(_) => "holds what cannot be demanded",
        };
        section.fault(key, problem, remedy);
        is_good = false;
    }
    section.finish();
    is_good.then_some(rule)
}
