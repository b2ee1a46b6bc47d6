//! Library source without its tests and comments, line by line: what the source rules look at.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use crate::{
    failure::Result,
    project::{self, Project},
};

/// A line that ships.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Relative to the root, with forward slashes.
    pub(crate) file: String,
    /// Counted from 1.
    pub(crate) number: usize,
    pub(crate) text: String,
}

/// Every line of Rust that ships from the packages in these folders of the root: what is under
/// their `src/` and their build scripts.
pub(crate) fn shipped_lines(project: &Project, folders: &[&str]) -> Result<Vec<Line>> {
    let mut files = Vec::new();
    for folder in folders {
        files.extend(project::files_below(&project.root().join(folder))?);
    }
    files.retain(|file| {
        let relative = file.strip_prefix(project.root()).unwrap_or(file);
        project::has_extension(file, "rs") && ships(relative)
    });
    let mut texts = Vec::new();
    for file in files {
        let text = project::read(&file)?;
        texts.push((file, text));
    }
    let of_tests: BTreeSet<PathBuf> = texts
        .iter()
        .flat_map(|(file, text)| test_module_paths(file, text))
        .collect();
    let lines = texts
        .iter()
        .filter(|(file, _)| !of_tests.iter().any(|tests| file.starts_with(tests)))
        .flat_map(|(file, text)| {
            let relative = file.strip_prefix(project.root()).unwrap_or(file);
            let file = relative.to_string_lossy().replace('\\', "/");
            shipped_in(text)
                .into_iter()
                .map(move |(number, text)| Line {
                    file: file.clone(),
                    number,
                    text: text.to_owned(),
                })
        })
        .collect();
    Ok(lines)
}

/// Whether a path of the form `crates/NAME/...` is part of what the package builds outside tests.
fn ships(relative: &Path) -> bool {
    let mut parts = relative.components().skip(2).map(|part| part.as_os_str());
    match (parts.next(), parts.next()) {
        (Some(first), Some(_)) => first == "src",
        (Some(only), None) => only == "build.rs",
        (None, _) => false,
    }
}

/// The numbered lines outside comments and inline test modules. rustfmt, which CI demands, puts
/// the closing brace of a module at the indentation of its `mod`, so no parser is needed.
fn shipped_in(text: &str) -> Vec<(usize, &str)> {
    let mut shipped = Vec::new();
    let mut test_attribute = false;
    let mut test_module_ends_with: Option<String> = None;
    for (number, line) in (1_usize..).zip(text.lines()) {
        let code = line.trim();
        if let Some(end) = &test_module_ends_with {
            if line == end {
                test_module_ends_with = None;
            }
            continue;
        }
        if code.starts_with("//") || code.is_empty() {
            continue;
        }
        if code == "#[cfg(test)]" {
            test_attribute = true;
            continue;
        }
        if test_attribute && code.starts_with("#[") {
            continue;
        }
        if test_attribute && code.starts_with("mod ") && code.ends_with('{') {
            let indentation = line.len().saturating_sub(line.trim_start().len());
            test_module_ends_with = Some(format!("{}}}", " ".repeat(indentation)));
        } else {
            shipped.push((number, line));
        }
        test_attribute = false;
    }
    shipped
}

/// The files and folders of the `#[cfg(test)] mod name;` declarations in a file.
fn test_module_paths(file: &Path, text: &str) -> Vec<PathBuf> {
    let Some(folder) = file.parent() else {
        return Vec::new();
    };
    let stem = file.file_stem().unwrap_or_default();
    let home = if stem == "lib" || stem == "main" || stem == "mod" {
        folder.to_owned()
    } else {
        folder.join(stem)
    };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines
        .iter()
        .zip(lines.iter().skip(1))
        .filter(|(attribute, _)| **attribute == "#[cfg(test)]")
        .filter_map(|(_, item)| item.strip_prefix("mod ")?.strip_suffix(';'))
        .flat_map(|name| [home.join(format!("{name}.rs")), home.join(name)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "//! Doc.\nuse a;\n\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n    fn b() {\n    }\n}\n\
                        fn after() {}\n    // not this\n#[cfg(test)]\nmod more;\n";

    #[test]
    fn comments_and_test_modules_do_not_ship_but_what_follows_them_does() {
        let lines: Vec<usize> = shipped_in(FILE)
            .into_iter()
            .map(|(number, _)| number)
            .collect();
        assert_eq!(lines, [2, 10, 13]);
    }

    #[test]
    fn a_test_module_in_a_file_of_its_own_is_found_where_rust_looks_for_it() {
        let root = test_module_paths(Path::new("crates/a/src/lib.rs"), FILE);
        assert_eq!(
            root,
            [
                PathBuf::from("crates/a/src/more.rs"),
                PathBuf::from("crates/a/src/more")
            ]
        );
        let nested = test_module_paths(Path::new("crates/a/src/key.rs"), FILE);
        assert_eq!(nested[0], PathBuf::from("crates/a/src/key/more.rs"));
    }

    #[test]
    fn sources_and_build_scripts_ship_and_tests_do_not() {
        assert!(ships(Path::new("crates/a/src/deep/file.rs")));
        assert!(ships(Path::new("crates/a/build.rs")));
        assert!(!ships(Path::new("crates/a/tests/all.rs")));
        assert!(!ships(Path::new("crates/a/benches/all.rs")));
    }
}
