//! The steps of the schema. One that was released is never changed: what comes later is another step.

/// A step, which is applied as a whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) version: u32,
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

/// All of them, in order, numbered from 1. They do not depend on features: a file has one schema, whichever
/// program migrates it.
pub(crate) const STEPS: &[Step] = &[
    Step {
        version: 1,
        name: "api keys",
        sql: API_KEYS,
    },
    Step {
        version: 2,
        name: "revocations",
        sql: REVOCATIONS,
    },
    Step {
        version: 3,
        name: "subjects",
        sql: SUBJECTS,
    },
];

// Texts are compared byte by byte: BINARY is the collation where none is named. Strict tables refuse values
// of another type.

const API_KEYS: &str = "
CREATE TABLE ringwall_api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    org TEXT NOT NULL,
    project TEXT,
    scopes TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    networks TEXT NOT NULL,
    origins TEXT NOT NULL,
    digest TEXT NOT NULL,
    last_used_at INTEGER,
    revoked_at INTEGER,
    replaced_by TEXT,
    grace_ends_at INTEGER,
    CHECK ((replaced_by IS NULL) = (grace_ends_at IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX ringwall_api_keys_by_org ON ringwall_api_keys (org, id);
";

const REVOCATIONS: &str = "
CREATE TABLE ringwall_revocations (
    number INTEGER NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    issuer TEXT,
    name TEXT NOT NULL,
    issued_until INTEGER,
    last_expiry INTEGER NOT NULL
) STRICT;
CREATE INDEX ringwall_revocations_by_expiry ON ringwall_revocations (last_expiry);
CREATE TABLE ringwall_revocations_head (
    only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    last INTEGER NOT NULL
) STRICT;
INSERT INTO ringwall_revocations_head (only, last) VALUES (1, 0);
";

const SUBJECTS: &str = "
CREATE TABLE ringwall_subjects (
    org_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (org_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE ringwall_org_memberships (
    org_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (org_id, user_id, role)
) STRICT, WITHOUT ROWID;
CREATE TABLE ringwall_user_attributes (
    org_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (org_id, user_id, key, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX ringwall_user_attributes_by_end ON ringwall_user_attributes (expires_at);
CREATE TABLE ringwall_user_departments (
    org_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    department TEXT NOT NULL,
    PRIMARY KEY (org_id, user_id, department)
) STRICT, WITHOUT ROWID;
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_numbered_without_a_gap() {
        for (step, expected) in STEPS.iter().zip(1..) {
            assert_eq!(step.version, expected);
        }
    }

    #[test]
    fn a_released_step_is_never_changed() {
        let sums: Vec<String> = STEPS.iter().map(crate::migrations::checksum).collect();
        let released = [
            "599b8c89fff938d981a818291e7364166f0999f3a5503adf1ad5e0634eb61cc1",
            "b534f4426b8c743b76a7fea50d1ae0572f41cf149d1a8d3f9a32e284252e4c97",
            "05ba02597d42c9242fab52726de586d0034e200bc66220fec32dd24b2bf9e21c",
        ];
        assert_eq!(sums, released);
    }
}
