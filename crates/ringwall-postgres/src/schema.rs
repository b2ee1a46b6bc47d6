//! The steps of the schema. One that was released is never changed: what comes later is another step.

/// A step, which is applied as a whole. Its names are those of the schema in the search path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) version: u32,
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

/// All of them, in order, numbered from 1. They do not depend on features: a database has one schema,
/// whichever program migrates it.
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

// Texts are compared byte by byte, whatever the database's language is: an index that follows a
// language is wrong after an upgrade of the system's rules.

const API_KEYS: &str = r#"
CREATE TABLE ringwall_api_keys (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    org text COLLATE "C" NOT NULL,
    project text COLLATE "C",
    scopes text COLLATE "C" NOT NULL,
    created_by text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    networks text COLLATE "C" NOT NULL,
    origins text COLLATE "C" NOT NULL,
    digest text COLLATE "C" NOT NULL,
    last_used_at bigint,
    revoked_at bigint,
    replaced_by text COLLATE "C",
    grace_ends_at bigint,
    CHECK ((replaced_by IS NULL) = (grace_ends_at IS NULL))
);
CREATE INDEX ringwall_api_keys_by_org ON ringwall_api_keys (org, id);
"#;

const REVOCATIONS: &str = r#"
CREATE TABLE ringwall_revocations (
    number bigint NOT NULL PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    issuer text COLLATE "C",
    name text COLLATE "C" NOT NULL,
    issued_until bigint,
    last_expiry bigint NOT NULL
);
CREATE INDEX ringwall_revocations_by_expiry ON ringwall_revocations (last_expiry);
CREATE TABLE ringwall_revocations_head (
    sole integer NOT NULL PRIMARY KEY CHECK (sole = 1),
    last bigint NOT NULL
);
INSERT INTO ringwall_revocations_head (sole, last) VALUES (1, 0);
"#;

const SUBJECTS: &str = r#"
CREATE TABLE ringwall_subjects (
    org_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (org_id, user_id)
);
CREATE TABLE ringwall_org_memberships (
    org_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    role text COLLATE "C" NOT NULL,
    PRIMARY KEY (org_id, user_id, role)
);
CREATE TABLE ringwall_user_attributes (
    org_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    expires_at bigint,
    PRIMARY KEY (org_id, user_id, key, value)
);
CREATE INDEX ringwall_user_attributes_by_end ON ringwall_user_attributes (expires_at);
CREATE TABLE ringwall_user_departments (
    org_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    department text COLLATE "C" NOT NULL,
    PRIMARY KEY (org_id, user_id, department)
);
"#;

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
            "18aaa0e9195fb12cb9c4ef1574888e71fb362447a6413e8f96e5df4456ff61cf",
            "2a967e2ecbd3f582d769a2d1ea5a9c1b0bfda569788aab73d4382acb091b00a3",
            "1c946ad2f627e0cfdae15cf392373aeb079e554b21afb8e0462b601294bf0a96",
        ];
        assert_eq!(sums, released);
    }
}
