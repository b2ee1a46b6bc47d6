use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

fn parse(text: &str) -> Result<Document, JsonError> {
    Document::parse(text.as_bytes().to_vec(), Limits::TOKEN)
}

#[test]
fn reads_each_type_and_converts_none() {
    let document =
        parse(r#"{"s":"x","n":7,"m":-7,"f":7.0,"b":true,"z":null,"a":[1,"2"],"o":{"p":"q"}}"#)
            .unwrap();
    let root = document.root();
    assert_eq!(root.get("s").unwrap().as_str(), Some("x"));
    assert_eq!(root.get("n").unwrap().as_u64(), Some(7));
    assert_eq!(root.get("b").unwrap().as_bool(), Some(true));
    assert_eq!(root.get("o").unwrap().get("p").unwrap().as_str(), Some("q"));
    let elements: Vec<_> = root.get("a").unwrap().as_array().unwrap().collect();
    assert_eq!(
        (elements[0].as_u64(), elements[1].as_str()),
        (Some(1), Some("2"))
    );
    for name in ["m", "f", "s", "b", "z", "a", "o"] {
        assert_eq!(root.get(name).unwrap().as_u64(), None, "{name}");
    }
    assert!(root.get("missing").is_none());
    assert_eq!(root.as_object().unwrap().count(), 8);
}

#[test]
fn refuses_duplicate_members_at_every_level_and_in_every_spelling() {
    for text in [
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"b":2,"a":3}"#,
        r#"{"o":{"a":1,"a":2}}"#,
        r#"{"o":[{"a":1,"a":2}]}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"{"\u0061":1,"a":2}"#,
        r#"{"":1,"":2}"#,
    ] {
        assert_eq!(
            parse(text).unwrap_err(),
            JsonError::DuplicateMember,
            "{text}"
        );
    }
    // The same name in different objects is no duplicate.
    assert!(parse(r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}"#).is_ok());
}

#[test]
fn refuses_what_is_not_exactly_one_json_text() {
    for text in [
        "",
        " ",
        "{",
        "{}x",
        "{} {}",
        "\u{feff}{}",
        "{'a':1}",
        "{a:1}",
        r#"{"a":1,}"#,
        "[1,]",
        "NaN",
        r#"{"a":NaN}"#,
        r#"{"a":Infinity}"#,
        r#"{"a":1e999}"#,
        r#"{"a":01}"#,
        r#"{"a":+1}"#,
        r#"{"a":"\ud800"}"#,
        "{\"a\":\"\n\"}",
        r#"{"a":"\x"}"#,
        "/**/{}",
    ] {
        assert_eq!(parse(text).unwrap_err(), JsonError::Syntax, "{text:?}");
    }
    assert_eq!(
        Document::parse(vec![b'"', 0xff, b'"'], Limits::TOKEN).unwrap_err(),
        JsonError::Encoding
    );
    assert_eq!(
        Document::parse(b"\"\xed\xa0\x80\"".to_vec(), Limits::TOKEN).unwrap_err(),
        JsonError::Encoding
    );
}

#[test]
fn holds_its_bounds() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(parse(&deep(16)).is_ok());
    assert_eq!(parse(&deep(17)).unwrap_err(), JsonError::TooLarge);
    let objects =
        |levels: usize| format!("{}{{}}{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
    assert!(parse(&objects(15)).is_ok());
    assert_eq!(parse(&objects(16)).unwrap_err(), JsonError::TooLarge);
    for levels in [100, 200, 1000] {
        assert!(parse(&deep(levels)).is_err());
    }
    let wide = |members: usize| {
        let members: Vec<_> = (0..members).map(|n| format!("\"{n}\":0")).collect();
        format!("{{{}}}", members.join(","))
    };
    assert!(parse(&wide(128)).is_ok());
    assert_eq!(parse(&wide(129)).unwrap_err(), JsonError::TooLarge);
    let list = |elements: usize| format!("[{}]", vec!["0"; elements].join(","));
    assert!(parse(&list(128)).is_ok());
    assert_eq!(parse(&list(129)).unwrap_err(), JsonError::TooLarge);
    assert_eq!(
        parse(&format!("\"{}\"", "x".repeat(8191))).unwrap_err(),
        JsonError::TooLarge
    );
    let nodes = Limits {
        nodes: 4,
        ..Limits::TOKEN
    };
    assert!(Document::parse(b"[1,2,3]".to_vec(), nodes).is_ok());
    assert_eq!(
        Document::parse(b"[1,2,3,4]".to_vec(), nodes).unwrap_err(),
        JsonError::TooLarge
    );
}

#[test]
fn an_object_that_imitates_a_number_is_an_object() {
    // Under serde_json's `arbitrary_precision` the two cannot be told apart; only a signer could
    // make use of that, and the value is still refused wherever a number is not expected.
    let document = parse(r#"{"exp":{"$serde_json::private::Number":"7"}}"#).unwrap();
    let exp = document.root().get("exp").unwrap();
    assert!(exp.as_object().is_some() || exp.as_u64() == Some(7));
    let plain = parse(r#"{"exp":7}"#).unwrap();
    assert_eq!(plain.root().get("exp").unwrap().as_u64(), Some(7));
}

#[test]
fn numbers_are_numbers_whatever_another_crate_switched_on_in_serde_json() {
    for (text, expected) in [
        ("0.5", 0.5),
        ("-7.25", -7.25),
        ("1e3", 1000.0),
        ("1.7e9", 1.7e9),
        ("18446744073709551616", 18_446_744_073_709_551_616.0),
        ("-9223372036854775809", -9_223_372_036_854_775_808.0),
    ] {
        let document = parse(&format!("[{text},{text}]")).unwrap();
        let numbers: Vec<f64> = document.root().deserialize().unwrap();
        assert_eq!(numbers, [expected; 2]);
        assert_eq!(document.nodes.len(), 3, "{text}");
        assert!(document.unescaped.is_empty(), "{text}");
        let first = document.root().as_array().unwrap().next().unwrap();
        assert!(first.as_u64().is_none() && first.as_object().is_none());
    }
    let zero: f64 = parse("-0").unwrap().root().deserialize().unwrap();
    assert!(zero.is_sign_negative());
    for levels in [15, 16] {
        // A number is not a level of nesting.
        let text = format!("{}0.5{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(&text).is_ok());
    }
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Plan {
    Free,
    Paid { seats: u32 },
    Trial(u64),
}

#[derive(Debug, PartialEq, Deserialize)]
struct Custom {
    name: String,
    age: Option<u8>,
    #[serde(default)]
    tags: Vec<String>,
    plan: Plan,
    nested: BTreeMap<String, bool>,
}

#[test]
fn typed_reading_covers_the_forms_of_serde() {
    let text = r#"{"name":"Zo\u00eb","age":null,"plan":{"paid":{"seats":3}},"nested":{"a":true},"ignored":[1,{}]}"#;
    let custom: Custom = parse(text).unwrap().root().deserialize().unwrap();
    assert_eq!(custom.name, "Zoë");
    assert_eq!((custom.age, custom.plan), (None, Plan::Paid { seats: 3 }));
    let plans: Vec<Plan> = parse(r#"["free",{"trial":9}]"#)
        .unwrap()
        .root()
        .deserialize()
        .unwrap();
    assert_eq!(plans, [Plan::Free, Plan::Trial(9)]);
    for text in [
        r#"{"free":1}"#,
        r#"{"a":1,"b":2}"#,
        "7",
        r#""trial""#,
        r#""gold""#,
        r#"{"paid":{"seats":-1}}"#,
    ] {
        assert!(
            parse(text).unwrap().root().deserialize::<Plan>().is_err(),
            "{text}"
        );
    }
}

#[test]
fn a_shape_error_does_not_repeat_the_document() {
    for text in [
        r#"{"name":{"hunter2":1}}"#,
        r#"{"name":"hunter2","plan":"hunter2"}"#,
        r#""hunter2""#,
    ] {
        let error = parse(text)
            .unwrap()
            .root()
            .deserialize::<Custom>()
            .unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::vec((".{0,6}", inner), 0..8)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

#[test]
fn names_that_look_alike_at_a_glance_are_told_apart() {
    // Same length, same bytes at both ends and in the middle; and lengths 256 apart.
    let (short, long) = ("x".repeat(3), "x".repeat(259));
    let text = format!(r#"{{"abcde":1,"axcye":2,"azcze":{{"abcde":4}},"{short}":5,"{long}":6}}"#);
    let document = parse(&text).unwrap();
    let root = document.root();
    assert_eq!(mark("abcde"), mark("axcye"));
    assert_eq!(mark(&short), mark(&long));
    for (name, number) in [("abcde", 1), ("axcye", 2), (&*short, 5), (&*long, 6)] {
        assert_eq!(root.get(name).unwrap().as_u64(), Some(number), "{name}");
    }
    let inner = root.get("azcze").unwrap();
    assert_eq!(inner.get("abcde").unwrap().as_u64(), Some(4));
    assert!(root.get("aucue").is_none() && inner.get("axcye").is_none());
    assert_eq!(
        parse(r#"{"abcde":1,"axcye":2,"abcde":3}"#).unwrap_err(),
        JsonError::DuplicateMember
    );
}

proptest! {
    #[test]
    fn property_finds_exactly_the_members_that_are_there(
        members in prop::collection::btree_map("[a-c\u{e9}]{0,4}", json(), 0..12),
        others in prop::collection::vec("[a-c\u{e9}]{0,4}", 0..12),
    ) {
        let text = serde_json::to_string(&members).unwrap();
        let limits = Limits { bytes: 1 << 20, ..Limits::TOKEN };
        let document = Document::parse(text.into_bytes(), limits).unwrap();
        let root = document.root();
        for name in members.keys().chain(&others) {
            let listed = root.as_object().unwrap().find(|(other, _)| other == name);
            let found = root.get(name).map(|value| value.index);
            prop_assert_eq!(found, listed.map(|(_, value)| value.index));
            prop_assert_eq!(found.is_some(), members.contains_key(name));
        }
    }

    #[test]
    fn property_agrees_with_serde_json_on_what_both_accept(value in json()) {
        let limits = Limits { bytes: 1 << 20, ..Limits::TOKEN };
        let text = value.to_string();
        let document = Document::parse(text.clone().into_bytes(), limits).unwrap();
        let ours: serde_json::Value = document.root().deserialize().unwrap();
        let theirs: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn property_never_panics_and_accepts_no_more_than_serde_json(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let ours = Document::parse(bytes.clone(), Limits::TOKEN);
        if ours.is_ok() {
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
        }
    }
}
