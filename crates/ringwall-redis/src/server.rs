//! What a server says about itself (`INFO`), and whether it may be used.

use core::time::Duration;

use ringwall_core::clock::Timestamp;

use crate::Error;

/// Times of start are whole seconds on both ends.
const ROUNDING: Duration = Duration::from_secs(1);

/// A replica that never became a primary has no second replication id.
const NO_ID: &str = "0000000000000000000000000000000000000000";

/// The lines that matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Another one after each start.
    pub(crate) run_id: String,
    /// When it started, or a second later.
    pub(crate) started_at: Timestamp,
    /// It took over from another server, within about the last hour.
    pub(crate) promoted: bool,
}

impl Facts {
    /// Reads an answer to `INFO` that came at `now`. A node of a cluster is refused unless the operator said that
    /// it is one.
    pub(crate) fn read(info: &str, now: Timestamp, cluster_node: bool) -> Result<Self, Error> {
        let value = |name: &str| {
            info.lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(found, _)| *found == name)
                .map(|(_, value)| value.trim())
        };
        if value("maxmemory_policy") != Some("noeviction") {
            return Err(Error::Unsafe(
                "it may evict what has to be remembered: set `maxmemory-policy noeviction`",
            ));
        }
        if value("role") != Some("master") {
            return Err(Error::Unsafe("it is a replica: name the primary"));
        }
        if value("redis_mode") == Some("cluster") && !cluster_node {
            return Err(Error::Unsafe(
                "it is a node of a cluster: name the one with the slot, and say `cluster_node`",
            ));
        }
        let silent = Error::Unsafe("it does not say since when it runs");
        let run_id = value("run_id").filter(|id| !id.is_empty());
        let uptime = value("uptime_in_seconds").and_then(|seconds| seconds.parse().ok());
        let (Some(run_id), Some(uptime)) = (run_id, uptime) else {
            return Err(silent);
        };
        let started_at = now
            .checked_sub(Duration::from_secs(uptime))
            .and_then(|start| start.checked_add(ROUNDING))
            .ok_or(silent)?;
        Ok(Self {
            run_id: run_id.to_owned(),
            started_at,
            promoted: value("master_replid2").is_some_and(|id| id != NO_ID),
        })
    }
}

/// What is known of the servers that were spoken to.
#[derive(Debug)]
pub(crate) struct Memory {
    survives_restarts: bool,
    known: Option<Known>,
}

#[derive(Debug)]
struct Known {
    run_id: String,
    last_seen: Timestamp,
    /// The latest moment before which a claim may have been forgotten.
    lost_at: Timestamp,
}

impl Memory {
    pub(crate) const fn new(survives_restarts: bool) -> Self {
        Self {
            survives_restarts,
            known: None,
        }
    }

    /// The latest moment at or before which a claim may have been made and forgotten, now that a
    /// server said these things of itself.
    pub(crate) fn lost_at(&mut self, facts: &Facts, now: Timestamp) -> Timestamp {
        let always = Timestamp::from_unix_micros(i64::MIN);
        let at_start = if self.survives_restarts {
            always
        } else {
            facts.started_at
        };
        let lost_at = match &self.known {
            // The same process as before.
            Some(known) if known.run_id == facts.run_id => known.lost_at,
            // A restart: it was not there when its predecessor was last seen.
            Some(known) if facts.started_at > known.last_seen && !facts.promoted => {
                known.lost_at.max(at_start)
            }
            // Another server, which was a replica: the last writes may not have reached it.
            Some(_) => now,
            // When it took over is not known, so it may have been just now.
            None if facts.promoted => now,
            None => at_start,
        };
        self.known = Some(Known {
            run_id: facts.run_id.clone(),
            last_seen: now,
            lost_at,
        });
        lost_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n\
        run_id:aaaa\r\nuptime_in_seconds:100\r\n\r\n# Memory\r\nmaxmemory:0\r\n\
        maxmemory_policy:noeviction\r\n# Replication\r\nrole:master\r\n\
        master_replid2:0000000000000000000000000000000000000000\r\n";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds).expect("in range")
    }

    fn facts(info: &str, now: i64) -> Facts {
        Facts::read(info, at(now), false).expect("safe")
    }

    fn unsafe_with(what: &str, other: &str) {
        assert!(INFO.contains(what));
        let refused = Facts::read(&INFO.replace(what, other), at(1000), false);
        assert!(matches!(refused, Err(Error::Unsafe(_))), "{other}");
    }

    #[test]
    fn refuses_servers_that_may_forget() {
        for policy in ["allkeys-lru", "volatile-ttl", "volatile-lru", ""] {
            unsafe_with(
                "maxmemory_policy:noeviction",
                &format!("maxmemory_policy:{policy}"),
            );
        }
        unsafe_with("maxmemory_policy:noeviction\r\n", "");
        unsafe_with("role:master", "role:slave");
        unsafe_with("role:master", "");
        unsafe_with("redis_mode:standalone", "redis_mode:cluster");
        unsafe_with("run_id:aaaa", "run_id:");
        unsafe_with("uptime_in_seconds:100", "uptime_in_seconds:");
        unsafe_with("uptime_in_seconds:100", "uptime_in_seconds:-1");
        unsafe_with(
            "uptime_in_seconds:100",
            "uptime_in_seconds:18446744073709551615",
        );
    }

    #[test]
    fn a_node_of_a_cluster_is_used_where_that_was_said_and_held_to_the_rest() {
        let node = INFO.replace("redis_mode:standalone", "redis_mode:cluster");
        assert!(Facts::read(&node, at(1000), true).is_ok());
        let replica = node.replace("role:master", "role:slave");
        assert!(Facts::read(&replica, at(1000), true).is_err());
    }

    #[test]
    fn what_was_claimed_before_its_start_may_be_lost() {
        let facts = facts(INFO, 1000);
        assert_eq!(facts.started_at, at(901));
        assert_eq!(Memory::new(false).lost_at(&facts, at(1000)), at(901));
        assert!(Memory::new(true).lost_at(&facts, at(1000)) < at(0));
    }

    #[test]
    fn a_restart_loses_what_was_before_it_unless_the_operator_says_otherwise() {
        for survives in [false, true] {
            let mut memory = Memory::new(survives);
            let before = memory.lost_at(&facts(INFO, 1000), at(1000));
            let again = INFO
                .replace("run_id:aaaa", "run_id:bbbb")
                .replace("seconds:100", "seconds:3");
            let after = memory.lost_at(&facts(&again, 1010), at(1010));
            assert_eq!(after, if survives { before } else { at(1008) });

            // Unless what started took over from another one.
            let mut memory = Memory::new(survives);
            memory.lost_at(&facts(INFO, 1000), at(1000));
            let promoted = again.replace(NO_ID, "1111111111111111111111111111111111111111");
            let after = memory.lost_at(&facts(&promoted, 1010), at(1010));
            assert_eq!(after, at(1010));
        }
    }

    #[test]
    fn another_server_may_lack_what_was_claimed_until_now() {
        for survives in [false, true] {
            let mut memory = Memory::new(survives);
            memory.lost_at(&facts(INFO, 1000), at(1000));
            let other = facts(&INFO.replace("run_id:aaaa", "run_id:bbbb"), 1010);
            assert_eq!(memory.lost_at(&other, at(1010)), at(1010));
            // And it stays so, as long as it is this one.
            assert_eq!(memory.lost_at(&other, at(2000)), at(1010));
        }
    }

    #[test]
    fn a_server_that_took_over_some_time_may_have_done_so_just_now() {
        for survives in [false, true] {
            let promoted = INFO.replace(NO_ID, "1111111111111111111111111111111111111111");
            let promoted = facts(&promoted, 1000);
            assert_eq!(Memory::new(survives).lost_at(&promoted, at(1000)), at(1000));
        }
    }
}
