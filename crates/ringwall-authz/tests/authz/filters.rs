//! Row filters and row-level security as texts, without a database.

use ringwall_authz::{
    AttributeDefinition, Cause, Commands, Condition, Dialect, FilterError, MAX_FILTER_RULES,
    Operand, Policy, PolicyDocument, RelationDefinition, ResourceDefinition, RoleDefinition,
    RowFilter, RowLevelSecurityOptions, Rule, RuleObligations, SeparationOfDuty, SqlValue,
    SqlWriter, SubjectBuilder, TableDefinition,
};
use ringwall_core::classification::{Obligation, Sensitivity};

use crate::people::{now, somebody};

fn document() -> PolicyDocument {
    PolicyDocument::new("filters")
        .role("author", RoleDefinition::new())
        .role("approver", RoleDefinition::new())
        .separate(SeparationOfDuty::dynamic("two", ["author", "approver"]))
        .subject_attribute("team", "text")
        .subject_attribute("regions", "text_set")
        .relation(
            "departments",
            RelationDefinition::new("text").table("user_departments", "department"),
        )
        .relation("friends", RelationDefinition::new("text"))
        .resource(
            "case",
            ResourceDefinition::new(["read", "delete"])
                .attribute("owner", AttributeDefinition::new("text"))
                .attribute("region", AttributeDefinition::new("text"))
                .attribute("flag", AttributeDefinition::new("boolean"))
                .attribute("score", AttributeDefinition::computed("integer"))
                .table(TableDefinition::new("cases").commands(Commands::new().select("read"))),
        )
        .resource("note", ResourceDefinition::new(["read"]))
}

fn policy(rules: impl IntoIterator<Item = Rule>) -> Policy {
    let document = rules.into_iter().fold(document(), PolicyDocument::rule);
    Policy::new(document).expect("a policy")
}

fn permit(condition: Condition) -> Rule {
    Rule::permit("permit", "case", ["read"]).when(condition)
}

fn forbid(condition: Condition) -> [Rule; 2] {
    let everybody = Rule::permit("everybody", "case", ["read"]).anyone();
    [
        everybody,
        Rule::forbid("forbid", "case", ["read"]).when(condition),
    ]
}

fn filter_of(policy: &Policy, subject: SubjectBuilder) -> Result<RowFilter, FilterError> {
    policy.filter(&subject.build(), "read", "case", &policy.context(now()))
}

/// What comes out for somebody of whom nothing is known.
fn filter(policy: &Policy) -> Result<RowFilter, FilterError> {
    filter_of(policy, somebody(policy, "u1"))
}

fn cause(filter: Result<RowFilter, FilterError>) -> Cause {
    match filter {
        Ok(RowFilter::Nothing(cause)) => cause,
        other => panic!("{other:?}"),
    }
}

/// The text, with a `?` for each value.
#[derive(Default)]
struct Text(String);

impl SqlWriter for Text {
    fn text(&mut self, sql: &str) {
        self.0.push_str(sql);
    }

    fn bind(&mut self, _: SqlValue) {
        self.0.push('?');
    }
}

fn text(filter: &RowFilter, dialect: Dialect) -> String {
    let mut text = Text::default();
    let rows = filter.rows().expect("there may be rows");
    rows.write(dialect, None, &mut text);
    text.0
}

#[test]
fn what_no_column_holds_is_neither_filtered_nor_secured() {
    let options = RowLevelSecurityOptions::new("runtime").expect("a name");
    let computed = || Condition::gt("resource.score", 3_i64);
    for (condition, what) in [
        (computed(), "resource.score, which is computed"),
        (
            Condition::any([
                Condition::eq("resource.flag", true),
                Condition::not(computed()),
            ]),
            "resource.score, which is computed",
        ),
        (
            Condition::is_set("resource.score"),
            "resource.score, which is computed",
        ),
        (
            Condition::related("friends", "resource.owner"),
            "the relation friends, which has no table",
        ),
    ] {
        for rules in [vec![permit(condition.clone())], forbid(condition).to_vec()] {
            let rule = rules.last().expect("a rule").id.as_str().into();
            let expected = FilterError::NotPushable {
                rule,
                what: what.into(),
            };
            let policy = policy(rules);
            let subject = somebody(&policy, "u1").related_in_database("friends");
            let filtered = filter_of(&policy, subject);
            assert_eq!(filtered.expect_err("no column holds it"), expected);
            let secured = policy.row_level_security(&options);
            assert_eq!(secured.expect_err("no column holds it"), expected);
        }
    }
}

#[test]
fn what_the_policy_does_not_name_has_no_filter() {
    let policy = policy([]);
    let subject = somebody(&policy, "u1").build();
    let context = policy.context(now());
    for (action, resource, expected) in [
        ("read", "nothing", FilterError::UnknownResourceType),
        ("write", "case", FilterError::UnknownAction),
        ("read", "note", FilterError::NoTable),
    ] {
        let filtered = policy.filter(&subject, action, resource, &context);
        assert_eq!(filtered.expect_err("it is not named"), expected);
    }
    let other = Policy::new(document()).expect("a policy");
    let others = somebody(&other, "u1").build();
    for (subject, context) in [(&others, &context), (&subject, &other.context(now()))] {
        let filtered = policy.filter(subject, "read", "case", context);
        assert_eq!(filtered.expect_err("another's"), FilterError::OtherPolicy);
    }
}

#[test]
fn more_rules_than_one_statement_holds_are_refused() {
    let rules = |number: usize| {
        policy((0..number).map(|number| {
            let owner = Operand::text(format!("u{number}"));
            Rule::permit(format!("rule{number}"), "case", ["read"])
                .when(Condition::eq("resource.owner", owner))
        }))
    };
    let options = RowLevelSecurityOptions::new("runtime").expect("a name");
    let most = rules(MAX_FILTER_RULES);
    assert!(filter(&most).is_ok());
    assert!(most.row_level_security(&options).is_ok());
    let more = rules(MAX_FILTER_RULES + 1);
    let expected = FilterError::TooManyRules {
        action: "case.read".into(),
        number: MAX_FILTER_RULES + 1,
    };
    assert_eq!(filter(&more).expect_err("too many"), expected);
    let secured = more.row_level_security(&options);
    assert_eq!(secured.expect_err("too many"), expected);
}

#[test]
fn a_forbid_that_asks_what_nobody_told_leaves_no_row() {
    let constant = || Operand::text("eu");
    for condition in [
        Condition::eq("subject.team", constant()),
        Condition::ne("resource.region", "subject.team"),
        Condition::member("resource.region", "subject.regions"),
        Condition::related("departments", "resource.region"),
        Condition::not(Condition::related("departments", constant())),
    ] {
        let policy = policy(forbid(condition));
        assert_eq!(cause(filter(&policy)), Cause::ForbiddenByRule);
    }
    // Nor does the database know the pairs of a name that is somebody else's; of one of ours it does.
    let policy_of = || policy(forbid(Condition::related("departments", "resource.region")));
    for (is_foreign, is_asked) in [(true, false), (false, true)] {
        let policy = policy_of();
        let mut subject = somebody(&policy, "u1").related_in_database("departments");
        if is_foreign {
            subject = subject.of_foreign_issuer();
        }
        let filtered = filter_of(&policy, subject).expect("it can be filtered");
        assert_eq!(filtered.rows().is_some(), is_asked, "{filtered:?}");
    }
    // A set that is known to be empty is another thing: what is no member of it is permitted.
    let policy = policy(forbid(Condition::member(constant(), "subject.regions")));
    let told = somebody(&policy, "u1").attribute_is_complete("regions");
    let filtered = filter_of(&policy, told).expect("it can be filtered");
    assert!(matches!(filtered, RowFilter::Tenant(_)), "{filtered:?}");
}

#[test]
fn a_permit_that_asks_what_nobody_told_is_answered_without_the_database() {
    for condition in [
        Condition::eq("resource.region", "subject.team"),
        Condition::not(Condition::eq("resource.region", "subject.team")),
        Condition::member("resource.region", "subject.regions"),
        Condition::related("departments", "resource.region"),
        Condition::all([
            Condition::eq("resource.flag", true),
            Condition::eq("subject.team", Operand::text("a")),
        ]),
    ] {
        let policy = policy([permit(condition)]);
        assert_eq!(cause(filter(&policy)), Cause::NoRuleApplies);
    }
}

#[test]
fn what_is_unknown_stays_so_under_a_negation() {
    // Whatever the flag is, nobody can tell whether the team is another: the negation is never true.
    let policy = policy([permit(Condition::not(Condition::any([
        Condition::eq("resource.flag", true),
        Condition::eq("subject.team", Operand::text("a")),
    ])))]);
    let filtered = filter(&policy).expect("it can be filtered");
    assert_eq!(
        text(&filtered, Dialect::Postgres),
        r#"(("org_id" = ?) AND ((NOT (("flag" = ?) OR (NULL::boolean)))))"#
    );
}

#[test]
fn null_is_no_member_of_nothing_and_not_outside_of_it_either() {
    let related = || Condition::related("departments", "resource.region");
    let pairs = r#"SELECT "r"."department" FROM "user_departments" AS "r" WHERE "r"."user_id" = ? AND "r"."org_id" = ? AND "r"."department" IS NOT NULL"#;
    for (rules, expected) in [
        // Where only what is true matters, the database is asked no more than that.
        (
            vec![permit(related())],
            format!(r#"(("org_id" = ?) AND (("region" IN ({pairs}))))"#),
        ),
        (
            vec![permit(Condition::not(related()))],
            format!(
                r#"(("org_id" = ?) AND ((NOT ("region" IN ({pairs}) OR ("region" IS NULL AND (NULL::boolean))))))"#
            ),
        ),
        (
            forbid(related()).to_vec(),
            format!(
                r#"(("org_id" = ?) AND ((("region" IN ({pairs}) OR ("region" IS NULL AND (NULL::boolean)))) IS FALSE))"#
            ),
        ),
    ] {
        let policy = policy(rules);
        let subject = somebody(&policy, "u1").related_in_database("departments");
        let filtered = filter_of(&policy, subject).expect("it can be filtered");
        assert_eq!(text(&filtered, Dialect::Postgres), expected);
        let options = RowLevelSecurityOptions::new("runtime").expect("a name");
        let secured = policy.row_level_security(&options).expect("it is secured");
        let exact = r#" OR ("region" IS NULL AND (NULL::boolean))"#;
        assert_eq!(secured.contains(exact), expected.contains(exact));
    }
}

#[test]
fn whoever_breaks_a_separation_of_duty_gets_no_row() {
    let policy = policy([Rule::permit("everybody", "case", ["read"]).anyone()]);
    let both = somebody(&policy, "u1").roles(["author", "approver"]);
    assert_eq!(
        cause(filter_of(&policy, both.clone())),
        Cause::SeparationOfDuty
    );
    let one = filter_of(&policy, both.use_roles(["author"]));
    assert!(matches!(one, Ok(RowFilter::Tenant(_))), "{one:?}");
}

#[test]
fn what_any_rule_may_owe_is_owed_for_the_rows() {
    let owing = |id: &str, level: Sensitivity| {
        let obligations = RuleObligations::default().mask_above(level);
        Rule::permit(id, "case", ["read"])
            .when(Condition::eq("resource.owner", Operand::text(id)))
            .owes(obligations)
    };
    let policy = policy([
        owing("a", Sensitivity::Confidential),
        owing("b", Sensitivity::Internal),
        owing("c", Sensitivity::Restricted),
    ]);
    let filtered = filter(&policy).expect("it can be filtered");
    let rows = filtered.rows().expect("there may be rows");
    assert_eq!(
        rows.obligations(),
        [Obligation::MaskAbove(Sensitivity::Internal)]
    );
}
