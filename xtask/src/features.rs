//! Every feature by itself: features only add, so each must build without the others, and the crate
//! without any.

use crate::{
    failure::Result,
    metadata::{Metadata, Package},
    project::Project,
};

/// Lints each published crate under each of its feature sets. Clippy instead of a plain check, as
/// what is unused without some feature shows only there.
pub(crate) fn check(project: &Project) -> Result<()> {
    let metadata = Metadata::of_members(&project.root().join("Cargo.toml"))?;
    for package in metadata
        .packages
        .iter()
        .filter(|package| package.is_published())
    {
        for set in sets(package) {
            project
                .cargo("clippy")
                .args(["--quiet", "--locked", "--package", &package.name])
                .args(set)
                .args(["--", "-D", "warnings"])
                .run()?;
        }
    }
    Ok(())
}

/// The feature sets as cargo's arguments: none, each alone, the default, all.
fn sets(package: &Package) -> Vec<Vec<String>> {
    let none = || vec!["--no-default-features".to_owned()];
    let mut sets = vec![none()];
    for feature in package
        .features
        .keys()
        .filter(|feature| *feature != "default")
    {
        let mut set = none();
        set.extend(["--features".to_owned(), feature.clone()]);
        sets.push(set);
    }
    if package
        .features
        .get("default")
        .is_some_and(|enabled| !enabled.is_empty())
    {
        sets.push(Vec::new());
    }
    // With a single feature, all features are that one.
    if sets.len() > 2 {
        sets.push(vec!["--all-features".to_owned()]);
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(features: &[(&str, &[&str])]) -> Package {
        let features = features
            .iter()
            .map(|(name, enabled)| {
                (
                    (*name).to_owned(),
                    enabled.iter().map(|name| (*name).to_owned()).collect(),
                )
            })
            .collect();
        Package {
            name: "a".to_owned(),
            manifest_path: "a/Cargo.toml".into(),
            description: None,
            license: None,
            readme: None,
            publish: None,
            features,
            dependencies: Vec::new(),
            targets: Vec::new(),
        }
    }

    fn lines(features: &[(&str, &[&str])]) -> Vec<String> {
        sets(&package(features))
            .into_iter()
            .map(|set| set.join(" "))
            .collect()
    }

    #[test]
    fn a_crate_without_features_is_built_once() {
        assert_eq!(lines(&[]), ["--no-default-features"]);
    }

    #[test]
    fn each_feature_is_built_alone_and_all_together() {
        assert_eq!(
            lines(&[("default", &["b"]), ("b", &[]), ("c", &[])]),
            [
                "--no-default-features",
                "--no-default-features --features b",
                "--no-default-features --features c",
                "",
                "--all-features"
            ]
        );
    }
}
