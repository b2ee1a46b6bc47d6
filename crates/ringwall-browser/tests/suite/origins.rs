use ringwall_browser::{Error, Origin};

fn origin(text: &str) -> Origin {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn has_the_one_form_that_browsers_send() {
    let forms = [
        ("https://app.example.com", "https://app.example.com"),
        ("HTTPS://App.Example.COM", "https://app.example.com"),
        ("https://app.example.com:443", "https://app.example.com"),
        ("http://app.example.com:80", "http://app.example.com"),
        ("https://app.example.com:80", "https://app.example.com:80"),
        (
            "https://app.example.com:08443",
            "https://app.example.com:8443",
        ),
        ("https://Bücher.example", "https://xn--bcher-kva.example"),
        ("https://faß.example", "https://xn--fa-hia.example"),
        (
            "https://XN--BCHER-KVA.example",
            "https://xn--bcher-kva.example",
        ),
        ("https://example.com.", "https://example.com."),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("http://[0:0::1]:3000", "http://[::1]:3000"),
        ("https://my_app.example.com", "https://my_app.example.com"),
    ];
    for (text, form) in forms {
        assert_eq!(origin(text).as_str(), form, "{text}");
        assert_eq!(origin(form).to_string(), form);
    }
}

#[test]
fn tells_its_parts() {
    let usual = origin("https://app.example.com");
    assert_eq!((usual.scheme(), usual.host()), ("https", "app.example.com"));
    assert_eq!((usual.port(), usual.is_secure()), (443, true));
    let plain = origin("http://[::1]:3000");
    assert_eq!((plain.scheme(), plain.host()), ("http", "[::1]"));
    assert_eq!((plain.port(), plain.is_secure()), (3000, false));
    assert_eq!(origin("http://example.com").port(), 80);
}

#[test]
fn is_nothing_but_a_scheme_a_host_and_a_port() {
    let long = format!("https://{}.example.com", "a".repeat(64));
    let longer = format!("https://{}com", "abcdefg.".repeat(40));
    let longest = format!("https://example.com:{}443", "0".repeat(2000));
    let texts = [
        "",
        "null",
        "*",
        "example.com",
        "//example.com",
        "https:example.com",
        "https:/example.com",
        "https://",
        "https:///",
        "https://:443",
        "https://example.com/",
        "https://example.com/path",
        "https://example.com?query",
        "https://example.com#fragment",
        "https://example.com\\",
        "https://user@example.com",
        "https://user:password@example.com",
        "https://@example.com",
        "https://example.com:",
        "https://example.com:65536",
        "https://example.com:-1",
        "https://example.com: 443",
        " https://example.com",
        "\thttps://example.com",
        "ht\ttps://example.com",
        "https://example.com ",
        "https://exam ple.com",
        "https://example.com\t",
        "https://exa\tmple.com",
        "https://example.com\n",
        "https://example.com\0",
        "https://ex%61mple.com",
        "https://*.example.com",
        "https://exa<mple.com",
        "https://example.com,https://evil.test",
        "https://example.com;script-src",
        "https://example.com\"",
        "https://example.com'",
        "https://exam(ple).com",
        "https://exam&ple.com",
        "https://[::1",
        "https://[::1%25eth0]",
        "https://256.0.0.1",
        "ftp://example.com",
        "file://",
        "data://example.com",
        "wss://example.com",
        "chrome-extension://abcdefghijklmnop",
        "capacitor://localhost",
        &long,
        &longer,
        &longest,
    ];
    for text in texts {
        let read = text.parse::<Origin>();
        assert_eq!(read, Err(Error::InvalidOrigin), "{text:?}");
    }
}

#[test]
fn what_was_received_must_be_in_that_form_already() {
    for text in ["https://app.example.com", "http://127.0.0.1:3000"] {
        assert_eq!(Origin::received(text.as_bytes()), Ok(origin(text)));
    }
    let long = format!("https://example.com:{}8443", "0".repeat(300));
    for text in [
        "https://app.example.com:443",
        "https://APP.example.com",
        "HTTPS://app.example.com",
        "https://Bücher.example",
        "https://0x7f.1",
        "https://[0::1]",
        "null",
        &long,
    ] {
        let read = Origin::received(text.as_bytes());
        assert_eq!(read, Err(Error::InvalidOrigin), "{text}");
    }
    let read = Origin::received(b"https://\xff.example.com");
    assert_eq!(read, Err(Error::InvalidOrigin));
}

#[test]
fn knows_this_machine() {
    for text in [
        "http://localhost:3000",
        "https://localhost",
        "http://app.localhost",
        "http://127.0.0.1",
        "http://127.9.9.9",
        "http://[::1]",
    ] {
        assert!(origin(text).is_loopback(), "{text}");
    }
    for text in [
        "http://localhost.example.com",
        "http://notlocalhost",
        "http://localhost.",
        "http://128.0.0.1",
        "http://[::2]",
        "http://0.0.0.0",
        "http://127.0.0.1.example.com",
    ] {
        assert!(!origin(text).is_loopback(), "{text}");
    }
}
