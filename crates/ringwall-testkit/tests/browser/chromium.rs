//! The browser.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

/// Names the browser's executable.
const VARIABLE: &str = "RINGWALL_TEST_CHROMIUM";

/// A browser that is running. It and all its processes end when this is dropped.
pub(crate) struct Chromium {
    browser: Child,
    folder: TempDir,
}

impl Chromium {
    /// Opens `address` in a fresh browser that knows of no host but `hosts`, each a pattern with the place
    /// on this machine that stands for it.
    pub(crate) fn open(address: &str, hosts: &[(String, u16)], key: &str) -> Self {
        let Some(executable) = std::env::var_os(VARIABLE).filter(|name| !name.is_empty()) else {
            panic!(
                "{VARIABLE} names no browser: run `cargo xtask test`, which installs one, or set it to a \
                 Chromium"
            );
        };
        let folder = tempfile::tempdir().expect("a folder");
        let mut rules: Vec<String> = hosts
            .iter()
            .map(|(host, port)| format!("MAP {host} 127.0.0.1:{port}"))
            .collect();
        rules.push("MAP * ~NOTFOUND".to_owned());
        let log = fs::File::create(folder.path().join("log")).expect("a file");
        let browser = Command::new(&executable)
            .args([
                "--headless",
                // Root cannot have the sandbox; the pages are ours.
                "--no-sandbox",
                "--no-zygote",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-extensions",
                // A page over plain HTTP has to stay one.
                "--disable-features=HttpsUpgrades,HttpsFirstBalancedMode,HttpsFirstBalancedModeAutoEnable",
                // What a browser has to say about a field that it does not understand.
                "--enable-logging=stderr",
            ])
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .arg(format!("--host-resolver-rules={}", rules.join(", ")))
            .arg(format!("--ignore-certificate-errors-spki-list={key}"))
            .arg(address)
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            // A group of its own, so that what it starts can be ended with it.
            .process_group(0)
            .spawn();
        Self {
            browser: browser.unwrap_or_else(|error| {
                panic!("{}: {error}", PathBuf::from(&executable).display())
            }),
            folder,
        }
    }

    /// What it wrote to its log.
    pub(crate) fn log(&self) -> String {
        let log = fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // The group is the browser's own, and the browser is not reaped before the next line.
        kill_process_group(Pid::from_child(&self.browser), Signal::KILL).ok();
        self.browser.wait().ok();
    }
}
