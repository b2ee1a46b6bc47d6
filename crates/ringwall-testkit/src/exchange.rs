//! One request and its answer, as the kit saw them.

use core::fmt;

use ringwall_core::audit::AuditRecord;
use ringwall_core::event::SecurityEvent;

use crate::app::Protocol;
use crate::event_log;
use crate::kit::Kit;
use crate::trail;

/// What was sent, in words, without any credential.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// Such as `GET /cases`.
    pub(crate) line: String,
    pub(crate) about: Vec<String>,
    pub(crate) protocol: Protocol,
}

/// Where the events and the trail stood before a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before {
    events: usize,
    records: usize,
}

/// What a request left behind. Requests that are sent side by side see each other's.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) events: Vec<SecurityEvent>,
    pub(crate) records: Vec<AuditRecord>,
}

impl Before {
    pub(crate) fn now(kit: &Kit) -> Self {
        Self {
            events: kit.event_recorder().len(),
            records: kit.audit_recorder().len(),
        }
    }

    pub(crate) fn until_now(self, kit: &Kit) -> Seen {
        Seen {
            events: kit.event_recorder().since(self.events),
            records: kit.audit_recorder().since(self.records),
        }
    }
}

impl Seen {
    /// Whether anything says that the request was refused.
    pub(crate) fn is_refused(&self) -> bool {
        self.events
            .iter()
            .any(|event| event_log::is_refusal(event.kind))
    }

    /// Whether an event gives this cause.
    pub(crate) fn has_cause(&self, cause: &str) -> bool {
        self.events.iter().any(|event| event.cause == cause)
    }
}

/// Indented lines, as the report of a failure has them.
impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.events.is_empty() && self.records.is_empty() {
            return f.write_str(
                "nothing (is the application built with a gate of this kit, or with its event sink?)",
            );
        }
        let events = self.events.iter().map(|event| {
            let line = event_log::Line(event);
            format!("event {line}")
        });
        let records = self
            .records
            .iter()
            .map(|record| format!("audit {}", trail::Line(record)));
        let lines: Vec<String> = events.chain(records).collect();
        f.write_str(&lines.join(crate::report::NEXT_LINE))
    }
}
