//! What the guides to authorization say to type, and what they say that comes of it.

use core::hash::BuildHasher as _;
use std::hash::RandomState;

use sqlx::{Connection as _, Executor as _, PgConnection};
use url::Url;

use crate::runner::{Answer, World};
use crate::servers::{url_of, without_password};

const ROLES: &str = include_str!("../../../ringwall/src/guide/authorization.md");
const ROWS: &str = include_str!("../../../ringwall/src/guide/row_level_security.md");

/// The blocks of code of both guides, in their order: the language, and the text.
fn blocks() -> Vec<(&'static str, String)> {
    let mut blocks: Vec<(&str, String)> = Vec::new();
    let mut is_open = false;
    for line in ROLES.lines().chain(ROWS.lines()) {
        match (line.strip_prefix("```"), is_open) {
            (Some(language), false) => blocks.push((language, String::new())),
            (Some(_), true) => {}
            (None, true) => {
                let (_, text) = blocks.last_mut().expect("one is open");
                text.push_str(line);
                text.push('\n');
            }
            (None, false) => {}
        }
        is_open ^= line.starts_with("```");
    }
    assert!(!is_open, "a block does not end");
    blocks
}

/// A folder with the files of the guides: the first line of each names it.
fn world(folder: World) -> World {
    for (language, text) in blocks() {
        let name = text.lines().next().and_then(|line| line.strip_prefix("# "));
        if let Some(name) = name.filter(|name| language == "toml" && name.ends_with(".toml")) {
            folder.write(name, &text);
        }
    }
    folder
}

/// The words of a command, as a shell would make them.
fn words(command: &str) -> Vec<String> {
    let pieces = command.split('"').enumerate();
    pieces
        .flat_map(|(number, piece)| match number % 2 {
            0 => piece.split_whitespace().map(str::to_owned).collect(),
            _ => vec![piece.to_owned()],
        })
        .collect()
}

/// The commands of a block of the shell; a backslash goes on.
fn commands(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    joined.lines().map(str::to_owned).collect()
}

fn run(world: &World, words: &[String]) -> Answer {
    let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
    world.bare(&words, "")
}

/// Whether the lines of `expected` stand in `shown`, one after the other; `…` leaves lines, or the rest of one, out.
fn assert_shown(shown: &str, expected: &str) {
    let mut lines = shown.lines();
    let mut may_skip = false;
    for line in expected.lines() {
        if line == "…" {
            may_skip = true;
            continue;
        }
        let is_it = |shown: &str| match line.strip_suffix('…') {
            Some(beginning) => shown.starts_with(beginning),
            None => shown == line,
        };
        let found = if may_skip {
            lines.any(is_it)
        } else {
            lines.next().is_some_and(is_it)
        };
        assert!(found, "{line:?} is not said:\n{shown}");
        may_skip = false;
    }
    assert!(may_skip || lines.next().is_none(), "more is said:\n{shown}");
}

#[test]
fn the_guides_quote_what_the_commands_say() {
    let world = world(World::empty());
    let blocks = blocks();
    let mut compared = 0;
    for (place, (language, text)) in blocks.iter().enumerate() {
        if *language != "sh" {
            continue;
        }
        for command in commands(text) {
            let words = words(&command);
            assert!(
                ["ringwall", "psql"].contains(&words[0].as_str()),
                "{command}"
            );
            // Those with a server are in the other test.
            if words[0] != "ringwall" || command.contains("postgres://") || command.contains('>') {
                continue;
            }
            let answer = run(&world, &words);
            let is_diff = words[2] == "diff";
            assert_eq!(answer.code, i32::from(is_diff), "{command}: {answer:?}");
            if let Some(("text", expected)) = blocks
                .get(place + 1)
                .map(|(language, text)| (*language, text))
            {
                assert_shown(&format!("{}{}", answer.stdout, answer.stderr), expected);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 6, "some answers are not compared any more");
}

#[tokio::test]
async fn the_guides_row_level_security_is_whole_and_the_doctor_sees_what_it_shows() {
    let url = url_of("RINGWALL_TEST_POSTGRES_URL");
    let salt = format!("{:016x}", RandomState::new().hash_one(0_u8));
    let (database, role) = (format!("guide_{salt}"), format!("guide_app_{salt}"));
    let mut admin = PgConnection::connect(url.as_str()).await.expect("a server");
    let create = format!("CREATE DATABASE {database}");
    admin
        .execute(sqlx::AssertSqlSafe(create))
        .await
        .expect("made");
    let mut own = url.clone();
    own.set_path(&database);

    let shown = walk(own, &role).await;

    let drop = format!("DROP DATABASE {database} WITH (FORCE)");
    admin
        .execute(sqlx::AssertSqlSafe(drop))
        .await
        .expect("dropped");
    let drop = format!("DROP ROLE IF EXISTS {role}");
    admin
        .execute(sqlx::AssertSqlSafe(drop))
        .await
        .expect("dropped");
    for (shown, expected) in shown {
        assert_shown(&shown, &expected);
    }
}

/// Does what the guide says, and answers what was said and what it says that is said.
async fn walk(url: Url, role: &str) -> Vec<(String, String)> {
    let mut owner = PgConnection::connect(url.as_str()).await.expect("a server");
    let (url, password) = without_password(url);
    let world = world(World::empty().secret(&password));
    world.write("owner-password", &password);
    let blocks = blocks();
    let text_of = |language: &str, beginning: &str| {
        let mut texts = blocks.iter().filter(|(own, _)| *own == language);
        let found = texts.find(|(_, text)| text.starts_with(beginning));
        found.unwrap_or_else(|| panic!("no {beginning}")).1.clone()
    };
    let mut written = String::new();
    for command in commands(&text_of("sh", "psql ")) {
        let command = command
            .replace("postgres://desk_owner@db.example.com/desk", &url)
            .replace("desk_app", role);
        let words = words(&command);
        let sql = match (words[0].as_str(), words.last().map(String::as_str)) {
            ("psql", _) if command.contains("tables.sql") => text_of("sql", "CREATE TABLE"),
            ("psql", _) => {
                assert!(command.contains("-f rls.sql"), "{command}");
                written.clone()
            }
            ("ringwall", Some("rls.sql")) => {
                let [rls @ .., arrow, _] = words.as_slice() else {
                    panic!("{command}");
                };
                assert_eq!(arrow, ">");
                written = run(&world, rls).done().stdout;
                continue;
            }
            ("ringwall", _) => {
                run(&world, &words).done();
                continue;
            }
            _ => panic!("{command}"),
        };
        owner
            .execute(sqlx::AssertSqlSafe(sql))
            .await
            .expect("it runs");
    }
    let doctor = commands(&text_of("sh", "ringwall policy doctor"));
    let doctor = doctor[0]
        .replace("postgres://desk_owner@db.example.com/desk", &url)
        .replace("desk_app", role);
    let healthy = run(&world, &words(&doctor)).done();
    let harm = format!(
        "ALTER TABLE cases NO FORCE ROW LEVEL SECURITY; CREATE VIEW public.open_cases AS SELECT * FROM cases;
        GRANT SELECT ON public.open_cases TO {role}"
    );
    owner
        .execute(sqlx::AssertSqlSafe(harm))
        .await
        .expect("harmed");
    let harmed = run(&world, &words(&doctor));
    owner.close().await.expect("it closes");
    assert_eq!(harmed.code, 1, "{harmed:?}");
    vec![
        (
            format!("{}{}", healthy.stdout, healthy.stderr),
            text_of("text", "nothing was found"),
        ),
        (harmed.stdout, text_of("text", "HOLE")),
    ]
}
