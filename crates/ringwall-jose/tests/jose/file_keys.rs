//! Keys in a file that somebody else replaces.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ringwall_core::event::{EventKind, MemoryEvents};
use ringwall_core::step::Step;
use ringwall_jose::{Algorithm, FileKeys, Health, KeySet, KeySetError, KeySource};
use serde_json::{Value, json};

use crate::keys::{jwk, providers, with};

struct Case {
    folder: tempfile::TempDir,
    events: Arc<MemoryEvents>,
}

impl Case {
    fn new(ids: &[&str]) -> Self {
        let case = Self {
            folder: tempfile::tempdir().unwrap(),
            events: Arc::new(MemoryEvents::new(64)),
        };
        case.write(&document(ids));
        case
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("jwks.json")
    }

    fn write(&self, content: &str) {
        fs::write(self.path(), content).unwrap();
    }

    fn open(&self) -> FileKeys {
        let builder = FileKeys::builder(self.path());
        builder
            .events(Arc::clone(&self.events) as _)
            .open()
            .unwrap()
    }

    fn reports(&self) -> (usize, usize) {
        let count = |kind| self.events.count(kind);
        (
            count(EventKind::KeysReloaded),
            count(EventKind::KeysRefused),
        )
    }
}

fn document(ids: &[&str]) -> String {
    let key = |id: &&str| with(jwk(Algorithm::Es256), &json!({ "kid": id }));
    let keys: Vec<Value> = ids.iter().map(key).collect();
    json!({ "keys": keys }).to_string()
}

fn has(keys: &FileKeys, id: &str) -> bool {
    keys.keys().unwrap().find(Some(id)).is_some()
}

fn refusal(path: &Path) -> &'static str {
    let error = FileKeys::builder(path).open().unwrap_err();
    let KeySetError::File { reason, .. } = error else {
        panic!("{error}")
    };
    reason
}

#[test]
fn takes_over_changed_content_and_nothing_else() {
    let case = Case::new(&["a"]);
    let keys = case.open();
    let first = keys.generation().unwrap();
    assert!(!keys.reload().unwrap());
    // The same keys in other words are no change: cached tokens stay.
    case.write(&format!("\n{} ", document(&["a"])));
    assert!(!keys.reload().unwrap());
    assert_eq!(keys.generation().unwrap(), first);
    assert_eq!(case.reports(), (0, 0));

    case.write(&document(&["a", "b"]));
    assert!(keys.reload().unwrap());
    assert!(has(&keys, "a") && has(&keys, "b"));
    assert_ne!(keys.generation().unwrap(), first);
    assert_eq!(
        keys.generation().unwrap(),
        keys.keys().unwrap().generation()
    );
    assert_eq!(case.reports(), (1, 0));
    assert_eq!(keys.health(), Health::Fresh);
}

#[test]
fn a_removed_key_is_refused_after_the_next_look() {
    let case = Case::new(&["a", "b"]);
    let keys = case.open();
    case.write(&document(&["b"]));
    assert!(has(&keys, "a"), "nobody looked yet");
    assert!(keys.reload().unwrap());
    assert!(!has(&keys, "a") && has(&keys, "b"));
}

#[cfg(unix)]
#[test]
fn follows_a_symbolic_link_that_is_swapped() {
    let case = Case::new(&["a"]);
    let target = |name: &str, ids: &[&str]| {
        let path = case.folder.path().join(name);
        fs::write(&path, document(ids)).unwrap();
        path
    };
    let (one, two) = (target("one", &["a"]), target("two", &["b"]));
    // Both were written at the same time, as an orchestrator's volumes may be.
    let modified = fs::metadata(&one).unwrap().modified().unwrap();
    fs::File::open(&two)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    let (link, staged) = (
        case.folder.path().join("link"),
        case.folder.path().join("staged"),
    );
    std::os::unix::fs::symlink(&one, &link).unwrap();
    let keys = FileKeys::builder(&link).open().unwrap();
    assert!(has(&keys, "a"));
    std::os::unix::fs::symlink(&two, &staged).unwrap();
    fs::rename(&staged, &link).unwrap();
    assert!(keys.reload().unwrap());
    assert!(has(&keys, "b") && !has(&keys, "a"));
}

#[test]
fn content_that_cannot_be_used_keeps_the_keys_and_is_reported_once() {
    let case = Case::new(&["a"]);
    let keys = case.open();
    let generation = keys.generation().unwrap();
    let whole = document(&["a", "b"]);
    let mut reported = 0;
    for bad in [
        whole.split_at(whole.len() / 2).0,
        "",
        r#"{"keys":[]}"#,
        "<html>",
        "{}",
    ] {
        case.write(bad);
        reported += 1;
        for _ in 0..3 {
            assert!(keys.reload().is_err(), "{bad}");
            assert_eq!(keys.health(), Health::Stale, "{bad}");
            assert!(has(&keys, "a"), "{bad}");
            assert_eq!(keys.generation().unwrap(), generation);
            assert_eq!(case.reports(), (0, reported), "{bad}");
        }
    }
    case.write(&whole);
    assert!(keys.reload().unwrap());
    assert!(has(&keys, "b"));
    assert_eq!(keys.health(), Health::Fresh);
    assert_eq!(case.reports(), (1, reported));
}

#[test]
fn the_old_content_after_a_bad_one_is_fresh_again_without_a_change() {
    let case = Case::new(&["a"]);
    let keys = case.open();
    let generation = keys.generation().unwrap();
    case.write("half");
    assert!(keys.reload().is_err());
    case.write(&document(&["a"]));
    assert!(!keys.reload().unwrap());
    assert_eq!(keys.health(), Health::Fresh);
    assert_eq!(keys.generation().unwrap(), generation);
    assert_eq!(case.reports(), (0, 1));
}

#[test]
fn a_deleted_file_keeps_the_keys_and_is_reported_once() {
    let case = Case::new(&["a"]);
    let keys = case.open();
    fs::remove_file(case.path()).unwrap();
    for _ in 0..3 {
        let error = keys.reload().unwrap_err();
        assert!(std::error::Error::source(&error).is_some());
        assert_eq!(keys.health(), Health::Stale);
        assert!(has(&keys, "a"));
        assert_eq!(case.reports(), (0, 1));
    }
    case.write(&document(&["b"]));
    assert!(keys.reload().unwrap());
    assert_eq!(keys.health(), Health::Fresh);
    assert!(has(&keys, "b") && !has(&keys, "a"));
}

#[test]
fn keys_that_are_left_out_are_reported_with_each_new_content() {
    let case = Case::new(&["a"]);
    let broken = with(
        jwk(Algorithm::Es256),
        &json!({ "kid": "broken", "use": "enc" }),
    );
    let good = with(jwk(Algorithm::Es256), &json!({ "kid": "a" }));
    case.write(&json!({ "keys": [good, broken] }).to_string());
    let keys = case.open();
    assert_eq!(case.reports(), (0, 1));
    assert!(!keys.reload().unwrap());
    assert_eq!(case.reports(), (0, 1));
    assert_eq!(keys.health(), Health::Fresh);
    let about = case.events.snapshot()[0].about.clone();
    assert_eq!(about.as_deref(), case.path().to_str());
}

#[test]
fn does_not_start_on_content_that_cannot_be_used() {
    let case = Case::new(&["a"]);
    for bad in ["", "{", r#"{"keys":[]}"#] {
        case.write(bad);
        assert!(FileKeys::builder(case.path()).open().is_err(), "{bad}");
    }
    assert_eq!(
        refusal(&case.folder.path().join("absent")),
        "it cannot be opened"
    );
    assert_eq!(refusal(case.folder.path()), "it is not a regular file");
}

#[test]
fn refuses_a_file_that_is_too_long() {
    let case = Case::new(&["a"]);
    let content = document(&["a"]);
    let padded = |bytes: usize| format!("{content}{}", " ".repeat(bytes - content.len()));
    case.write(&padded(256 * 1024));
    let keys = case.open();
    case.write(&padded(256 * 1024 + 1));
    assert_eq!(refusal(&case.path()), "it is longer than 256 KiB");
    assert!(keys.reload().is_err());
    assert!(has(&keys, "a"));
}

#[cfg(unix)]
#[test]
fn refuses_a_file_that_everybody_may_write() {
    use std::os::unix::fs::PermissionsExt as _;
    let case = Case::new(&["a"]);
    let keys = case.open();
    let set_mode =
        |mode| fs::set_permissions(case.path(), fs::Permissions::from_mode(mode)).unwrap();
    for mode in [0o666, 0o602, 0o646, 0o777] {
        set_mode(mode);
        assert_eq!(refusal(&case.path()), "everybody may write it", "{mode:o}");
    }
    // It became so while the service ran: the content is not trusted any more.
    case.write(&document(&["mallory"]));
    assert!(keys.reload().is_err());
    assert!(has(&keys, "a") && !has(&keys, "mallory"));
    assert_eq!(keys.health(), Health::Stale);
    for mode in [0o600, 0o640, 0o644, 0o664] {
        set_mode(mode);
        assert!(FileKeys::builder(case.path()).open().is_ok(), "{mode:o}");
    }
}

#[cfg(unix)]
#[test]
fn does_not_wait_for_the_writer_of_a_pipe() {
    let case = Case::new(&["a"]);
    let pipe = case.folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo")
        .arg(&pipe)
        .status()
        .unwrap();
    assert!(made.success());
    let (sender, receiver) = std::sync::mpsc::channel();
    let keys = case.open();
    fs::rename(&pipe, case.path()).unwrap();
    let path = case.path();
    std::thread::spawn(move || sender.send((refusal(&path), keys.reload().is_err())));
    let answer = receiver.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(answer, ("it is not a regular file", true));
}

#[test]
fn an_unknown_key_id_does_not_make_the_file_be_read() {
    let case = Case::new(&["a"]);
    let keys = case.open();
    case.write(&document(&["b"]));
    for _ in 0..100 {
        assert!(matches!(keys.refresh("b"), Step::Done(Ok(false))));
    }
    assert!(!has(&keys, "b"));
}

#[test]
fn builds_each_set_as_it_was_told() {
    let case = Case::new(&["a", "b"]);
    for provider in providers() {
        let limited = move || {
            KeySet::builder()
                .provider(Arc::clone(&provider))
                .max_keys(2)
        };
        let keys = FileKeys::builder(case.path())
            .key_set(limited)
            .open()
            .unwrap();
        case.write(&document(&["a", "b", "c"]));
        assert!(matches!(keys.reload(), Err(KeySetError::TooManyKeys)));
        case.write(&document(&["a", "b"]));
    }
}

#[test]
fn the_watch_picks_up_a_change_and_ends_with_its_handle() {
    let case = Case::new(&["a"]);
    let keys = case.open();
    let watch = keys.watch(Duration::from_millis(1)).unwrap();
    case.write(&document(&["a", "b"]));
    let found = (0..2000).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        has(&keys, "b")
    });
    assert!(found, "twenty seconds passed");
    drop(watch);
    // The thread held the events through its keys; it has ended, and these were the last ones.
    drop(keys);
    assert_eq!(Arc::strong_count(&case.events), 1);
}

#[test]
fn the_watch_reports_bad_content_once_however_often_it_looks() {
    let case = Case::new(&["a"]);
    let keys = case.open();
    let watch = keys.watch(Duration::from_millis(1)).unwrap();
    case.write("bad");
    let stale = (0..2000).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        keys.health() == Health::Stale
    });
    assert!(stale, "twenty seconds passed");
    // What the watch does on each look, without waiting for its pace.
    for _ in 0..10 {
        assert!(keys.reload().is_err());
    }
    drop(watch);
    assert_eq!(case.reports(), (0, 1));
}

/// Panics at the first event and takes the others.
#[derive(Debug, Default)]
struct Fragile(std::sync::atomic::AtomicUsize);

impl ringwall_core::event::EventSink for Fragile {
    fn emit(&self, _event: ringwall_core::event::SecurityEvent) {
        let first = self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        assert!(!first, "this sink breaks once, as the test wants it to");
    }
}

#[test]
fn the_watch_outlives_a_panic_in_the_event_sink() {
    let case = Case::new(&["a"]);
    let builder = FileKeys::builder(case.path()).events(Arc::new(Fragile::default()));
    let keys = builder.open().unwrap();
    let watch = keys.watch(Duration::from_millis(1)).unwrap();
    let wait = |what: &dyn Fn() -> bool| {
        (0..2000).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            what()
        })
    };
    case.write(&document(&["a", "b"]));
    assert!(wait(&|| has(&keys, "b")), "twenty seconds passed");
    // A key that is withdrawn after the panic leaves all the same.
    case.write(&document(&["b"]));
    assert!(wait(&|| !has(&keys, "a")), "twenty seconds passed");
    drop(watch);
}

#[test]
fn dropping_the_handle_does_not_wait_for_the_interval() {
    let case = Case::new(&["a"]);
    let watch = case.open().watch(Duration::from_secs(3600)).unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        drop(watch);
        sender.send(())
    });
    receiver.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(Arc::strong_count(&case.events), 1);
}
