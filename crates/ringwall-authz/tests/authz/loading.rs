//! Policies that are refused, and what is said of them.

use ringwall_authz::{
    AttributeDefinition, Cases, MAX_POLICY_BYTES, Policy, PolicyDocument, PolicyFaults,
    ResourceDefinition, TableDefinition, ready,
};

const BASE: &str = r#"version = 1
name = "cases"

[roles.admin]
[roles.analyst]
inherits = ["admin"]

[subject.attributes]
clearance = "sensitivity"
regions = "text_set"

[resources.case]
actions = ["read", "delete"]
attributes.owner = "text"
attributes.amount = "integer"
attributes.flag = "boolean"
attributes.sensitivity = "sensitivity"
"#;

fn refused(text: &str) -> PolicyFaults {
    Policy::from_toml(text).expect_err("it is refused")
}

/// The line, counted from 1, on which `part` first stands.
fn line_of(text: &str, part: &str) -> u32 {
    let before = text.split(part).next().expect("a part");
    u32::try_from(before.matches('\n').count().saturating_add(1)).expect("it fits")
}

fn rule(body: &str) -> String {
    format!(
        "{BASE}\n[[rules]]\nid = \"one\"\neffect = \"permit\"\nresource = \"case\"\nactions = [\"read\"]\n{body}\n"
    )
}

#[test]
fn says_on_which_line_what_is_wrong() {
    for (body, at, message) in [
        (
            r#"when = { eq = ["resource.ownr", "subject.id"] }"#,
            "when =",
            "unknown attribute \"resource.ownr\"",
        ),
        (
            r#"when = { eq = ["resource.amount", "subject.id"] }"#,
            "when =",
            "integer is not comparable with one of the type text",
        ),
        (
            r#"when = { gt = ["resource.flag", true] }"#,
            "when =",
            "have no order",
        ),
        (
            r#"when = { le = ["resource.sensitivity", { text = "secret" }] }"#,
            "when =",
            "none of the type sensitivity: public, internal, confidential, restricted",
        ),
        (
            "when = { all = [] }",
            "when =",
            "it would be true for everything",
        ),
        (
            r#"when = { eq = ["eu", "subject.id"] }"#,
            "when =",
            "a constant is written { text = \"eu\" }",
        ),
        (
            r#"when = { related = ["friends", "resource.owner"] }"#,
            "when =",
            "there is no relation \"friends\"; there is none",
        ),
        (
            r#"when = { in = ["resource.owner", "subject.clearance"] }"#,
            "when =",
            "is no set",
        ),
        (
            r#"when = { in = ["resource.owner", [1.5]] }"#,
            "when =",
            "a set is the path of one",
        ),
        (
            r#"when = { is_set = "subject.regions" }"#,
            "when =",
            "a set is never null",
        ),
        (
            r#"roles = ["owner"]"#,
            "roles = [\"owner\"]",
            "there is no role \"owner\"; there are admin, analyst",
        ),
        ("", "[[rules]]", "it would permit everybody"),
        (
            r#"when = { all = [{ eq = ["resource.owner", { text = "a" }] }, { eq = ["resource.owner", { text = "b" }] }] }"#,
            "when =",
            "it demands two values of one attribute at once",
        ),
        ("when = { any = [] }", "when =", "the rule never applies"),
        (
            r#"when = { in = ["resource.owner", ["a", "subject.id"]] }"#,
            "when =",
            "\"subject.id\" is a constant in a list, and no attribute",
        ),
        (
            "roles = []\nwhen = { is_set = \"resource.owner\" }",
            "roles = []",
            "not be nobody but everybody",
        ),
        (
            "scopes = []\nwhen = { is_set = \"resource.owner\" }",
            "scopes = []",
            "not be nobody but everybody",
        ),
        (
            "anyone = true\nobligations = { redact = [\"ssn\"] }",
            "obligations",
            "no JSON Pointer",
        ),
    ] {
        let text = rule(body);
        let faults = refused(&text);
        let fault = faults
            .faults()
            .iter()
            .find(|fault| fault.message.contains(message))
            .unwrap_or_else(|| panic!("{message}\n{faults}"));
        assert_eq!(fault.line, Some(line_of(&text, at)), "{faults}");
    }
}

#[test]
fn says_the_line_of_json_too() {
    let text = r#"{
  "version": 1,
  "name": "cases",
  "resources": {
    "case": { "actions": ["read"] }
  },
  "rules": [
    { "id": "one", "effect": "permit", "resource": "case", "actions": ["read"],
      "when": { "all": [
        { "is_set": "resource.id" },
        { "is_set": "resource.owner" }
      ] } }
  ]
}"#;
    let faults = Policy::from_json(text).expect_err("it is refused");
    assert_eq!(faults.faults().len(), 1, "{faults}");
    assert_eq!(faults.faults()[0].line, Some(11), "{faults}");
    assert_eq!(faults.faults()[0].path, "rules[0].when.all[1].is_set");
}

#[test]
fn a_key_that_stands_twice_is_refused_in_both_languages() {
    let text = r#"{"version": 1, "name": "a",
"roles": {"admin": {}, "admin": {"scopes": ["*"]}}}"#;
    let faults = Policy::from_json(text).expect_err("it is refused");
    assert!(faults.to_string().contains("stands twice"), "{faults}");
    assert_eq!(faults.faults()[0].line, Some(2));
    // The same key, spelt otherwise.
    let text = r#"{"version": 1, "name": "a", "roles": {"admin": {}, "\u0061dmin": {}}}"#;
    assert!(Policy::from_json(text).is_err());
    assert!(
        Policy::from_toml("version = 1\nname = \"a\"\n[roles.admin]\n[roles.admin]\n").is_err()
    );
}

#[test]
fn unknown_fields_are_refused() {
    for text in [
        format!("{BASE}\n[role.admin]\n"),
        rule("anyone = true\nunless = { is_set = \"resource.owner\" }"),
        rule("anyone = true\nrole = [\"admin\"]"),
        BASE.replace("[roles.admin]", "[roles.admin]\nscope = [\"*\"]"),
    ] {
        let faults = refused(&text);
        assert!(faults.to_string().contains("unknown field"), "{faults}");
        assert!(faults.faults()[0].line.is_some(), "{faults}");
    }
}

#[test]
fn a_list_is_not_taken_for_a_table() {
    let with = |from: &str, to: &str| {
        assert!(BASE.contains(from), "{from}");
        BASE.replace(from, to)
    };
    for text in [
        // Not a role that inherits, but one with a description.
        with(
            "[roles.admin]",
            "[roles]\nmanager = [\"admin\"]\n[roles.admin]",
        ),
        with(
            "name = \"cases\"",
            "name = \"cases\"\nseparation_of_duty = [[\"a\", \"static\", [\"admin\"], 1]]",
        ),
        format!("{BASE}\n[relations]\nteams = [\"text\", \"teams\"]\n"),
        format!(
            "{BASE}\n[resources.other]\nactions = [\"read\"]\nattributes.owner = [\"text\", \"owner_id\"]\n"
        ),
        format!("{BASE}\n[resources]\nother = [[\"read\"]]\n"),
        format!("{BASE}\n[resources.other]\nactions = [\"read\"]\ntable = [\"others\"]\n"),
        format!(
            "{BASE}\n[resources.other]\nactions = [\"read\"]\ntable = {{ name = \"others\", commands = [\"read\"] }}\n"
        ),
        rule("anyone = true\nobligations = [\"internal\"]"),
    ] {
        let faults = refused(&text);
        let fault = &faults.faults()[0];
        let is_told = ["expected a table", "or a table with type"]
            .iter()
            .any(|message| fault.message.contains(message));
        assert!(is_told && fault.line.is_some(), "{faults}\n{text}");
    }
    assert!(Policy::from_json("[1, \"a\"]").is_err());
    let cases = "[[cases]]\nname = \"a\"\nsubject = [\"u1\"]\naction = \"read\"\nresource = { type = \"case\" }\nexpect = \"forbid\"";
    assert!(Cases::from_toml(cases).is_err());
}

#[test]
fn a_condition_that_is_null_is_not_taken_for_none() {
    let rule = |more: &str| {
        format!(
            r#"{{ "version": 1, "name": "null", "roles": {{ "a": {{}} }}, "resources": {{ "case": {{ "actions": ["read"] }} }},
            "rules": [{{ "id": "one", "effect": "permit", "resource": "case", "actions": ["read"], "roles": ["a"]{more} }}] }}"#
        )
    };
    assert!(Policy::from_json(&rule("")).is_ok());
    assert!(Policy::from_json(&rule(r#", "when": { "is_set": "subject.id" }"#)).is_ok());
    assert!(Policy::from_json(&rule(r#", "when": null"#)).is_err());
}

#[test]
fn what_a_row_keeps_stands_in_a_column_of_a_table() {
    let document = |attribute: AttributeDefinition, has_table: bool| {
        let mut case = ResourceDefinition::new(["read"]).attribute("level", attribute);
        if has_table {
            case = case.table(TableDefinition::new("cases"));
        }
        PolicyDocument::new("kept").resource("case", case)
    };
    let level = || AttributeDefinition::new("text");
    for (attribute, has_table, is_good) in [
        (level().fixed(), true, true),
        (
            AttributeDefinition::in_column("text", "l").fixed(),
            true,
            true,
        ),
        (level().fixed(), false, false),
        (AttributeDefinition::computed("text").fixed(), true, false),
    ] {
        let judged = Policy::new(document(attribute.clone(), has_table));
        assert_eq!(judged.is_ok(), is_good, "{attribute:?}");
        let Ok(policy) = judged else {
            continue;
        };
        let column = policy.tables()[0]
            .columns
            .last()
            .cloned()
            .expect("a column");
        assert!(column.is_fixed);
        // As a text it is the same, and not that of one which may be changed.
        let text = serde_json::to_string(policy.document()).expect("a text");
        let read = Policy::from_json(&text).expect("a policy");
        assert_eq!(read.hash(), policy.hash(), "{text}");
        let mut free = attribute;
        free.fixed = false;
        let free = Policy::new(document(free, true)).expect("a policy");
        assert_ne!(free.hash(), policy.hash());
        assert!(
            !free.tables()[0]
                .columns
                .iter()
                .any(|column| column.is_fixed)
        );
    }
}

#[test]
fn cycles_of_roles_are_refused() {
    for (text, role) in [
        ("[roles.a]\ninherits = [\"a\"]", "\"a\""),
        (
            "[roles.a]\ninherits = [\"b\"]\n[roles.b]\ninherits = [\"c\"]\n[roles.c]\ninherits = [\"a\"]",
            "\"b\"",
        ),
    ] {
        let faults = refused(&format!("version = 1\nname = \"x\"\n{text}\n"));
        let told = faults.to_string();
        assert!(
            told.contains("inherits itself") && told.contains(role),
            "{told}"
        );
    }
}

#[test]
fn names_that_look_like_others_are_refused() {
    // The first letter is Cyrillic.
    let faults = refused("version = 1\nname = \"x\"\n[roles.\"\u{430}dmin\"]\n");
    assert!(
        faults.to_string().contains("letters of other scripts"),
        "{faults}"
    );
    for (text, what) in [
        ("[resources.Case]\nactions = [\"read\"]", "type of resource"),
        ("[resources.case]\nactions = [\"re-ad\"]", "action"),
        (
            "[resources.case]\nactions = [\"read\"]\nattributes.\"a;b\" = \"text\"",
            "attribute",
        ),
        (
            "[resources.case]\nactions = [\"read\"]\ntable.name = \"cases; DROP TABLE x\"",
            "table",
        ),
        (
            "[resources.case]\nactions = [\"read\"]\nattributes.a = { type = \"text\", column = \"a\\\" OR 1\" }",
            "column",
        ),
    ] {
        let faults = refused(&format!("version = 1\nname = \"x\"\n{text}\n"));
        assert!(faults.to_string().contains(what), "{faults}");
    }
}

#[test]
fn a_rule_that_is_wholly_forbidden_is_told() {
    let text = format!(
        "{}\n[[rules]]\nid = \"never\"\neffect = \"forbid\"\nresource = \"case\"\nactions = [\"*\"]\n",
        rule("roles = [\"analyst\"]")
    );
    let faults = refused(&text);
    assert!(
        faults
            .to_string()
            .contains("all that it permits is forbidden"),
        "{faults}"
    );
}

#[test]
fn separations_that_contradict_roles_are_told() {
    let text = "version = 1\nname = \"x\"\n[roles.a]\n[roles.b]\n[roles.c]\ninherits = [\"a\", \"b\"]\n[[separation_of_duty]]\nname = \"ab\"\nkind = \"static\"\nroles = [\"a\", \"b\"]\n";
    let faults = refused(text);
    assert!(
        faults
            .to_string()
            .contains("nobody could ever have the role \"c\""),
        "{faults}"
    );
    let text = "version = 1\nname = \"x\"\n[roles.a]\n[roles.b]\n[[separation_of_duty]]\nname = \"ab\"\nkind = \"dynamic\"\nroles = [\"a\", \"b\"]\nat_most = 2\n";
    assert!(refused(text).to_string().contains("separates nothing"));
}

#[test]
fn ten_megabytes_are_refused_before_they_are_read() {
    let text = format!("version = 1\nname = \"x\"\n#{}", "x".repeat(10_000_000));
    for faults in [
        refused(&text),
        Policy::from_json(&text).expect_err("it is refused"),
    ] {
        assert!(
            faults.to_string().contains(&MAX_POLICY_BYTES.to_string()),
            "{faults}"
        );
    }
}

#[test]
fn conditions_that_are_nested_deep_are_refused() {
    for depth in [33, 100, 100_000] {
        let deep = format!(
            "{}{{\"is_set\":\"resource.owner\"}}{}",
            "{\"not\":".repeat(depth),
            "}".repeat(depth)
        );
        let text = format!(
            r#"{{"version":1,"name":"x","resources":{{"case":{{"actions":["read"],"attributes":{{"owner":"text"}}}}}},
            "rules":[{{"id":"a","effect":"permit","resource":"case","actions":["read"],"when":{deep}}}]}}"#
        );
        let faults = Policy::from_json(&text).expect_err("it is refused");
        assert!(faults.to_string().len() < 4096);
        let deep = format!(
            "{}\"resource.owner\"{}",
            "{ not = ".repeat(depth),
            " }".repeat(depth)
        );
        let text = rule(&format!("when = {deep}"));
        assert!(refused(&text).to_string().len() < 4096);
    }
}

#[test]
fn all_faults_are_told_at_once_and_not_more_than_fifty() {
    let rules = "[[rules]]\nid = \"x\"\neffect = \"permit\"\nresource = \"none\"\nactions = []\n"
        .repeat(200);
    let faults = refused(&format!("{BASE}{rules}"));
    assert_eq!(faults.faults().len(), 51);
    assert!(
        faults
            .faults()
            .iter()
            .any(|fault| fault.message.starts_with("and "))
    );
}

#[test]
fn another_version_is_refused() {
    let faults = refused("version = 2\nname = \"x\"\n");
    assert!(
        faults.to_string().contains("version 2 is not known"),
        "{faults}"
    );
    assert!(Policy::from_toml("name = \"x\"\n").is_err());
}

#[test]
fn the_hash_is_that_of_what_is_said() {
    let policy = Policy::from_toml(ready::ROWS).expect("a policy");
    let json = serde_json::to_string_pretty(policy.document()).expect("a text");
    let same = Policy::from_json(&json).expect("a policy");
    assert_eq!(policy.hash(), same.hash());
    assert_eq!(policy.document(), same.document());
    let commented = format!("# hello\n{}", ready::ROWS);
    assert_eq!(
        Policy::from_toml(&commented).expect("a policy").hash(),
        policy.hash()
    );
    let changed = ready::ROWS.replace("rank = 40", "rank = 41");
    assert_ne!(
        Policy::from_toml(&changed).expect("a policy").hash(),
        policy.hash()
    );
    assert_eq!(policy.hash().to_string().len(), 64);
}

#[test]
fn dots_and_brackets_nest_no_deeper_than_they_may_together() {
    // Each by itself is within what the parser permits.
    let dotted = "not.".repeat(70);
    for layers in [2, 40, 70] {
        let deep = format!(
            "{}{{ is_set = \"resource.owner\" }}{}",
            format!("{{ {dotted}not = ").repeat(layers),
            " }".repeat(layers)
        );
        let faults = refused(&rule(&format!("when = {deep}")));
        assert!(faults.to_string().contains("nested deeper"), "{faults}");
    }
}

#[test]
fn cases_that_are_nested_deep_are_refused() {
    let nested = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    let error = Cases::from_toml(&nested).expect_err("too deep");
    assert!(error.to_string().contains("nested deeper"), "{error}");
}

#[test]
fn a_table_is_that_of_one_type_or_relation() {
    let two = "[resources.a]\nactions = [\"read\"]\ntable.name = \"t\"\n[resources.b]\nactions = [\"read\"]\ntable.name = \"t\"\n";
    let shared = "[resources.a]\nactions = [\"read\"]\ntable.name = \"t\"\n[relations.owns]\nvalue = \"text\"\ntable = \"t\"\n";
    let other_subject = "[relations.a]\nvalue = \"text\"\ntable = \"t\"\n[relations.b]\nvalue = \"text\"\ntable = \"t\"\nsubject_column = \"other\"\n";
    for text in [two, shared, other_subject] {
        let faults = refused(&format!("version = 1\nname = \"x\"\n{text}"));
        assert!(faults.to_string().contains("the table \"t\""), "{faults}");
    }
    let same = "[relations.a]\nvalue = \"text\"\ntable = \"t\"\nvalue_column = \"v\"\n[relations.b]\nvalue = \"text\"\ntable = \"t\"\nvalue_column = \"w\"\n";
    assert!(Policy::from_toml(&format!("version = 1\nname = \"x\"\n{same}")).is_ok());
}

#[test]
fn a_small_text_that_would_take_all_memory_is_refused() {
    let actions: Vec<String> = (0..256).map(|number| format!("\"a{number}\"")).collect();
    let roles: String = (0..256)
        .map(|number| format!("[roles.r{number}]\n"))
        .collect();
    let names: Vec<String> = (0..256).map(|number| format!("\"r{number}\"")).collect();
    let constants: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
    let text = format!(
        "version = 1\nname = \"x\"\n{roles}\n[resources.c]\nactions = [{}]\nattributes.n = \"integer\"\n[[rules]]\nid = \"r\"\neffect = \"permit\"\nresource = \"c\"\nactions = [\"*\"]\nroles = [{}]\nwhen = {{ in = [\"resource.n\", [{}]] }}\n",
        actions.join(", "),
        names.join(", "),
        constants.join(", ")
    );
    let faults = refused(&text);
    assert!(
        faults
            .to_string()
            .contains("combinations of action, role and constant"),
        "{faults}"
    );
}

#[test]
fn long_names_make_no_long_faults() {
    let name = "x".repeat(2_000_000);
    let scopes = "\"a b\", ".repeat(2000);
    let text = format!("version = 1\nname = \"x\"\n[roles.\"{name}\"]\nscopes = [{scopes}]\n");
    let faults = refused(&text);
    assert!(
        faults.to_string().len() < 200_000,
        "{}",
        faults.to_string().len()
    );
}
