//! What a manifest must say, read from its text: `cargo metadata` shows values, but not whether
//! they were inherited, and a copied version is one that a release forgets.

use std::path::{Component, Path};

use crate::{
    failure::Result,
    metadata::{Metadata, Package},
    project::{self, Project},
};

/// Keys of `[package]` that every member inherits.
const INHERITED_BY_ALL: [&str; 4] = ["version", "edition", "license", "repository"];

/// Keys of `[package]` that every published crate inherits as well. The programs of the workspace
/// may need a newer compiler than the libraries promise.
const INHERITED_BY_PUBLISHED: [&str; 1] = ["rust-version"];

/// Published crates that need a newer compiler than the others, each with the dependency that does. Nobody
/// gets one who did not ask for it by name.
const NEWER_COMPILER: [(&str, &str); 3] = [
    ("ringwall-cli", "ringwall-sqlite"),
    ("ringwall-postgres", "sqlx"),
    ("ringwall-sqlite", "sqlx"),
];

/// Crates that deny.toml must ban: a check that lost its list would pass for ever.
const BANNED: [&str; 4] = ["jwks-client", "native-tls", "openssl", "rsa"];

/// The workspaces apart from the main one; nothing of theirs is ever published.
pub(crate) const APART: [&str; 2] = ["benches", "fuzz"];

/// Everything that is missing from the manifests.
pub(crate) fn findings(project: &Project, packages: &[Package]) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for package in packages {
        let text = project::read(&package.manifest_path)?;
        findings.extend(of_text(&package.name, &text, package.is_published()));
        if package.is_published() {
            findings.extend(of_values(package));
        }
    }
    for folder in APART {
        let manifest = project.root().join(folder).join("Cargo.toml");
        if !manifest.is_file() {
            findings.push(format!("{folder}/Cargo.toml is missing"));
            continue;
        }
        let apart = Metadata::of_members(&manifest)?;
        findings.extend(
            apart
                .packages
                .iter()
                .filter(|package| package.is_published())
                .map(|package| format!("{} ({folder}/) lacks `publish = false`", package.name)),
        );
    }
    findings.extend(of_bans(&project.read("deny.toml")?));
    Ok(findings)
}

fn of_text(name: &str, text: &str, published: bool) -> Vec<String> {
    let mut findings = Vec::new();
    let newer = NEWER_COMPILER
        .iter()
        .any(|(excused, dependency)| *excused == name && text.contains(&format!("\n{dependency}")));
    let more: &[&str] = if published && !newer {
        &INHERITED_BY_PUBLISHED
    } else {
        &[]
    };
    for key in INHERITED_BY_ALL.iter().chain(more) {
        if !inherits(text, "package", key) {
            findings.push(format!(
                "{name} does not inherit `{key}` from the workspace"
            ));
        }
    }
    if value_in(text, "lints", "workspace") != Some("true") {
        findings.push(format!("{name} does not inherit the workspace's lints"));
    }
    findings
}

fn of_values(package: &Package) -> Vec<String> {
    let filled =
        |value: &Option<String>| value.as_ref().is_some_and(|value| !value.trim().is_empty());
    let mut findings = Vec::new();
    if !filled(&package.description) {
        findings.push(format!("{} has no description", package.name));
    }
    if !filled(&package.license) {
        findings.push(format!("{} has no license", package.name));
    }
    if !package
        .readme
        .as_deref()
        .is_some_and(|readme| is_own_file(package.folder(), readme))
    {
        findings.push(format!("{} has no README.md of its own", package.name));
    }
    findings
}

/// Whether a path of a manifest names a file inside the package. One outside is shared with another
/// crate and tells its readers about something else.
fn is_own_file(folder: &Path, path: &Path) -> bool {
    let stays = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    stays && folder.join(path).is_file()
}

fn of_bans(text: &str) -> Vec<String> {
    BANNED
        .iter()
        .filter(|name| !text.contains(&format!("crate = \"{name}\"")))
        .map(|name| format!("deny.toml does not ban {name}"))
        .collect()
}

/// Whether `key` of `section` is taken from the workspace, in either spelling.
fn inherits(text: &str, section: &str, key: &str) -> bool {
    value_in(text, section, &format!("{key}.workspace")) == Some("true")
        || value_in(text, section, key)
            .is_some_and(|value| value.replace(' ', "") == "{workspace=true}")
}

/// The value of a one-line `key = value` in a section. Enough of TOML for the manifests of this
/// workspace; a spelling that it does not know is reported as missing, never passed over.
fn value_in<'a>(text: &'a str, section: &str, key: &str) -> Option<&'a str> {
    let heading = format!("[{section}]");
    text.lines()
        .map(str::trim)
        .skip_while(|line| *line != heading)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once('='))
        .find(|(found, _)| found.trim() == key)
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = \"a\"\nversion.workspace = true\nedition.workspace = true\n\
        rust-version = { workspace = true }\nlicense.workspace = true\nrepository.workspace = true\n\
        \n[lints]\nworkspace = true\n\n[dependencies]\n";

    #[test]
    fn a_manifest_that_inherits_everything_is_fine() {
        assert_eq!(of_text("a", GOOD, true), [""; 0]);
    }

    #[test]
    fn a_copied_version_is_found() {
        let text = GOOD.replace("version.workspace = true\ned", "version = \"0.1.0\"\ned");
        assert_eq!(
            of_text("a", &text, true),
            ["a does not inherit `version` from the workspace"]
        );
    }

    #[test]
    fn lints_that_are_not_inherited_are_found() {
        let text = GOOD.replace("[lints]\nworkspace = true", "[lints]");
        assert_eq!(
            of_text("a", &text, false),
            ["a does not inherit the workspace's lints"]
        );
    }

    #[test]
    fn a_key_of_another_section_does_not_count() {
        let text = "[package]\nname = \"a\"\n[dependencies]\nversion.workspace = true\n";
        assert!(!inherits(text, "package", "version"));
    }

    #[test]
    fn only_published_crates_must_keep_the_libraries_compiler_version() {
        let text = GOOD.replace(
            "rust-version = { workspace = true }",
            "rust-version = \"1.94\"",
        );
        assert_eq!(of_text("a", &text, false), [""; 0]);
        assert_eq!(of_text("a", &text, true).len(), 1);
    }

    #[test]
    fn a_crate_that_is_excused_is_so_only_while_it_has_the_dependency() {
        let text = GOOD.replace(
            "rust-version = { workspace = true }",
            "rust-version = \"1.94\"",
        );
        let excused = format!("{text}sqlx.workspace = true\n");
        assert_eq!(of_text("ringwall-sqlite", &excused, true), [""; 0]);
        assert_eq!(of_text("ringwall-sqlite", &text, true).len(), 1);
    }

    #[test]
    fn a_readme_outside_the_package_is_not_its_own() {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(is_own_file(package, Path::new("Cargo.toml")));
        assert!(!is_own_file(package, Path::new("../Cargo.toml")));
        assert!(!is_own_file(
            package,
            Path::new("README-that-does-not-exist.md")
        ));
    }

    #[test]
    fn a_missing_ban_is_found() {
        let text =
            "deny = [{ crate = \"rsa\" }, { crate = \"openssl\" }, { crate = \"native-tls\" }]";
        assert_eq!(of_bans(text), ["deny.toml does not ban jwks-client"]);
    }
}
