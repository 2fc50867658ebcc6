//! What is wrong, where it is said to be, and in which words.
//!
//! The cases stand in `refused.txt`: `-` lines of the good file are replaced by the `+`
//! lines, or those are added at its end, and the `!` lines must be the errors.

use super::*;

const CASES: &str = include_str!("refused.txt");

/// Changes the good file; the errors wanted and those that came, where they differ.
fn mismatch(case: &str) -> Option<String> {
    let lines = |mark: &str| -> Vec<&str> {
        case.lines().filter_map(|line| line.strip_prefix(mark)).collect()
    };
    let text = changed(&lines("- ").join("\n"), &lines("+ ").join("\n"));
    let came = errors(text);
    (came != lines("! ")).then(|| format!("{case}\ncame:\n! {}\n", came.join("\n! ")))
}

#[test]
fn every_mistake_is_named_and_placed() {
    let cases = CASES.split("\n\n").filter(|case| !case.starts_with('#'));
    assert!(cases.clone().count() > 100);
    let mismatches: Vec<String> = cases.filter_map(mismatch).collect();
    assert!(mismatches.is_empty(), "{}", mismatches.join("\n"));
}

#[test]
fn files_that_are_no_configuration() {
    let missing = read(Path::new("meridian.toml"), &MemoryFiles::default()).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "meridian.toml: the file does not exist; name another file with -c"
    );
    for (text, expected) in [
        (&b""[..], "the file is empty"),
        (b"\n# only words\n", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (b"[log]\nlevel = \"\xff\"\n", "2: the file is not UTF-8 text"),
        (b"[log]\n", "1: there is no [[zone]], so there is nothing to answer for"),
    ] {
        assert_eq!(errors(text), [expected]);
    }
}

/// At load, and not by every probe of the check.
#[test]
fn a_ca_file_that_no_probe_could_use_is_refused() {
    let text = changed("type = \"http\"", "type = \"https\"\nca_file = \"ca.pem\"");
    for (pem, message) in [
        ("none", "ca.pem holds no certificate in PEM form"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "ca.pem holds a broken certificate",
        ),
    ] {
        let files = MemoryFiles::default()
            .with("meridian.toml", text.clone())
            .with("example.zone", "$TTL 60\n@ SOA ns h 1 1 1 1 1\n@ NS ns\n")
            .with("ca.pem", pem);
        let refused = load(Path::new("meridian.toml"), &files, None).err().unwrap();
        let titles: Vec<_> = refused.diagnostics.iter().map(Diagnostic::title).collect();
        assert!(matches!(&titles[..], [title] if title.contains(message)), "{titles:?}");
    }
}

#[test]
fn advice_says_what_to_do() {
    for (from, to, expected) in [
        (
            "policy = \"geo-proximity\"",
            "policy = \"geo\"",
            "did you mean `geo-proximity`? choose from `round-robin`, `random`, `weighted`, `least-load`, \
             `hash`, `name-hash`, `locality`, `failover`, `geo-proximity`, `geo-map` and `latency`",
        ),
        (
            "site = \"seoul\"",
            "site = \"seul\"",
            "did you mean `seoul`? sites are `seoul` and `frankfurt`",
        ),
        ("check = \"web\"", "check = \"dns\"", "checks are `web` and `mail`"),
        (
            "port = 25",
            "por = 25",
            "did you mean `port`? keys here are `damping`, `expect`, `failback`, `failback_delay`, `failover_delay`, `fall`, `inherits`, `interval`, `port`, `rise`, `send`, `timeout` and `type`",
        ),
        (
            "location = [37.57, 126.98]",
            "",
            "add `location = [LATITUDE, LONGITUDE]` to [site.seoul]",
        ),
        (
            "",
            "[[geoip.override]]\ncidr = \"192.0.2.1/24\"\nlocation = [0, 0]",
            "did you mean `192.0.2.0/24`?",
        ),
        ("", "[clients]\na = \"192.0.2.1/24\"", "did you mean `192.0.2.0/24`?"),
        ("", "[clients]\na = \"country:UK\"", "the United Kingdom is GB"),
        (
            "",
            "[geo_map.m]\nrules = [{ clients = \"group:a\", sites = \"seoul\" }]",
            "define it below [clients]: a = [\"192.0.2.0/24\"]",
        ),
        (
            "",
            "[clients]\na = \"country:KR\"",
            "add `databases` to [geoip], or name networks in its place",
        ),
        (
            "port = 8080",
            "port = 80\nload = { from = \"json\", pointer = \"/load\" }",
            "add `full`, the value at which the back end carries all it can",
        ),
        (
            "port = 8080",
            "port = 80\nload = { from = \"json\", pointer = \"\", full = 1, stale_after = \"1s\" }",
            "write at least \"7s\", or leave it out: three intervals and a timeout",
        ),
        ("port = 8080", "port = 80\ninterval = 5", "write its unit: ms, s, m, h or d, in quotes"),
        ("", "[server]\nlisten = \"::1\"", "add brackets and the port: \"[::1]:53\""),
        (
            "",
            "[admin]\nlisten = \"192.0.2.1:1\"",
            "add [[admin.token]], which `meridian token NAME` makes; or use 127.0.0.1 or [::1], \
             and reach it through SSH",
        ),
    ] {
        let errors = read_octets(changed(from, to)).unwrap_err();
        let advice: Vec<_> = errors.iter().filter_map(|error| error.advice.as_deref()).collect();
        assert_eq!(advice, [expected], "{to}");
    }
}

#[test]
fn all_errors_come_at_once() {
    let text = GOOD
        .replace("file = \"example.zone\"", "file = 5")
        .replace("port = 8080", "port = 80800\ntimeout = \"2\"")
        .replace("geo-proximity", "geo")
        .replace("site = \"frankfurt\"", "site = \"nope\", wight = 3")
        + "[server]\nworkers = \"two\"\n[serivce.api]\n";
    assert_eq!(
        errors(text),
        [
            "3: zone[0].file: expected a string, found an integer",
            "10: check.web.port: 80800 is outside 1 to 65535",
            "11: check.web.timeout: `2` is not a duration such as \"5s\": a number lacks its unit: ms, s, m, h or d",
            "17: service.www.policy: unknown policy `geo`",
            "21: service.www.endpoints[1].site: unknown site `nope`",
            "21: service.www.endpoints[1]: unknown key `wight`",
            "24: server.workers: expected an integer, found a string",
            "25: unknown key `serivce`",
        ]
    );
}

#[test]
fn the_report_reads_well() {
    let errors = read_octets(changed("site = \"seoul\"", "site = \"seol\"")).unwrap_err();
    let expected = r#"error: service.www.endpoints[0].site: unknown site `seol`
  --> etc/meridian.toml:19:12
   |
19 |   { site = "seol", address = "192.0.2.10" },
   |            ^^^^^^
   |
help: did you mean `seoul`? sites are `seoul` and `frankfurt`

1 error in etc/meridian.toml
"#;
    assert_eq!(errors.render(Dress::Plain), expected);
}
