//! Every feature without every other: features only add, so each must build without the others, and the
//! crate without any.

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

/// From so many features on, they are not built one by one.
const MANY: usize = 9;
/// The sets that many features are spread over, and in how many of them each is: there are twenty ways to
/// choose three of six, and no two features have the same.
const SPREAD: (usize, u32) = (6, 3);

/// The feature sets as cargo's arguments: none, each without every other, the default, all.
fn sets(package: &Package) -> Vec<Vec<String>> {
    let none = || vec!["--no-default-features".to_owned()];
    let mut sets = vec![none()];
    let features: Vec<&str> = package
        .features
        .keys()
        .map(String::as_str)
        .filter(|feature| *feature != "default")
        .collect();
    for features in apart(&features) {
        let mut set = none();
        set.extend(["--features".to_owned(), features.join(",")]);
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

/// Sets in which every feature is without every other at least once: each alone, or where there are many, few sets
/// of several. What one of them needs of another shows in a set that has the one and not the other.
fn apart<'a>(features: &[&'a str]) -> Vec<Vec<&'a str>> {
    let (sets, places) = SPREAD;
    let choices: Vec<u32> = (0_u32..1 << sets)
        .filter(|choice| choice.count_ones() == places)
        .collect();
    if features.len() < MANY || features.len() > choices.len() {
        return features.iter().map(|feature| vec![*feature]).collect();
    }
    (0..sets)
        .map(|set| {
            let chosen = features.iter().zip(&choices);
            let chosen = chosen.filter(|(_, choice)| *choice >> set & 1 == 1);
            chosen.map(|(feature, _)| *feature).collect()
        })
        .collect()
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

    #[test]
    fn of_many_features_each_is_without_every_other_in_some_set() {
        let names: Vec<String> = (0..20).map(|number| format!("f{number}")).collect();
        for count in [2, 8, 9, 15, 20] {
            let features: Vec<&str> = names.iter().take(count).map(String::as_str).collect();
            let sets = apart(&features);
            assert!(sets.len() <= count.min(8), "{count}");
            for one in &features {
                for other in features.iter().filter(|other| *other != one) {
                    let is_apart = |set: &Vec<&str>| set.contains(one) && !set.contains(other);
                    assert!(sets.iter().any(is_apart), "{one} {other}");
                }
            }
        }
    }
}
