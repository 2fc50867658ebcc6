//! `meridian check`: every mistake is told with its place, all at once; what is good passes.

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::{Folder, PROGRAM, ZONE_HEAD, meridian};

const GOOD: &str = "
[site.seoul]
location = [37.57, 126.98]

[check.web]
type = \"http\"
port = 8080

[service.www]
names = [\"www.example.com\"]
policy = \"geo-proximity\"
check = \"web\"
endpoints = [
  { site = \"seoul\", address = \"192.0.2.10\" },
  { site = \"seoul\", address = \"2001:db8::10\" },
]
";

const RECORDS: &str = "\
mail A 192.0.2.25
@ MX 10 mail
child NS ns.example.net.
";

fn folder() -> Folder {
    let folder = Folder::with_config(GOOD);
    folder.write("example.com.zone", &format!("{ZONE_HEAD}{RECORDS}"));
    folder
}

fn check(folder: &Folder) -> Output {
    meridian(&["check", "-c", folder.config().to_str().unwrap()])
}

/// What it says of a configuration that is wrong.
fn complaint(folder: &Folder) -> String {
    let output = check(folder);
    let message = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(output.stdout.is_empty(), "{message}");
    assert!(!message.contains("panicked") && !message.contains("backtrace"), "{message}");
    assert!(!message.contains('\x1b'), "no colours into a pipe: {message}");
    message
}

/// The places named, as `file:line:column` without the folder.
fn places(folder: &Folder, message: &str) -> Vec<String> {
    let folder = format!("{}/", folder.config().parent().unwrap().display());
    message
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("--> "))
        .map(|place| place.replace(&folder, ""))
        .collect()
}

/// `file:line:column` of the first `word` from `start` on.
fn place_of(folder: &Folder, file: &str, start: usize, word: &str) -> String {
    let text = folder.read(file);
    let at = text[start..].find(word).unwrap_or_else(|| panic!("{word:?} in {text}")) + start;
    let line_start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let line = 1 + text[..at].matches('\n').count();
    format!("{file}:{line}:{}", 1 + at - line_start)
}

const CONFIG: &str = "meridian.toml";
const ZONE: &str = "example.com.zone";

#[test]
fn every_kind_of_mistake_is_told_with_its_place() {
    // File, what is replaced by what, where it is wrong, and words that say what.
    for (file, from, to, at, says) in [
        (CONFIG, "port = 8080", "prot = 8080", "prot", "unknown key `prot`"),
        (CONFIG, "port = 8080", "port = 80800", "80800", "outside 1 to 65535"),
        (CONFIG, "port = 8080", "port = \"http\"", "\"http\"", "expected an integer"),
        (CONFIG, "port = 8080", "port = 1\ninterval = \"5\"", "\"5\"", "not a duration"),
        (CONFIG, "type = \"http\"", "type = \"ping\"", "\"ping\"", "unknown check type"),
        (CONFIG, "geo-proximity", "nearest", "\"nearest\"", "unknown policy `nearest`"),
        (CONFIG, "check = \"web\"", "check = \"wbe\"", "\"wbe\"", "did you mean `web`"),
        (
            CONFIG,
            "{ site = \"seoul\", address = \"192",
            "{ site = \"soul\", address = \"192",
            "\"soul\"",
            "unknown site `soul`",
        ),
        (CONFIG, "192.0.2.10", "192.0.2.256", "\"192.0.2.256\"", "192.0.2.256"),
        (CONFIG, "2001:db8::10", "192.0.2.10", "", "already"),
        (CONFIG, "[37.57, 126.98]", "[137.57, 126.98]", "137.57", "outside -90 to 90"),
        (CONFIG, "location = [37.57, 126.98]", "", "\"seoul\"", "no location"),
        (
            CONFIG,
            "www.example.com",
            "www.notexample.com",
            "\"www.not",
            "outside every configured zone",
        ),
        (CONFIG, "www.example.com", "www..com", "\"www..com", "empty label"),
        (CONFIG, "www.example.com", "mail.example.com", "", "mail.example.com"),
        (CONFIG, "www.example.com", "www.child.example.com", "", "child.example.com"),
        (CONFIG, "[check.web]", "[check.web", "", "expected"),
        (CONFIG, "127.0.0.1:0", "127.0.0.1", "\"127.0.0.1\"", "the port is missing"),
        (CONFIG, "example.com.zone", "gone.zone", "\"gone.zone\"", "gone.zone"),
        (
            CONFIG,
            "[site.seoul]",
            "[geoip]\ndatabases = [\"gone.mmdb\"]\n[site.seoul]",
            "\"gone.mmdb\"",
            "gone.mmdb",
        ),
        (
            CONFIG,
            "[site.seoul]",
            "[geoip]\ndatabases = [\"example.com.zone\"]\n[site.seoul]",
            "\"example.com.zone\"]",
            "example.com.zone",
        ),
        (
            CONFIG,
            "type = \"http\"",
            "type = \"https\"\nca_file = \"gone.pem\"",
            "\"gone.pem\"",
            "gone.pem",
        ),
        (
            CONFIG,
            "type = \"http\"",
            "type = \"https\"\nca_file = \"example.com.zone\"",
            "\"example.com.zone\"",
            "certificate",
        ),
        (CONFIG, "check = \"web\"", "all_down = \"last-resort\"", "", "last_resort"),
        (ZONE, "192.0.2.25", "192.0.2.251.1", "192.0.2.251.1", "192.0.2.251.1"),
        (ZONE, "mail A", "mail AX", "AX", "AX"),
        (ZONE, "10 mail", "mail", "", "MX"),
        (ZONE, "mail A 192.0.2.25", "mail A 192.0.2.25\nmail CNAME ns1", "", "CNAME"),
        (ZONE, "mail A", "$INCLUDE gone.inc\nmail A", "", "gone.inc"),
        (ZONE, "mail A 192.0.2.25", "mail TXT \"open", "", "quot"),
        (ZONE, "$TTL 300", "$TTL 99999999999", "99999999999", "99999999999"),
    ] {
        let folder = folder();
        let text = folder.read(file);
        let start = text.find(from).unwrap_or_else(|| panic!("{from:?} in {text}"));
        let start = text[..start].rfind('\n').map_or(0, |end| end + 1);
        folder.write(file, &text.replacen(from, to, 1));
        let message = complaint(&folder);
        assert!(message.contains(says), "{says:?} is said of {to:?}:\n{message}");
        let places = places(&folder, &message);
        let named = match at {
            "" => places.iter().any(|place| place.split(':').count() == 3),
            at => places.contains(&place_of(&folder, file, start, at)),
        };
        assert!(named, "{to:?} is placed at {at:?}:\n{message}");
        assert!(message.contains("1 error in ") || message.contains(" errors in "), "{message}");
    }
}

#[test]
fn many_mistakes_in_many_files_are_all_told_at_once() {
    let folder = folder();
    let config = folder.read(CONFIG);
    folder.write(
        CONFIG,
        &config.replace(
            "[site.seoul]",
            "\
[[zone]]\nname = \"example.org\"\nfile = \"example.org.zone\"\n
[[zone]]\nname = \"example.net\"\nfile = \"gone.zone\"\n
[geoip]\ndatabases = [\"gone.mmdb\"]\n
[site.seoul]",
        ),
    );
    folder.write(ZONE, &format!("{ZONE_HEAD}a A 1\nb AAAA 2\nc NOTYPE 3\n"));
    folder.write("example.org.zone", "@ 60 SOA a b 1 2 3 4 5\n@ 60 NS ns.example.net.\nx 60 A y\n");
    let message = complaint(&folder);
    let mut expected: Vec<String> = [
        (CONFIG, "\"gone.zone\""),
        (CONFIG, "\"gone.mmdb\""),
        (ZONE, "1"),
        (ZONE, "2"),
        (ZONE, "NOTYPE"),
        ("example.org.zone", "y"),
    ]
    .map(|(file, word)| match (file, word) {
        (ZONE, "1") => format!("{ZONE}:5:5"),
        (ZONE, "2") => format!("{ZONE}:6:8"),
        _ => place_of(&folder, file, 0, word),
    })
    .into();
    let mut named = places(&folder, &message);
    expected.sort();
    named.sort();
    assert_eq!(named, expected, "{message}");
    assert!(message.contains("\n6 errors in "), "{message}");

    // And many of the configuration's own.
    folder.write(
        CONFIG,
        &GOOD
            .replace("8080", "0")
            .replace("geo-proximity", "x")
            .replace("check = \"web\"", "tll = 3")
            .replace("\"seoul\"", "\"soul\""),
    );
    let message = complaint(&folder);
    assert!(message.contains("6 errors in "), "{message}");
}

#[test]
fn mistakes_of_the_configuration_do_not_hide_those_of_its_zones() {
    let folder = folder();
    folder.write(CONFIG, &folder.read(CONFIG).replace("8080", "0"));
    folder.write(ZONE, &format!("{ZONE_HEAD}a A 1\n"));
    let message = complaint(&folder);
    assert_eq!(places(&folder, &message).len(), 2, "{message}");
}

#[test]
fn a_service_that_may_be_an_alias_stands_alone() {
    let config = "\
[[zone]]\nname = \"example.com\"\nfile = \"z\"\n[site.one]\n[service.al]\n\
names = [\"al.example.com\"]\npolicy = \"failover\"\n\
endpoints = [{ site = \"one\", cname = \"x.example.net\" }]\n";
    let zone = format!("{ZONE_HEAD}al MX 10 mail\n");
    let folder = Folder::new(&[("meridian.toml", config), ("z", &zone)]);
    let message = complaint(&folder);
    assert!(message.contains("service.al.names[0]"), "{message}");
    assert!(message.contains("has MX records too"), "{message}");
    folder.write("z", ZONE_HEAD);
    assert_eq!(check(&folder).status.code(), Some(0));
}

#[test]
fn files_that_are_no_configuration_are_told_as_such() {
    let folder = folder();
    for (content, says) in [
        (&b""[..], "empty"),
        (b"# only words\n", "empty"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"\x00\x01\x02", "meridian.toml:1:1"),
        (b"[[zone]", "meridian.toml:1:"),
        (b"[log]\n", "no [[zone]]"),
    ] {
        std::fs::write(folder.config(), content).unwrap();
        let message = complaint(&folder);
        assert!(message.contains(says), "{says:?} in {message}");
    }
    std::fs::write(folder.config(), "x = [".repeat(100_000)).unwrap();
    complaint(&folder);
    std::fs::remove_file(folder.config()).unwrap();
    assert!(complaint(&folder).contains("does not exist"));
    std::fs::create_dir(folder.config()).unwrap();
    assert!(complaint(&folder).contains("meridian.toml"));
}

#[test]
fn serve_refuses_what_check_refuses() {
    let folder = folder();
    folder.write(CONFIG, &folder.read(CONFIG).replace("8080", "0"));
    let message = complaint(&folder);
    let output = meridian(&["serve", "-c", folder.config().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), message);
}

#[test]
fn what_is_good_passes_and_is_summed_up() {
    let folder = folder();
    let output = check(&folder);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.ends_with("good: 1 zone with 6 records, 1 service, 1 site, 2 probe targets\n"),
        "{text}"
    );
    let quiet = meridian(&["check", "--quiet", "-c", folder.config().to_str().unwrap()]);
    assert_eq!((quiet.status.code(), quiet.stdout.len(), quiet.stderr.len()), (Some(0), 0, 0));
}

#[test]
fn what_is_hardly_meant_is_warned_of_and_passes() {
    let folder = folder();
    let records = "mail.example.org. A 192.0.2.26\n*.child NS ns.example.net.\n";
    folder.write("example.com.zone", &format!("{ZONE_HEAD}{RECORDS}{records}"));
    let output = check(&folder);
    let message = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(0), "{message}");
    assert!(output.stdout.starts_with(folder.config().to_str().unwrap().as_bytes()));
    let line = 1 + ZONE_HEAD.lines().count() + RECORDS.lines().count();
    for says in [
        format!("example.com.zone:{line}: mail.example.org. is outside the zone example.com."),
        format!("example.com.zone:{}: NS at the wildcard *.child.example.com.", line + 1),
    ] {
        assert!(message.contains(&says), "{says:?} is said:\n{message}");
    }
    assert_eq!(message.matches("warning: ").count(), 2, "{message}");
    assert_eq!(message.matches("help: ").count(), 2, "{message}");
}

#[test]
fn the_examples_of_the_repository_are_good() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Folder::new(&[]);
    for sub in ["zones", "geoip"] {
        std::fs::create_dir(folder.path(sub)).unwrap();
        for entry in std::fs::read_dir(repository.join(sub)).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), folder.path(sub).join(entry.file_name())).unwrap();
        }
    }
    std::fs::copy(repository.join(CONFIG), folder.config()).unwrap();
    // As people start: in the folder, without naming the file; and from anywhere else.
    let here = folder.config();
    let here = here.parent().unwrap();
    for (arguments, cwd) in [
        (&["check"][..], here),
        (&["check", "-c", "meridian.toml"], here),
        (&["check", "-c", "zones/demo.toml"], here),
        (&["check", "-c", "../meridian.toml"], &folder.path("zones")),
        (&["check", "-c", folder.config().to_str().unwrap()], Path::new("/")),
        (&["check", "-c", "demo.toml"], &folder.path("zones")),
    ] {
        let output = Command::new(PROGRAM).args(arguments).current_dir(cwd).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?} in {}: {message}", cwd.display());
    }
}
