//! Who imports whom: the floors against the dependency tables.

use std::{collections::BTreeMap, path::Path};

use crate::{
    floors::{self, Exception},
    metadata::{Dependency, Package},
};

/// Where a package stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Floor(u8),
    Example,
    Outside,
}

/// Everything in the members' dependency tables that the floors forbid.
pub(crate) fn findings(packages: &[Package], examples: &Path) -> Vec<String> {
    let floors = floors::by_name();
    packages
        .iter()
        .flat_map(|package| match place(package, examples, &floors) {
            Some(place) => of_package(package, place, &floors),
            None => vec![format!(
                "{} is on no floor: give it one in xtask/src/floors.rs",
                package.name
            )],
        })
        .collect()
}

/// The exceptions that the members make use of, each with its reason.
pub(crate) fn exceptions_used(packages: &[Package], examples: &Path) -> Vec<String> {
    packages
        .iter()
        .flat_map(|package| {
            let is_example = package.manifest_path.starts_with(examples);
            let from = if is_example {
                Exception::ANY_EXAMPLE
            } else {
                package.name.as_str()
            };
            floors::EXCEPTIONS
                .iter()
                .filter(move |exception| exception.from == from)
                .filter(|exception| {
                    package
                        .dependencies
                        .iter()
                        .any(|dependency| dependency.name == exception.to)
                })
                .map(|exception| {
                    format!("{} -> {}: {}", package.name, exception.to, exception.reason)
                })
        })
        .collect()
}

fn place(package: &Package, examples: &Path, floors: &BTreeMap<&str, u8>) -> Option<Place> {
    if package.manifest_path.starts_with(examples) {
        return Some(Place::Example);
    }
    if floors::OUTSIDE.contains(&package.name.as_str()) {
        return Some(Place::Outside);
    }
    floors.get(package.name.as_str()).copied().map(Place::Floor)
}

fn of_package(package: &Package, place: Place, floors: &BTreeMap<&str, u8>) -> Vec<String> {
    let mut findings = Vec::new();
    if place == Place::Example && package.is_published() {
        findings.push(format!(
            "{} is an example and lacks `publish = false`",
            package.name
        ));
    }
    if place == Place::Outside && package.is_published() {
        findings.push(format!(
            "{} is a chore and lacks `publish = false`",
            package.name
        ));
    }
    for dependency in package
        .dependencies
        .iter()
        .filter(|dependency| dependency.path.is_some())
    {
        if let Some(finding) = of_import(package, place, dependency, floors) {
            findings.push(finding);
        }
    }
    findings
}

fn of_import(
    package: &Package,
    place: Place,
    dependency: &Dependency,
    floors: &BTreeMap<&str, u8>,
) -> Option<String> {
    let (from, to) = (package.name.as_str(), dependency.name.as_str());
    let Some(to_floor) = floors.get(to).copied() else {
        return Some(format!("{from} imports {to}, which is on no floor"));
    };
    let is_dev = dependency.kind.as_deref() == Some("dev");
    let (from_name, from_floor) = match place {
        Place::Outside => return Some(format!("{from} imports {to}: it must import no crate")),
        Place::Example => (Exception::ANY_EXAMPLE, floors::EXAMPLES),
        Place::Floor(floor) => (from, floor),
    };
    if to_floor < from_floor || (from == to && is_dev) {
        return None;
    }
    if is_dev && to == floors::TESTKIT {
        // With a version, the two crates would wait for each other on the registry for ever.
        // Without one, cargo strips the line when it publishes.
        return (package.is_published() && dependency.req != "*").then(|| {
            format!("{from} tests with {to}: give that dev-dependency a path and no version")
        });
    }
    let excepted = floors::EXCEPTIONS
        .iter()
        .any(|exception| exception.from == from_name && exception.to == to);
    if excepted {
        return None;
    }
    Some(format!(
        "{from} (floor {from_floor}) imports {to} (floor {to_floor}){}: a crate imports only from \
         floors below its own",
        if is_dev { " in its tests" } else { "" },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLES: &str = "/house/examples";

    fn package(name: &str, imports: &[(&str, Option<&str>)]) -> Package {
        let folder = if name.starts_with("ringwall") {
            "crates"
        } else {
            "examples"
        };
        let dependencies = imports
            .iter()
            .map(|(to, kind)| Dependency {
                name: (*to).to_owned(),
                kind: kind.map(str::to_owned),
                req: "^0.1.0".to_owned(),
                path: Some(format!("/house/crates/{to}").into()),
            })
            .collect();
        Package {
            name: name.to_owned(),
            manifest_path: format!("/house/{folder}/{name}/Cargo.toml").into(),
            description: None,
            license: None,
            readme: None,
            publish: (folder == "examples").then(Vec::new),
            features: BTreeMap::new(),
            dependencies,
            targets: Vec::new(),
        }
    }

    fn found(package: Package) -> Vec<String> {
        findings(&[package], Path::new(EXAMPLES))
    }

    #[test]
    fn an_import_from_a_lower_floor_is_fine() {
        assert_eq!(
            found(package("ringwall-gate", &[("ringwall-core", None)])),
            [""; 0]
        );
    }

    #[test]
    fn an_import_from_the_same_floor_is_refused() {
        let findings = found(package("ringwall-authn", &[("ringwall-authz", None)]));
        assert_eq!(findings.len(), 1);
        assert!(findings[0].contains("ringwall-authn (floor 2) imports ringwall-authz (floor 2)"));
    }

    #[test]
    fn an_import_from_a_higher_floor_is_refused_in_build_scripts_too() {
        let findings = found(package(
            "ringwall-core",
            &[("ringwall-gate", Some("build"))],
        ));
        assert_eq!(findings.len(), 1);
    }

    #[test]
    fn a_named_exception_holds_in_its_direction_only() {
        assert_eq!(
            found(package("ringwall-axum", &[("ringwall-tower", None)])),
            [""; 0]
        );
        assert_eq!(
            found(package("ringwall-tower", &[("ringwall-axum", None)])).len(),
            1
        );
        assert_eq!(
            found(package("ringwall-jose", &[("ringwall-jwks-client", None)])).len(),
            1
        );
    }

    #[test]
    fn a_used_exception_is_shown_with_its_reason() {
        let example = package("agent-backend", &[("ringwall", None)]);
        let used = exceptions_used(&[example], Path::new(EXAMPLES));
        assert_eq!(used.len(), 1);
        assert!(used[0].starts_with("agent-backend -> ringwall: "));
    }

    #[test]
    fn tests_may_go_up_to_the_testkit_and_no_further() {
        let mut kit = package("ringwall-authn", &[("ringwall-testkit", Some("dev"))]);
        kit.dependencies[0].req = "*".to_owned();
        assert_eq!(found(kit), [""; 0]);
        let gate = package("ringwall-authn", &[("ringwall-gate", Some("dev"))]);
        assert!(found(gate)[0].contains("in its tests"));
    }

    #[test]
    fn a_versioned_dev_dependency_on_the_testkit_could_not_be_published() {
        let kit = package("ringwall-authn", &[("ringwall-testkit", Some("dev"))]);
        assert!(found(kit)[0].contains("a path and no version"));
    }

    #[test]
    fn the_testkit_is_for_tests_alone() {
        assert_eq!(
            found(package("ringwall-axum", &[("ringwall-testkit", None)])).len(),
            1
        );
    }

    #[test]
    fn an_unknown_crate_is_refused_on_both_ends() {
        assert!(found(package("ringwall-surprise", &[]))[0].contains("on no floor"));
        let importer = package("ringwall-gate", &[("surprise", None)]);
        assert!(found(importer)[0].contains("which is on no floor"));
    }

    #[test]
    fn an_example_may_use_the_facade_and_must_stay_unpublished() {
        let mut example = package("agent-backend", &[("ringwall", None)]);
        assert_eq!(found(example.clone()), [""; 0]);
        example.publish = None;
        assert!(found(example)[0].contains("publish = false"));
    }

    #[test]
    fn the_chores_import_nothing_of_the_house() {
        let mut chores = package("ringwall-core", &[("ringwall-core", None)]);
        chores.name = "xtask".to_owned();
        assert!(
            found(chores)
                .iter()
                .any(|finding| finding.contains("must import no crate"))
        );
    }
}
