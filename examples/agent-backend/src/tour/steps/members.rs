//! Who is what, and which cases that lets them see.

use serde_json::json;

use crate::tour::Tour;
use crate::tour::client::{Ask, Client};
use crate::tour::expect::Expect;
use crate::tour::forge::{ALPHA, Forge, Who};

const SCOPES: &[&str] = &[
    "cases:read",
    "cases:write",
    "settings:read",
    "settings:write",
];

/// Somebody of one organisation, with every scope that there is: what they may do, the policy says.
const fn member(subject: &'static str) -> Who {
    Who {
        subject,
        tenant: Some(("initech", None)),
        scopes: SCOPES,
        ..ALPHA
    }
}

/// The first administrator, whom the development issuer names one.
const ROOT: Who = Who {
    roles: &["admin"],
    ..member("root")
};

/// The same person elsewhere.
const ROOT_ELSEWHERE: Who = Who {
    tenant: Some(("globex", None)),
    ..ROOT
};

/// What the people of this chapter send.
struct Tokens {
    root: String,
    maya: String,
    anna: String,
    vera: String,
}

pub(crate) async fn run(tour: &mut Tour, client: &Client, forge: &Forge) {
    tour.area("Members and what they see");
    let tokens = Tokens {
        root: forge.good(&ROOT),
        maya: forge.good(&member("maya")),
        anna: forge.good(&member("anna")),
        vera: forge.good(&member("vera")),
    };
    let sales = create(tour, client, &tokens.anna, "sales").await;
    let legal = create(tour, client, &tokens.anna, "legal").await;
    climbing(tour, client, forge, &tokens).await;
    manager(tour, client, &tokens, &sales, &legal).await;
    viewer(tour, client, &tokens, &sales).await;
    ending(tour, client, &tokens, &sales).await;
}

/// Somebody to whom nobody gave a role makes a case of their own; its path.
async fn create(tour: &mut Tour, client: &Client, token: &str, department: &str) -> String {
    let new = json!({ "title": department, "body": "", "department": department });
    let ask = Ask::new("POST", "/api/cases").bearer(token);
    let ask = ask.json(new.to_string());
    let tried = format!("an analyst makes a case of the department {department}");
    let created = Expect::status(201).json("/department", department);
    let answer = tour.ask(&tried, client, ask, created).await;
    format!("/api/cases/{}", answer.text("/id"))
}

fn path(subject: &str) -> String {
    format!("/v1/orgs/initech/members/{subject}")
}

fn becomes(token: &str, subject: &str, roles: &[&str], departments: &[&str]) -> Ask {
    let wanted = json!({ "roles": roles, "departments": departments });
    let ask = Ask::new("PUT", path(subject)).bearer(token);
    ask.json(wanted.to_string())
}

/// How people try to become more than they are.
async fn climbing(tour: &mut Tour, client: &Client, forge: &Forge, tokens: &Tokens) {
    let steps = [
        (
            "an analyst makes herself an administrator",
            becomes(&tokens.anna, "anna", &["admin"], &[]),
            Expect::status(403),
        ),
        (
            "an analyst looks who is what",
            Ask::get(path("root")).bearer(&tokens.anna),
            Expect::status(403),
        ),
        (
            "another organisation's administrator does it for her",
            becomes(&forge.good(&ROOT_ELSEWHERE), "anna", &["admin"], &[]),
            Expect::status(404),
        ),
        (
            "a role that there is not",
            becomes(&tokens.root, "anna", &["superuser"], &[]),
            Expect::status(422).says("admin, analyst, manager, viewer"),
        ),
        (
            "a role that looks like one",
            becomes(&tokens.root, "anna", &["\u{430}dmin"], &[]),
            Expect::status(422),
        ),
        (
            "a role in other letters",
            becomes(&tokens.root, "anna", &["ADMIN"], &[]),
            Expect::status(422),
        ),
        (
            "a department with a line break in its name",
            becomes(&tokens.root, "anna", &[], &["sa\nles"]),
            Expect::status(400),
        ),
        (
            "a member of what nobody knows",
            Ask::new("PUT", path("anna"))
                .bearer(&tokens.root)
                .json(r#"{"roles":[],"departments":[],"clearance":"restricted"}"#),
            Expect::status(400),
        ),
        (
            "after all of this she is nothing",
            Ask::get(path("anna")).bearer(&tokens.root),
            Expect::status(200)
                .json("/roles", json!([]))
                .json("/departments", json!([])),
        ),
    ];
    for (tried, ask, expect) in steps {
        tour.ask(tried, client, ask, expect).await;
    }
}

async fn manager(tour: &mut Tour, client: &Client, tokens: &Tokens, sales: &str, legal: &str) {
    let Tokens { root, maya, .. } = tokens;
    let patch = |path: &str| {
        let ask = Ask::new("PATCH", path).bearer(maya);
        ask.json(r#"{"status":"closed"}"#)
    };
    let steps = [
        (
            "a colleague without a role reads somebody else's case",
            Ask::get(sales).bearer(maya),
            Expect::status(404),
        ),
        ("changes it", patch(sales), Expect::status(404)),
        (
            "and finds it in no list",
            Ask::get("/api/cases").bearer(maya),
            Expect::status(200).json("/cases", json!([])),
        ),
        (
            "an administrator makes her the manager of sales",
            becomes(root, "maya", &["manager"], &["sales"]),
            Expect::status(200)
                .json("/roles", json!(["manager"]))
                .json("/departments", json!(["sales"])),
        ),
        (
            "with the same token she reads the case of sales",
            Ask::get(sales).bearer(maya),
            Expect::status(200).json("/created_by", "anna"),
        ),
        (
            "and not that of legal",
            Ask::get(legal).bearer(maya),
            Expect::status(404),
        ),
        (
            "she changes it",
            patch(sales),
            Expect::status(200).json("/status", "closed"),
        ),
        (
            "deletes it, which managers do not",
            Ask::new("DELETE", sales).bearer(maya),
            Expect::status(403),
        ),
        (
            "makes a case of a department that is not hers",
            Ask::new("POST", "/api/cases")
                .bearer(maya)
                .json(r#"{"title":"t","body":"","department":"legal"}"#),
            Expect::status(403),
        ),
        (
            "finds the one of sales, among all words",
            Ask::new("POST", "/v1/discover")
                .bearer(maya)
                .json(r#"{"text":"l"}"#),
            Expect::status(200)
                .json("/looked_at", 1)
                .json("/cases/0/title", "sales"),
        ),
    ];
    for (tried, ask, expect) in steps {
        tour.ask(tried, client, ask, expect).await;
    }
}

async fn viewer(tour: &mut Tour, client: &Client, tokens: &Tokens, sales: &str) {
    let Tokens {
        root,
        maya,
        anna,
        vera,
    } = tokens;
    let assignment = format!("{sales}/assignments/vera");
    let assign = |token: &str| Ask::new("PUT", assignment.as_str()).bearer(token);
    let steps = [
        (
            "an administrator makes somebody a viewer",
            becomes(root, "vera", &["viewer"], &[]),
            Expect::status(200).json("/roles", json!(["viewer"])),
        ),
        (
            "a viewer makes a case",
            Ask::new("POST", "/api/cases")
                .bearer(vera)
                .json(r#"{"title":"t","body":""}"#),
            Expect::status(403),
        ),
        (
            "reads one that nobody assigned to her",
            Ask::get(sales).bearer(vera),
            Expect::status(404),
        ),
        ("assigns it to herself", assign(vera), Expect::status(404)),
        (
            "an analyst assigns her own case, which managers do",
            assign(anna),
            Expect::status(403),
        ),
        ("a manager assigns it", assign(maya), Expect::status(204)),
        ("and once more", assign(maya), Expect::status(204)),
        (
            "the viewer reads it",
            Ask::get(sales).bearer(vera),
            Expect::status(200).json("/title", "sales"),
        ),
        (
            "finds it in her list",
            Ask::get("/api/cases").bearer(vera),
            Expect::status(200).json("/cases/0/title", "sales"),
        ),
        (
            "changes it",
            Ask::new("PATCH", sales)
                .bearer(vera)
                .json(r#"{"status":"open"}"#),
            Expect::status(403),
        ),
        (
            "the manager takes it back",
            Ask::new("DELETE", assignment.as_str()).bearer(maya),
            Expect::status(204),
        ),
        (
            "the viewer reads it once more",
            Ask::get(sales).bearer(vera),
            Expect::status(404),
        ),
    ];
    for (tried, ask, expect) in steps {
        tour.ask(tried, client, ask, expect).await;
    }
}

async fn ending(tour: &mut Tour, client: &Client, tokens: &Tokens, sales: &str) {
    let Tokens { root, maya, .. } = tokens;
    let steps = [
        (
            "the manager is one no more",
            becomes(root, "maya", &[], &["sales"]),
            Expect::status(200).json("/roles", json!([])),
        ),
        (
            "with the same token she reads nothing of sales",
            Ask::get(sales).bearer(maya),
            Expect::status(404),
        ),
        (
            "an administrator deletes it",
            Ask::new("DELETE", sales).bearer(root),
            Expect::status(204),
        ),
    ];
    for (tried, ask, expect) in steps {
        tour.ask(tried, client, ask, expect).await;
    }
}
