//! The tour is the test of the example: everything in it goes over real sockets to a process of
//! its own.

use std::process::Command;

use serde_json::Value;

#[test]
fn the_tour_finds_everything_as_it_should_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let json = folder.path().join("tour.json");
    let output = Command::new(env!("CARGO_BIN_EXE_agent-backend"))
        .arg("tour")
        .arg("--json")
        .arg(&json)
        .current_dir(folder.path())
        .output()
        .expect("the tour runs");
    let table = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{table}\n{errors}");

    let list = std::fs::read(&json).expect("written");
    let list: Vec<Value> = serde_json::from_slice(&list).expect("a list");
    assert!(list.iter().all(|check| check["ok"] == true));
    // Fewer steps than there were would be a control that nobody looks at any more.
    assert!(list.len() >= 550, "{}", list.len());
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .expect("readable")
        .collect();
    assert_eq!(left.len(), 1, "the tour leaves nothing but its report");
}
