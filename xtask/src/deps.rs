//! `cargo xtask deps`: the rules of the house that cargo does not know.

use crate::{
    failure::{Failure, Result},
    imports, manifest,
    metadata::Metadata,
    project::Project,
    source, source_rules,
};

/// The command.
pub(crate) fn run(project: &Project, words: &[String]) -> Result<()> {
    crate::no_more(words)?;
    check(project)
}

/// Checks the floors, the manifests and the source rules, and lists where proofs are minted.
pub(crate) fn check(project: &Project) -> Result<()> {
    let metadata = Metadata::of_members(&project.root().join("Cargo.toml"))?;
    let lines = source::shipped_lines(project, &["crates", "examples"])?;

    let examples = project.root().join("examples");
    let mut findings = imports::findings(&metadata.packages, &examples);
    findings.extend(manifest::findings(project, &metadata.packages)?);
    findings.extend(source_rules::mint_findings(&lines));
    findings.extend(source_rules::clock_findings(&lines));

    list(
        "imports beyond the floors",
        &imports::exceptions_used(&metadata.packages, &examples),
    );
    let sites: Vec<String> = source_rules::mint_sites(&lines)
        .iter()
        .map(|site| format!("{}:{}", site.file, site.number))
        .collect();
    list("proofs are minted at", &sites);

    match Failure::of_findings("the house rules are broken", &findings) {
        Some(failure) => Err(failure),
        None => {
            println!(
                "{} packages keep to their floors, manifests and source rules ({} lines read)",
                metadata.packages.len(),
                lines.len()
            );
            Ok(())
        }
    }
}

fn list(heading: &str, entries: &[String]) {
    println!("{heading}:");
    for entry in entries {
        println!("  {entry}");
    }
    if entries.is_empty() {
        println!("  none");
    }
}
