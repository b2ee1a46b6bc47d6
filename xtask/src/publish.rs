//! `cargo xtask ci publish`: the packages as they would be published, and whether they can be built from what
//! is in them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    failure::{Failure, Result},
    metadata::Metadata,
    program::Program,
    project::{self, Project},
    stopwatch,
};

/// Packages every published crate, unpacks the packages, and checks them as a workspace of their own, so
/// that a file that a package leaves out is missed. Cargo's own verification would compile every dependency
/// of every package once more; here the ones that the lints left are taken.
///
/// A dirty tree is what a person has while working; a package made from one is refused in CI.
///
/// The folder is a new one each time: cargo keeps the sources of a registry under the registry's
/// path, and the siblings' registry lies in this folder. Under the path of an earlier run it would
/// take the siblings as they were then, as their version is the same.
pub(crate) fn dry_run(project: &Project) -> Result<()> {
    let folder = project
        .target()
        .join(format!("publish-{}", stopwatch::unix_seconds()));
    let result = package(project, &folder).and_then(|()| check(project, &folder));
    project::remove_folder(&folder)?;
    result
}

fn package(project: &Project, folder: &Path) -> Result<()> {
    let publish = project
        .cargo("publish")
        .args(["--workspace", "--dry-run", "--no-verify", "--locked"])
        .arg("--target-dir")
        .arg(folder);
    match std::env::var_os("CI") {
        Some(_) => publish.run(),
        None => publish.arg("--allow-dirty").run(),
    }
}

fn check(project: &Project, folder: &Path) -> Result<()> {
    let unpacked = folder.join("unpacked");
    project::create_folder(&unpacked)?;
    let packages = packages(folder)?;
    let published = Metadata::of_members(&project.root().join("Cargo.toml"))?;
    let published = published.packages.iter();
    let expected = published.filter(|package| package.is_published()).count();
    if packages.len() != expected {
        return Err(Failure::new(format!(
            "{} packages were made of {expected} published crates",
            packages.len()
        )));
    }
    let mut names = Vec::new();
    for package in &packages {
        Program::new("tar")
            .arg("-xzf")
            .arg(package)
            .arg("-C")
            .arg(&unpacked)
            .run()?;
        names.extend(package.file_stem().and_then(|name| name.to_str()));
    }
    let root = project.read("Cargo.toml")?;
    project::write(&unpacked.join("Cargo.toml"), &workspace(&names, &root)?)?;
    // The versions that everything else was tested with.
    project::write(&unpacked.join("Cargo.lock"), &project.read("Cargo.lock")?)?;
    project
        .cargo("check")
        .args(["--workspace", "--all-features", "--manifest-path"])
        .arg(unpacked.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(project.target())
        .run()
}

/// The packages that cargo made, wherever below the folder it put them, each once.
fn packages(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut packages = BTreeMap::new();
    for file in project::files_below(folder)? {
        if project::has_extension(&file, "crate")
            && let Some(name) = file.file_name()
        {
            packages.insert(name.to_owned(), file.clone());
        }
    }
    Ok(packages.into_values().collect())
}

/// A workspace of the unpacked packages, each of which is asked for by the others as if it came from the
/// registry. Its profiles are those of the project, so that what was compiled with them is found.
fn workspace(names: &[&str], root: &str) -> Result<String> {
    let mut text = String::from("[workspace]\nresolver = \"3\"\nmembers = [\n");
    let mut patches = String::from("\n[patch.crates-io]\n");
    for name in names {
        let (package, _) = split(name)?;
        text.push_str(&format!("    \"{name}\",\n"));
        patches.push_str(&format!("{package} = {{ path = \"{name}\" }}\n"));
    }
    text.push_str("]\n");
    text.push_str(&patches);
    text.push_str(&profiles(root));
    Ok(text)
}

/// The sections of a manifest that are profiles.
fn profiles(manifest: &str) -> String {
    let mut is_profile = false;
    let mut profiles = String::from("\n");
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_profile = line.starts_with("[profile.");
        }
        if is_profile {
            profiles.push_str(line);
            profiles.push('\n');
        }
    }
    profiles
}

/// `ringwall-core-0.1.0`: the name, and the version.
fn split(package: &str) -> Result<(&str, &str)> {
    let is_version = |place: &usize| {
        let rest = package.get(place.saturating_add(1)..);
        rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    };
    let hyphens = package.match_indices('-').map(|(place, _)| place);
    let place = hyphens.rev().find(is_version);
    place
        .and_then(|place| {
            Some((
                package.get(..place)?,
                package.get(place.saturating_add(1)..)?,
            ))
        })
        .ok_or_else(|| Failure::new(format!("{package} names no version")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_a_name_and_a_version() {
        assert_eq!(
            split("ringwall-core-0.1.0").unwrap(),
            ("ringwall-core", "0.1.0")
        );
        assert!(split("ringwall-core").is_err());
    }

    #[test]
    fn the_workspace_has_the_packages_and_the_profiles() {
        let root = "[workspace]\nmembers = []\n\n[profile.dev]\ndebug = 1\n\n[lints]\nx = 1\n";
        let text = workspace(&["a-b-0.1.0"], root).unwrap();
        assert!(text.contains("a-b = { path = \"a-b-0.1.0\" }"), "{text}");
        assert!(text.contains("[profile.dev]\ndebug = 1\n"), "{text}");
        assert!(!text.contains("[lints]"), "{text}");
    }
}
