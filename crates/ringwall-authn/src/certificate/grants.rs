//! Scopes and roles that a trusted proxy adds.

use ringwall_core::principal::{Principal, Role, Scope};
use ringwall_core::request::{HeaderValues, RequestView};

/// The fields in which trusted proxies grant scopes and roles.
#[derive(Clone, Debug, Default)]
pub(crate) struct GrantHeaders {
    pub(crate) scopes: Option<Box<str>>,
    pub(crate) roles: Option<Box<str>>,
}

/// The longest value, in bytes, and the most entries: more than any policy has, and few enough to
/// carry along with each request.
const MAX_VALUE_BYTES: usize = 4_096;
const MAX_ENTRIES: usize = 64;

const BAD_SCOPES: &str = "the header of scopes is not one list of scopes";
const BAD_ROLES: &str = "the header of roles is not one list of roles";

impl GrantHeaders {
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        [&self.scopes, &self.roles]
            .into_iter()
            .flatten()
            .map(|name| &**name)
    }

    /// Adds what the fields of `view` grant. A field that is absent grants nothing.
    pub(crate) fn add_to(
        &self,
        principal: &mut Principal,
        view: &RequestView<'_>,
    ) -> Result<(), &'static str> {
        if let Some(name) = &self.scopes {
            let scopes = entries(view, name, |text| Scope::new(text).ok());
            add(&mut principal.scopes, scopes.ok_or(BAD_SCOPES)?);
        }
        if let Some(name) = &self.roles {
            let roles = entries(view, name, |text| Role::new(text).ok());
            add(&mut principal.roles, roles.ok_or(BAD_ROLES)?);
        }
        Ok(())
    }
}

fn add<T: PartialEq>(held: &mut Vec<T>, granted: Vec<T>) {
    for one in granted {
        if !held.contains(&one) {
            held.push(one);
        }
    }
}

/// The entries of the field `name`, separated by spaces as RFC 6749 §3.3 has them. `None` when the
/// field is there twice, or holds a comma: a comma is what a server puts between two lines of one
/// name, of which the first may have come from the client.
fn entries<T>(
    view: &RequestView<'_>,
    name: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Option<Vec<T>> {
    let value = match view.header(name) {
        HeaderValues::Absent => return Some(Vec::new()),
        HeaderValues::One(value) => value,
        HeaderValues::Several(_) => return None,
    };
    if value.len() > MAX_VALUE_BYTES || value.contains(&b',') {
        return None;
    }
    let text = str::from_utf8(value).ok()?;
    let words = text.split(' ').filter(|word| !word.is_empty());
    let entries: Option<Vec<T>> = words.map(parse).collect();
    entries.filter(|entries| entries.len() <= MAX_ENTRIES)
}
