//! Which parts of the language a run was made of: what never appeared was not compared.

use std::collections::BTreeMap;

use ringwall_authz::{Policy, RowFilter, SeparationKind, Subject};

use crate::callers::{Caller, now};
use crate::dice::KINDS;
use crate::probe::{Done, Tries};
use crate::shape::{Key, Shape};

/// How many cases had each part.
#[derive(Debug, Default)]
pub(crate) struct Coverage(BTreeMap<String, usize>);

impl Coverage {
    fn note(&mut self, part: impl Into<String>, is_there: bool) {
        *self.0.entry(part.into()).or_default() += usize::from(is_there);
    }

    /// What the policy is made of.
    pub(crate) fn policy(&mut self, policy: &Policy, shape: Shape) {
        self.note("tenants by UUID", shape.tenant == Key::Uuid);
        self.note("tenants by text", shape.tenant == Key::Text);
        self.note("subjects by UUID", shape.subject == Key::Uuid);
        self.note("subjects by text", shape.subject == Key::Text);
        for key in [Key::Text, Key::Uuid, Key::Integer] {
            self.note(format!("rows by {}", key.name()), shape.id == key);
        }
        let document = policy.document();
        let rules = &document.rules;
        let table = document.resources["case"].table.as_ref();
        let table = table.expect("it has a table");
        self.note("rows of no project", table.project.is_none());
        self.note(
            "rules of roles",
            rules.iter().any(|rule| !rule.roles.is_empty()),
        );
        self.note(
            "rules of scopes",
            rules.iter().any(|rule| !rule.scopes.is_empty()),
        );
        self.note("rules for anyone", rules.iter().any(|rule| rule.anyone));
        self.note(
            "rules without a condition",
            rules.iter().any(|rule| rule.when.is_none()),
        );
        for kind in [SeparationKind::Static, SeparationKind::Dynamic] {
            let separations = &document.separation_of_duty;
            self.note(
                format!("{kind:?} separation of duty"),
                separations.iter().any(|separation| separation.kind == kind),
            );
        }
        // As they stand in the text of the rules.
        let text = serde_json::to_string(rules).expect("it has a text");
        for part in [
            "\"forbid\"",
            "\"all\":",
            "\"any\":",
            "\"not\":",
            "\"eq\":",
            "\"ne\":",
            "\"lt\":",
            "\"le\":",
            "\"gt\":",
            "\"ge\":",
            "\"in\":",
            "\"is_set\":",
            "[]]",
            "\"subject.regions\"",
            "[\"assignments\"",
            "[\"departments\"",
            "\"resource.id\"",
            "\"resource.owner\"",
            "\"resource.department\"",
            "\"resource.sensitivity\"",
            "\"resource.tier\"",
            "\"resource.amount\"",
            "\"resource.flag\"",
            "\"resource.opened\"",
            "\"resource.device\"",
            "\"subject.id\"",
            "\"subject.kind\"",
            "\"subject.on_behalf_of\"",
            "\"subject.clearance\"",
            "\"subject.tier\"",
            "\"subject.team\"",
            "\"subject.limit\"",
            "\"subject.trusted\"",
            "\"subject.since\"",
            "\"subject.device\"",
            "\"context.purpose\"",
            "\"context.amount\"",
            "\"context.tier\"",
            "\"context.until\"",
            "\"context.now\"",
            "\"timestamp\":",
            "-9223372036854775808",
            "\"o'x\"",
            "\"\\\\\"",
            "\"ä\"",
        ] {
            self.note(part, text.contains(part));
        }
    }

    /// What is known of the subject.
    pub(crate) fn caller(&mut self, caller: &Caller, subject: &Subject) {
        self.note("known as another", caller.credential != caller.id);
        self.note("on behalf of somebody", caller.on_behalf_of.is_some());
        for kind in KINDS {
            self.note(
                format!("a caller that is {kind}"),
                caller.kind.as_str() == kind,
            );
        }
        self.note("bound to a project", caller.project.is_some());
        self.note("an id that is no UUID", !caller.has_id);
        self.note("a tenant that is no UUID", !caller.has_tenant);
        let is_loud = |text: &str| text.len() == 36 && text.to_lowercase() != text;
        self.note("an id in upper case", is_loud(&caller.id));
        self.note("a tenant in upper case", is_loud(&caller.org));
        self.note("pairs told", caller.is_told && !caller.is_unrelated());
        self.note("pairs in the database", !caller.is_told);
        self.note("taken from a directory", caller.is_of_directory);
        self.note("attributes that nobody asked for", caller.is_unasked);
        self.note(
            "of a foreign issuer, under an id",
            caller.is_foreign && caller.credential != caller.id,
        );
        self.note(
            "of a foreign issuer, with a name alone",
            caller.is_unrelated(),
        );
        self.note("a value that is none of its type", caller.is_ill_formed());
        let names = || caller.attributes.iter().map(|(name, ..)| *name);
        self.note(
            "an attribute with two values",
            names().any(|name| name != "regions" && names().filter(|own| *own == name).count() > 1),
        );
        let ends = || caller.attributes.iter().filter_map(|(.., ends)| *ends);
        self.note(
            "an attribute that is over",
            ends().any(|ends| ends == now()),
        );
        self.note(
            "an attribute that still holds",
            ends().any(|ends| ends > now()),
        );
        let is_far = |micros: i64| micros == i64::MIN || micros == i64::MAX;
        self.note("a time that is far", caller.until.is_some_and(is_far));
        self.note("limited to scopes", subject.is_limited());
        self.note("scopes of a credential", !caller.scopes.is_empty());
        let is_broken = subject.broken_separation().is_some();
        self.note("a separation broken", is_broken);
        let separations = &subject.policy().document().separation_of_duty;
        let is_dynamic = separations
            .iter()
            .any(|separation| separation.kind == SeparationKind::Dynamic);
        let holds = |role: &str| caller.roles.contains(&role);
        let is_kept = is_dynamic && !is_broken && holds("manager") && holds("viewer");
        self.note("a separation kept by using fewer roles", is_kept);
    }

    /// What came of it.
    pub(crate) fn outcome(
        &mut self,
        filters: &[RowFilter; 4],
        done: Option<&Done>,
        tries: &Tries<'_>,
    ) {
        let is = |kind: fn(&RowFilter) -> bool| filters.iter().any(kind);
        self.note(
            "no row",
            is(|filter| matches!(filter, RowFilter::Nothing(_))),
        );
        self.note(
            "the tenant's rows",
            is(|filter| matches!(filter, RowFilter::Tenant(_))),
        );
        self.note(
            "some rows",
            is(|filter| matches!(filter, RowFilter::Some(_))),
        );
        self.note("a session that is not begun", done.is_none());
        let Some(done) = done else {
            return;
        };
        self.note("rows put in", !tries.together.is_empty() && done.together);
        self.note("a row not put in", done.each.contains(&false));
        self.note("a row moved", done.moves.contains(&Some(1)));
        self.note("a row not moved", done.moves.contains(&None));
        self.note("a row not found", done.moves.contains(&Some(0)));
        self.note("all moved", done.all_to == Some(true));
        self.note("all not moved", done.all_to == Some(false));
        for (part, is_returning) in [("returned", true), ("not read", false)] {
            let is_this = tries.is_returning == is_returning;
            self.note(
                format!("rows changed, {part}"),
                is_this && !done.update.is_empty(),
            );
            self.note(
                format!("rows removed, {part}"),
                is_this && !done.delete.is_empty(),
            );
        }
        let hidden = |ids: &std::collections::BTreeSet<String>| !ids.is_subset(&done.read);
        self.note("rows changed that cannot be read", hidden(&done.update));
        self.note("rows removed that cannot be read", hidden(&done.delete));
    }

    /// Each part was in one of a hundred cases. Of a run of few cases this is not demanded.
    pub(crate) fn assert_complete(&self, cases: usize) {
        if cases < ENOUGH_CASES {
            return;
        }
        let least = cases / 100;
        let missing: Vec<_> = self
            .0
            .iter()
            .filter(|(_, number)| **number < least)
            .collect();
        assert!(
            missing.is_empty(),
            "of {cases} cases, too few had {missing:?}: {self:#?}"
        );
    }
}

/// How many cases hold every part, whatever the seed.
const ENOUGH_CASES: usize = 2000;
