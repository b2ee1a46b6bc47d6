//! Secrets: named in a configuration, and written into it in development alone.

use std::path::Path;

use ringwall_core::profile::Profile;
use ringwall_core::secret::SecretString;

use super::environment::Variables;
use super::file;
use super::tree::{Node, Table};

/// The longest secret in bytes: many times what a key needs.
const MAX_BYTES: u64 = 8 * 1024;

/// Why a secret cannot be had.
pub(super) struct Fault {
    pub(super) problem: String,
    pub(super) remedy: &'static str,
}

impl Fault {
    fn new(problem: impl Into<String>, remedy: &'static str) -> Self {
        Self {
            problem: problem.into(),
            remedy,
        }
    }
}

const NAME_IT: &str = "write { file = \"/run/secrets/NAME\" } or { env = \"NAME\" }";

/// The secret that `node` names, or is.
pub(super) fn read(
    node: Node,
    profile: Profile,
    variables: &Variables,
) -> Result<SecretString, Fault> {
    let secret = match node {
        Node::Text(text) => {
            // Taken before it is judged, so that it is wiped in any case.
            let secret = SecretString::new(text);
            if !profile.is_development() {
                return Err(Fault::new("is written into the configuration", NAME_IT));
            }
            secret
        }
        Node::Raw(text) => SecretString::new(text),
        Node::Table(table) => from_table(table, variables)?,
        other @ (Node::Integer(_) | Node::Boolean(_) | Node::List(_) | Node::Other(_)) => {
            let problem = format!("is {}, which no secret is", other.kind());
            return Err(Fault::new(problem, NAME_IT));
        }
    };
    if secret.is_empty() {
        return Err(Fault::new("is empty", NAME_IT));
    }
    if u64::try_from(secret.len()).map_or(true, |length| length > MAX_BYTES) {
        return Err(Fault::new("is longer than 8 KiB", "name a secret"));
    }
    Ok(secret)
}

fn from_table(table: Table, variables: &Variables) -> Result<SecretString, Fault> {
    let mut entries = table.into_iter();
    let (Some((kind, entry)), None) = (entries.next(), entries.next()) else {
        return Err(Fault::new("names no place, or several", NAME_IT));
    };
    let (Node::Text(place) | Node::Raw(place)) = entry.node else {
        return Err(Fault::new(
            "names its place by something else than a text",
            NAME_IT,
        ));
    };
    match kind.as_str() {
        "file" => from_file(Path::new(&place)),
        "env" => match variables.get(&place) {
            Some(Ok(text)) => Ok(SecretString::new(text)),
            Some(Err(_)) => Err(Fault::new(
                "names a variable whose content is not UTF-8",
                "write the secret as text",
            )),
            None => Err(Fault::new(
                "names a variable that is not set",
                "set it, or correct its name",
            )),
        },
        _ => Err(Fault::new("names a place of an unknown kind", NAME_IT)),
    }
}

/// One line break at the end does not count: editors and `echo` write it.
fn from_file(path: &Path) -> Result<SecretString, Fault> {
    let text = file::read(path, MAX_BYTES).map_err(|fault| {
        let problem = format!("names a file that {fault}");
        Fault::new(
            problem,
            "name a file that the service may read and others may not write",
        )
    })?;
    let mut text = text;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(SecretString::new(text))
}
