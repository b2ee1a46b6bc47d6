//! Keys that tell of other tenants' rows.

use super::Patient;

#[tokio::test]
async fn keys_without_the_organisation_are_warnings() {
    let patient = Patient::new().await;
    for (harm, repair, expected) in [
        (
            "DROP INDEX ringwall_cases_tenant; ALTER TABLE cases DROP CONSTRAINT cases_org_id_id_key",
            "ALTER TABLE cases ADD UNIQUE (org_id, id)",
            "NoTenantIndex:cases",
        ),
        (
            "ALTER TABLE cases ADD CONSTRAINT one_id UNIQUE (id)",
            "ALTER TABLE cases DROP CONSTRAINT one_id",
            "KeyAcrossTenants:HOME.one_id",
        ),
        (
            "CREATE UNIQUE INDEX one_note ON cases (lower(note)) INCLUDE (org_id)",
            "DROP INDEX one_note",
            "KeyAcrossTenants:HOME.one_note",
        ),
        (
            "ALTER TABLE cases ADD CONSTRAINT no_two EXCLUDE USING btree (note WITH =)",
            "ALTER TABLE cases DROP CONSTRAINT no_two",
            "KeyAcrossTenants:HOME.no_two",
        ),
        (
            // The key that it points at has the organisation, and what points takes it from elsewhere.
            "ALTER TABLE cases ADD COLUMN of_org text, ADD COLUMN of_id text, ADD CONSTRAINT of_case FOREIGN KEY (of_org, of_id) REFERENCES cases (org_id, id)",
            "ALTER TABLE cases DROP COLUMN of_org, DROP COLUMN of_id",
            "KeyAcrossTenants:of_case ON HOME.cases",
        ),
    ] {
        patient.suffers(harm, repair, &[expected]).await;
    }
    patient
        .run("ALTER TABLE cases ADD CONSTRAINT one_id UNIQUE (id)")
        .await;
    assert!(patient.examine(&[]).await.is_sound(), "it is a warning");
    patient
        .suffers(
            "CREATE TABLE files (id text, case_id text CONSTRAINT of_case REFERENCES cases (id))",
            "DROP TABLE files; ALTER TABLE cases DROP CONSTRAINT one_id",
            &[
                "KeyAcrossTenants:HOME.one_id",
                "KeyAcrossTenants:of_case ON HOME.files",
            ],
        )
        .await;
    patient
        .bears(
            "ALTER TABLE cases ADD COLUMN of_id text, ADD CONSTRAINT of_case FOREIGN KEY (org_id, of_id) REFERENCES cases (org_id, id)",
            "ALTER TABLE cases DROP COLUMN of_id",
        )
        .await;
    patient.remove().await;
}
