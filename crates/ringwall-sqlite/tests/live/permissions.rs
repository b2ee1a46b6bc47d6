//! Files that others on the machine may use.

use std::cell::Cell;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Once;

use ringwall_sqlite::{Error, SqliteConfig, SqliteDatabase};
use tracing::span;

use crate::setting::{folder, open};

fn set(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("ours");
}

async fn is_refused(config: SqliteConfig) -> bool {
    match SqliteDatabase::open(config).await {
        Ok(database) => {
            database.close().await;
            false
        }
        Err(Error::Exposed(_)) => true,
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_file_that_others_may_write_is_refused() {
    let (_folder, file) = folder();
    open(&file).await.close().await;
    for (mode, alone, with_group) in [
        (0o600, false, false),
        (0o640, false, false),
        (0o644, false, false),
        (0o620, true, false),
        (0o660, true, false),
        (0o602, true, true),
        (0o662, true, true),
        (0o666, true, true),
    ] {
        set(&file, mode);
        let config = || SqliteConfig::new(&file);
        assert_eq!(is_refused(config()).await, alone, "{mode:o}");
        let permitted = config().group_writes_permitted();
        assert_eq!(is_refused(permitted).await, with_group, "{mode:o}");
    }
}

#[tokio::test]
async fn so_is_one_with_such_a_file_beside_it() {
    for ending in ["-wal", "-shm"] {
        let (folder, file) = folder();
        open(&file).await.close().await;
        let beside = folder.path().join(format!("ringwall.sqlite{ending}"));
        fs::write(&beside, "").expect("it can");
        set(&beside, 0o606);
        assert!(is_refused(SqliteConfig::new(&file)).await, "{ending}");
        set(&beside, 0o600);
        assert!(!is_refused(SqliteConfig::new(&file)).await, "{ending}");
    }
}

#[tokio::test]
async fn so_is_one_that_everybody_may_replace() {
    let (folder, file) = folder();
    open(&file).await.close().await;
    for (mode, refused) in [(0o777, true), (0o1777, false), (0o755, false)] {
        set(folder.path(), mode);
        let config = SqliteConfig::new(&file);
        assert_eq!(is_refused(config).await, refused, "{mode:o}");
    }
}

thread_local! {
    /// The events of this thread.
    static EVENTS: Cell<usize> = const { Cell::new(0) };
}

/// Counts events, for the whole program: whether a place is listened to is remembered by the first thread that
/// comes there.
struct Events;

fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing::subscriber::set_global_default(Events).expect("nobody else listens");
        // Another thread may have come there in between.
        tracing::callsite::rebuild_interest_cache();
    });
}

impl tracing::Subscriber for Events {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("ringwall_sqlite")
    }

    fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn event(&self, _event: &tracing::Event<'_>) {
        EVENTS.set(EVENTS.get().saturating_add(1));
    }

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

// On one thread, whose events are counted.
#[tokio::test(flavor = "current_thread")]
async fn one_that_everybody_may_read_is_reported() {
    listen();
    let (_folder, file) = folder();
    let database = open(&file).await;
    assert!(!database.is_readable_by_everybody(), "as it is made");
    database.close().await;
    for (mode, reported) in [(0o640, false), (0o604, true), (0o644, true)] {
        set(&file, mode);
        let before = EVENTS.get();
        let database = open(&file).await;
        assert_eq!(database.is_readable_by_everybody(), reported, "{mode:o}");
        assert_eq!(
            EVENTS.get().saturating_sub(before),
            usize::from(reported),
            "{mode:o}"
        );
        database.close().await;
    }
}
