//! Functions that policies call and that are other ones.

use super::Patient;

#[tokio::test]
async fn functions_with_another_body_another_owner_or_as_their_owner_are_found() {
    let patient = Patient::new().await;
    for (harm, repair, expected) in [
        (
            "CREATE OR REPLACE FUNCTION HELPERS.has_attribute(attribute_key text, attribute_value text) RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS 'SELECT TRUE'",
            "",
            &["HelperFunction:HELPERS.has_attribute(text, text)"][..],
        ),
        (
            "CREATE OR REPLACE FUNCTION HELPERS.has_role(name text) RETURNS boolean LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN TRUE; END'",
            "",
            &["HelperFunction:HELPERS.has_role(text)"],
        ),
        (
            "CREATE OR REPLACE FUNCTION HELPERS.has_role(name text) RETURNS boolean STABLE SET search_path = pg_catalog, pg_temp BEGIN ATOMIC SELECT TRUE; END",
            "",
            &["HelperFunction:HELPERS.has_role(text)"],
        ),
        (
            "ALTER FUNCTION HELPERS.attribute_values(text) SECURITY DEFINER",
            "",
            &[
                "HelperFunction:HELPERS.attribute_values(text)",
                "DefinerFunction:HELPERS.attribute_values(text)",
            ],
        ),
        (
            "ALTER FUNCTION HELPERS.setting(text) IMMUTABLE",
            "",
            &["HelperFunction:HELPERS.setting(text)"],
        ),
        (
            "ALTER FUNCTION HELPERS.setting(text) STRICT",
            "",
            &["HelperFunction:HELPERS.setting(text)"],
        ),
        (
            "ALTER FUNCTION HELPERS.setting(text) SET row_security = off",
            "",
            &["HelperFunction:HELPERS.setting(text)"],
        ),
        (
            "ALTER FUNCTION HELPERS.attribute(text) RESET search_path",
            "",
            &["HelperFunction:HELPERS.attribute(text)"],
        ),
        (
            // One that has a path is called, and no longer written into the plan.
            "ALTER FUNCTION HELPERS.setting(text) SET search_path = pg_catalog, pg_temp",
            "",
            &["HelperFunction:HELPERS.setting(text)"],
        ),
        (
            "DROP FUNCTION HELPERS.has_scope(text)",
            "",
            &["HelperFunction:HELPERS.has_scope(text)"],
        ),
        (
            "CREATE FUNCTION HELPERS.setting(name varchar) RETURNS text LANGUAGE sql AS 'SELECT ''x'''",
            "DROP FUNCTION HELPERS.setting(varchar)",
            &["HelperFunction:HELPERS.setting(character varying)"],
        ),
        (
            "ALTER FUNCTION HELPERS.has_scope(text) OWNER TO RUNTIME",
            "ALTER FUNCTION HELPERS.has_scope(text) OWNER TO CURRENT_USER",
            &["HelperOwner:HELPERS.has_scope(text)"],
        ),
        (
            "GRANT CREATE ON SCHEMA HELPERS TO RUNTIME",
            "REVOKE CREATE ON SCHEMA HELPERS FROM RUNTIME",
            &["HelperOwner:HELPERS"],
        ),
        (
            "ALTER SCHEMA HELPERS OWNER TO RUNTIME; REVOKE CREATE ON SCHEMA HELPERS FROM RUNTIME",
            "ALTER SCHEMA HELPERS OWNER TO CURRENT_USER",
            &["HelperOwner:HELPERS"],
        ),
    ] {
        patient.suffers(harm, repair, expected).await;
    }
    patient.remove().await;
}

#[tokio::test]
async fn functions_that_look_where_others_could_put_a_table_are_found() {
    let patient = Patient::new().await;
    for (harm, repair, expected) in [
        (
            "ALTER FUNCTION HELPERS.attribute(text) SET search_path = pg_catalog",
            "",
            "HelperPath:HELPERS.attribute(text)",
        ),
        (
            "ALTER FUNCTION HELPERS.attribute_values(text) SET search_path = HOME",
            "",
            "HelperPath:HELPERS.attribute_values(text)",
        ),
        (
            "ALTER FUNCTION HELPERS.attribute_values(text) SET search_path = pg_temp, HOME",
            "",
            "HelperPath:HELPERS.attribute_values(text)",
        ),
        (
            "CREATE SCHEMA HOME_other; CREATE TABLE HOME_other.ringwall_user_attributes (id text); ALTER FUNCTION HELPERS.attribute_values(text) SET search_path = HOME_other, HOME, pg_temp",
            "DROP SCHEMA HOME_other CASCADE",
            "HelperPath:HELPERS.attribute_values(text)",
        ),
        (
            "CREATE SCHEMA HOME_other; GRANT CREATE ON SCHEMA HOME_other TO RUNTIME; ALTER FUNCTION HELPERS.attribute_values(text) SET search_path = HOME_other, HOME, pg_temp",
            "DROP SCHEMA HOME_other CASCADE",
            "HelperPath:HELPERS.attribute_values(text)",
        ),
        (
            "CREATE SCHEMA RUNTIME AUTHORIZATION RUNTIME; ALTER FUNCTION HELPERS.attribute_values(text) SET search_path = \"$user\", HOME, pg_temp",
            "DROP SCHEMA RUNTIME CASCADE",
            "HelperPath:HELPERS.attribute_values(text)",
        ),
    ] {
        patient.suffers(harm, repair, &[expected]).await;
    }
    patient
        .bears(
            "CREATE SCHEMA HOME_other; ALTER FUNCTION HELPERS.attribute_values(text) SET search_path = \"$user\", HOME_other, HOME, pg_temp",
            "DROP SCHEMA HOME_other",
        )
        .await;
    patient.remove().await;
}
