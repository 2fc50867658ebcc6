//! `meridian geoip update` against a server of the test's own: what is good replaces what is
//! there, and nothing else does.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;

use common::{Folder, PROGRAM, Server, has};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

/// What a request looks like: its path, and its fields with lowercase names.
#[derive(Debug, Clone)]
struct Asked {
    path: String,
    fields: Vec<(String, String)>,
}

impl Asked {
    fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(field, _)| field == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What is sent back.
enum Reply {
    /// A status, fields and a body.
    Whole(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// A body of which only the first octets come.
    Cut(Vec<u8>, usize),
    /// The first octets, and nothing more while the client waits.
    Slow(Vec<u8>),
    /// A body without a length and without an end.
    Endless,
}

fn ok(body: impl Into<Vec<u8>>) -> Reply {
    Reply::Whole(200, Vec::new(), body.into())
}

fn status(code: u16) -> Reply {
    Reply::Whole(code, Vec::new(), b"as it says above".to_vec())
}

/// A server of files that notes what it is asked.
struct Files {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Files {
    fn start(answer: impl Fn(&Asked) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let request = read(&stream);
                noted.lock().unwrap().push(request.clone());
                // A client that has heard enough hangs up.
                let _ = reply(stream, answer(&request));
            }
        });
        Self { address, asked }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// What was asked since the last call.
    fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn read(stream: &TcpStream) -> Asked {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    let fields = lines.take_while(|line| !line.is_empty()).filter_map(|line| {
        let (name, value) = line.split_once(": ")?;
        Some((name.to_ascii_lowercase(), value.to_owned()))
    });
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    Asked { path, fields: fields.collect() }
}

fn reply(mut stream: TcpStream, reply: Reply) -> std::io::Result<()> {
    let head = |status: u16, fields: &[(&str, String)], length: Option<usize>| {
        let mut head = format!("HTTP/1.1 {status} Because\r\nConnection: close\r\n");
        let length = length.map(|length| ("Content-Length", length.to_string()));
        for (name, value) in fields.iter().chain(&length) {
            head += &format!("{name}: {value}\r\n");
        }
        head + "\r\n"
    };
    match reply {
        Reply::Whole(status, fields, body) => {
            stream.write_all(head(status, &fields, Some(body.len())).as_bytes())?;
            stream.write_all(&body)
        }
        Reply::Cut(body, sent) => {
            stream.write_all(head(200, &[], Some(body.len())).as_bytes())?;
            stream.write_all(&body[..sent])
        }
        Reply::Slow(start) => {
            stream.write_all(head(200, &[], Some(start.len() + 1)).as_bytes())?;
            stream.write_all(&start)?;
            // Until the client has had enough.
            BufReader::new(stream).read_line(&mut String::new()).map(|_| ())
        }
        Reply::Endless => {
            stream.write_all(head(200, &[], None).as_bytes())?;
            loop {
                stream.write_all(&[0; 4096])?;
            }
        }
    }
}

/// The shipped database, and a far smaller one.
const COUNTRIES: &[u8] = include_bytes!("../geoip/country.mmdb");
const TINY: &[u8] = include_bytes!("../fuzz/world/tiny.mmdb");

/// A database as if built at another moment, in seconds since 1970.
fn built_at(database: &[u8], seconds: u32) -> Vec<u8> {
    let mut octets = database.to_vec();
    let key = b"build_epoch";
    let at = octets.windows(key.len()).rposition(|window| window == key).unwrap() + key.len();
    // An unsigned number of the type 9, of as many octets as it takes or more.
    let length = usize::from(octets[at]);
    assert!(octets[at + 1] == 2 && (4..=8).contains(&length), "{:?}", &octets[at..at + 2]);
    let number = u64::from(seconds).to_be_bytes();
    octets[at + 2..at + 2 + length].copy_from_slice(&number[8 - length..]);
    octets
}

const OCTOBER: u32 = 1_790_812_800; // 2026-10-01
const NOVEMBER: u32 = 1_793_491_200; // 2026-11-01

fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(octets).unwrap();
    out.finish().unwrap()
}

fn archive(octets: &[u8]) -> Vec<u8> {
    let mut out = tar::Builder::new(Vec::new());
    for (path, octets) in [("GeoLite2_2/LICENSE.txt", &b"free"[..]), ("GeoLite2_2/x.mmdb", octets)]
    {
        let mut header = tar::Header::new_gnu();
        header.set_size(octets.len() as u64);
        header.set_mode(0o600);
        out.append_data(&mut header, path, octets).unwrap();
    }
    gzip(&out.into_inner().unwrap())
}

fn sha256(octets: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, octets);
    digest.as_ref().iter().map(|octet| format!("{octet:02x}")).collect()
}

fn update(folder: &Folder, arguments: &[&str]) -> Output {
    Command::new(PROGRAM)
        .args(["geoip", "update"])
        .args(arguments)
        .current_dir(folder.directory())
        // A proxy is for the Internet.
        .env("NO_PROXY", "*")
        .output()
        .unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).expect("text")
}

/// Runs an update that must work; its standard output.
fn good(folder: &Folder, arguments: &[&str]) -> String {
    let output = update(folder, arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// A folder with a configuration of one database and its source.
fn configured(source: &str) -> Folder {
    let folder = Folder::with_config(&format!(
        "[geoip]\ndatabases = [\"x.mmdb\"]\n[[geoip.source]]\nfile = \"x.mmdb\"\n{source}\n
[site.main]
[service.www]
names = [\"www.example.com\"]
policy = \"round-robin\"
endpoints = [{{ site = \"main\", address = \"192.0.2.1\" }}]
"
    ));
    folder.write("other.txt", "");
    folder
}

/// The files in a folder that were not there before.
fn left_over(folder: &Folder) -> Vec<String> {
    let names = std::fs::read_dir(folder.directory()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with('.') || name.ends_with(".part")).collect()
}

#[test]
fn a_database_comes_in_any_packing() {
    let november = built_at(COUNTRIES, NOVEMBER);
    for body in [november.clone(), gzip(&november), archive(&november)] {
        let server = Files::start(move |_| ok(body.clone()));
        let folder = Folder::new(&[]);
        let said = good(&folder, &["--url", &server.url("x"), "--output", "x.mmdb"]);
        assert!(said.contains("x.mmdb: replaced"), "{said}");
        assert!(said.contains("before  nothing"), "{said}");
        assert!(said.contains("of 2026-11-01"), "{said}");
        assert!(said.contains("tells country, continent"), "{said}");
        assert_eq!(std::fs::read(folder.path("x.mmdb")).unwrap(), november);
        let mode = std::fs::metadata(folder.path("x.mmdb")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644, "the server may be another user");
        assert_eq!(left_over(&folder), [""; 0]);
    }
}

/// What the server sends is refused for a reason, and what is there stays.
fn check_refused(answer: impl Fn(&Asked) -> Reply + Send + 'static, more: &[&str], reason: &str) {
    let present = built_at(COUNTRIES, OCTOBER);
    let server = Files::start(answer);
    let folder = Folder::new(&[]);
    std::fs::write(folder.path("x.mmdb"), &present).unwrap();
    let url = server.url("x.mmdb");
    let output = update(&folder, &[&["--url", &url, "--output", "x.mmdb"], more].concat());
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("meridian: x.mmdb stays as it is: "), "{said}");
    assert!(said.contains(reason), "{reason:?} is not in {said}");
    assert!(std::fs::read(folder.path("x.mmdb")).unwrap() == present, "{reason}");
    assert_eq!(left_over(&folder), [""; 0]);
}

#[test]
fn what_is_not_good_replaces_nothing() {
    let november = built_at(COUNTRIES, NOVEMBER);
    let half = november.len() / 2;
    let cut = november.clone();
    check_refused(move |_| Reply::Cut(cut.clone(), half), &[], "end of file before message length");
    let cut = november[..half].to_vec();
    check_refused(move |_| ok(cut.clone()), &[], "a complete MaxMind DB file");
    let cut = gzip(&november)[..half / 3].to_vec();
    check_refused(move |_| ok(cut.clone()), &[], "may have been cut short");
    let whole = november.clone();
    let wrong = "0".repeat(64);
    check_refused(move |_| ok(whole.clone()), &["--sha256", &wrong], "the SHA-256 is");
    check_refused(
        |_| ok("<html><title>Please sign in</title>"),
        &[],
        "a web page came in place of a database: Please sign in",
    );
    check_refused(|_| status(403), &[], "403 Forbidden: see to the account");
    check_refused(|_| status(404), &[], "there is no http://127.0.0.1");
    check_refused(|_| status(503), &[], "503 Service Unavailable: try again later");
    let mut damaged = november.clone();
    damaged[1000..1400].fill(0xff);
    check_refused(move |_| ok(damaged.clone()), &[], "damaged");
    let old = built_at(COUNTRIES, OCTOBER - 86_400);
    check_refused(move |_| ok(old.clone()), &[], "older than the present one of 2026-10-01");
    let small = built_at(TINY, NOVEMBER);
    check_refused(move |_| ok(small.clone()), &[], "less than half");
}

#[test]
fn nobody_can_send_too_much_or_too_slowly() {
    check_refused(|_| Reply::Endless, &["--max-size", "1"], "more than 1048576 octets");
    let whole = built_at(COUNTRIES, NOVEMBER);
    let claimed = whole.clone();
    check_refused(move |_| ok(claimed.clone()), &["--max-size", "1"], "more than 1048576 octets");
    check_refused(
        move |_| ok(gzip(&vec![0; 3 << 20])),
        &["--max-size", "1"],
        "more than 1048576 octets",
    );
    let start = whole[..9000].to_vec();
    check_refused(
        move |_| Reply::Slow(start.clone()),
        &["--timeout", "300ms"],
        "not done within 300ms",
    );
}

#[test]
fn force_takes_what_is_good_but_old_or_small() {
    for body in [built_at(COUNTRIES, OCTOBER - 86_400), built_at(TINY, NOVEMBER)] {
        let expected = body.clone();
        let server = Files::start(move |_| ok(body.clone()));
        let folder = Folder::new(&[]);
        std::fs::write(folder.path("x.mmdb"), built_at(COUNTRIES, OCTOBER)).unwrap();
        let said = good(&folder, &["--url", &server.url("x"), "--output", "x.mmdb", "--force"]);
        assert!(said.contains("before  ") && said.contains("of 2026-10-01"), "{said}");
        assert_eq!(std::fs::read(folder.path("x.mmdb")).unwrap(), expected);
    }
}

#[test]
fn a_dry_run_replaces_nothing() {
    let server = Files::start(|_| ok(built_at(COUNTRIES, NOVEMBER)));
    let folder = Folder::new(&[]);
    let said = good(&folder, &["--url", &server.url("x"), "--output", "x.mmdb", "--dry-run"]);
    assert!(said.contains("x.mmdb: would be replaced"), "{said}");
    assert_eq!(std::fs::read_dir(folder.directory()).unwrap().count(), 0);
}

#[test]
fn what_is_here_already_is_not_fetched_again() {
    let server = Files::start(|asked| {
        let fields = vec![("ETag", "\"one\"".to_owned()), ("Last-Modified", "then".to_owned())];
        match asked.field("if-none-match") {
            Some("\"one\"") => Reply::Whole(304, fields, Vec::new()),
            _ => Reply::Whole(200, fields, gzip(&built_at(COUNTRIES, NOVEMBER))),
        }
    });
    let folder = Folder::new(&[]);
    let url = server.url("x.mmdb.gz");
    let arguments = ["--url", &url, "--output", "x.mmdb"];
    assert!(good(&folder, &arguments).contains("x.mmdb: replaced"));
    assert_eq!(server.asked()[0].field("if-none-match"), None);
    let said = good(&folder, &arguments);
    assert!(said.contains("x.mmdb: unchanged: the server has nothing else"), "{said}");
    assert_eq!(server.asked()[0].field("if-modified-since"), Some("then"));
    // The file is another by now: what the server had before does not matter.
    std::fs::write(folder.path("x.mmdb"), built_at(COUNTRIES, OCTOBER)).unwrap();
    assert!(good(&folder, &arguments).contains("x.mmdb: replaced"));
    assert_eq!(server.asked()[0].field("if-none-match"), None);
    // So it is of another address.
    let url = server.url("x.mmdb.gz?other");
    let said = good(&folder, &["--url", &url, "--output", "x.mmdb"]);
    assert!(said.contains("x.mmdb: unchanged: the same file came again"), "{said}");
}

#[test]
fn redirects_are_followed_without_credentials() {
    let other = Files::start(|_| ok(built_at(COUNTRIES, NOVEMBER)));
    let elsewhere = other.url("real");
    let server = Files::start(move |asked| match asked.path.as_str() {
        "/x" => Reply::Whole(302, vec![("Location", "/y".to_owned())], Vec::new()),
        "/y" => Reply::Whole(307, vec![("Location", elsewhere.clone())], Vec::new()),
        _ => Reply::Whole(302, vec![("Location", "/loop".to_owned())], Vec::new()),
    });
    let source = |path: &str| {
        let url = server.url(path);
        configured(&format!("url = \"{url}\"\nheaders = {{ X-Token = \"hidden\" }}"))
    };
    let folder = source("x");
    assert!(good(&folder, &[]).contains("x.mmdb: replaced"));
    let tokens: Vec<Option<String>> =
        server.asked().iter().map(|asked| asked.field("x-token").map(str::to_owned)).collect();
    assert_eq!(tokens, [Some("hidden".to_owned()), Some("hidden".to_owned())]);
    assert_eq!(other.asked()[0].field("x-token"), None, "the token is not for others");
    let output = update(&source("loop"), &[]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("from one address to the next without end"), "{said}");
    assert!(!said.contains("hidden"), "{said}");
}

#[test]
fn db_ip_has_a_file_for_each_month() {
    let server = Files::start({
        let first = Mutex::new(true);
        move |_| match std::mem::take(&mut *first.lock().unwrap()) {
            true => status(404),
            false => ok(gzip(&built_at(COUNTRIES, OCTOBER))),
        }
    });
    let folder = configured(&format!("from = \"dbip-city-lite\"\nmirror = \"{}\"", server.url("")));
    let said = good(&folder, &["x.mmdb"]);
    assert!(said.contains("x.mmdb: replaced"), "{said}");
    let paths: Vec<String> = server.asked().into_iter().map(|asked| asked.path).collect();
    let months: Vec<&str> = paths
        .iter()
        .map(|path| {
            let rest = path.strip_prefix("/free/dbip-city-lite-").expect("their name for it");
            rest.strip_suffix(".mmdb.gz").expect("their form of it")
        })
        .collect();
    assert!(months.len() == 2 && months[0] > months[1], "{months:?}");

    let none = Files::start(|_| status(404));
    let folder = configured(&format!("from = \"dbip-city-lite\"\nmirror = \"{}\"", none.url("")));
    let said = text(&update(&folder, &[]).stderr);
    assert!(said.contains("there is no http") && said.contains("and no http"), "{said}");
}

#[test]
fn maxmind_wants_an_account_and_says_what_it_sends() {
    let body = archive(&built_at(COUNTRIES, NOVEMBER));
    let sum = format!("{}  GeoLite2-City_20261101.tar.gz\n", sha256(&body));
    let server = Files::start(move |asked| {
        // printf 7:hidden | base64
        match (asked.field("authorization"), asked.path.ends_with("tar.gz.sha256")) {
            (Some("Basic NzpoaWRkZW4="), true) => ok(sum.clone()),
            (Some("Basic NzpoaWRkZW4="), false) => ok(body.clone()),
            _ => status(401),
        }
    });
    let source = |key: &str| {
        let mirror = server.url("");
        configured(&format!(
            "from = \"maxmind\"\nedition = \"GeoLite2-City\"\naccount_id = 7\nmirror = \"{mirror}\"
license_key_file = \"{key}\""
        ))
    };
    let folder = source("maxmind.key");
    folder.write("maxmind.key", "hidden\n");
    let said = good(&folder, &[]);
    assert!(said.contains("x.mmdb: replaced"), "{said}");
    let paths: Vec<String> = server.asked().into_iter().map(|asked| asked.path).collect();
    let path = "/geoip/databases/GeoLite2-City/download?suffix=tar.gz";
    assert_eq!(paths, [path.to_owned(), format!("{path}.sha256")]);

    let folder = source("maxmind.key");
    let said = text(&update(&folder, &[]).stderr);
    assert!(said.contains("cannot read the licence key from"), "{said}");
    folder.write("maxmind.key", "secret-but-wrong\n");
    let output = update(&folder, &["--json"]);
    let (out, said) = (text(&output.stdout), text(&output.stderr));
    assert!(said.contains("401 Unauthorized: see to the account"), "{said}");
    assert!(!said.contains("secret") && !out.contains("secret"), "{said}{out}");
}

#[test]
fn a_published_checksum_is_believed() {
    let body = built_at(COUNTRIES, NOVEMBER);
    let sum = sha256(&body);
    let server = Files::start(move |asked| match asked.path.as_str() {
        "/x.mmdb" => ok(body.clone()),
        "/good" => ok(format!("{}  y.mmdb\n{sum}  x.mmdb\n", "0".repeat(64))),
        "/bad" => ok(format!("{}  x.mmdb\n{sum}  y.mmdb\n", "0".repeat(64))),
        "/empty" => ok("no such thing"),
        _ => status(404),
    });
    for (path, refused) in [
        ("good", None),
        ("bad", Some("and should be 0000")),
        ("empty", Some("there is no SHA-256 of the file in it")),
        ("none", Some("404 Not Found")),
    ] {
        let [url, at] = [server.url("x.mmdb"), server.url(path)];
        let folder = configured(&format!("url = \"{url}\"\nsha256_url = \"{at}\""));
        let output = update(&folder, &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.success(), refused.is_none(), "{path}: {said}");
        assert!(said.contains(refused.unwrap_or_default()), "{path}: {said}");
        assert_eq!(folder.path("x.mmdb").exists(), refused.is_none(), "{path}");
    }
}

#[test]
fn one_that_fails_keeps_no_other_from_its_update() {
    let server = Files::start(|asked| match asked.path.as_str() {
        "/good" => ok(built_at(COUNTRIES, NOVEMBER)),
        _ => status(500),
    });
    let [bad, good] = [server.url("bad"), server.url("good")];
    let folder = configured(&format!(
        "url = \"{bad}\"\n[[geoip.source]]\nfile = \"y.mmdb\"\nurl = \"{good}\""
    ));
    let config = folder.read("meridian.toml").replace("[\"x.mmdb\"]", "[\"x.mmdb\", \"y.mmdb\"]");
    folder.write("meridian.toml", &config);
    let output = update(&folder, &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let out = text(&output.stdout);
    let lines: Vec<Value> =
        out.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["result"], &lines[0]["after"]), (&"failed".into(), &Value::Null));
    assert!(lines[0]["error"].as_str().is_some_and(|error| error.contains("500")));
    assert_eq!(lines[1]["result"], "replaced");
    assert_eq!(lines[1]["before"], Value::Null);
    assert_eq!(lines[1]["after"]["built_at"], "2026-11-01T00:00:00Z");
    assert_eq!(lines[1]["after"]["octets"], COUNTRIES.len());
    assert!(lines[1]["after"]["networks"].as_u64() > Some(100_000));
    assert!(folder.path("y.mmdb").exists() && !folder.path("x.mmdb").exists());
}

#[test]
fn a_running_server_notices() {
    let server = Files::start(|_| ok(built_at(COUNTRIES, NOVEMBER)));
    let folder = configured(&format!("url = \"{}\"", server.url("x")));
    std::fs::write(folder.path("x.mmdb"), built_at(COUNTRIES, OCTOBER)).unwrap();
    let mut running = Server::start(&folder);
    assert!(good(&folder, &[]).contains("x.mmdb: replaced"));
    running.wait_for("the new configuration is in force");
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn the_command_line_is_checked() {
    let folder = Folder::new(&[]);
    for (arguments, code, part) in [
        (&["--url", "https://example.com/x"][..], 2, "--output"),
        (&["--output", "x"], 2, "--url"),
        (&["--url", "http://example.com/x", "--output", "x"], 2, "it takes https://"),
        (
            &["--url", "https://example.com/x", "--output", "x", "--sha256", "1"],
            2,
            "64 hexadecimal",
        ),
        (&[], 1, "error: the file does not exist"),
    ] {
        let output = update(&folder, arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        let said = text(&output.stderr);
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
    let folder = Folder::with_config("");
    let config = folder.config();
    let said = text(&update(&folder, &["-c", config.to_str().unwrap()]).stderr);
    assert!(said.contains("has no [[geoip.source]]"), "{said}");
    let folder = configured("from = \"dbip-city-lite\"");
    let said = text(&update(&folder, &["z.mmdb"]).stderr);
    assert!(said.contains("z.mmdb has no [[geoip.source]]"), "{said}");
}

#[test]
fn the_timer_is_one_that_systemd_takes() {
    if !has("systemd-analyze") {
        return;
    }
    let unit = |end: &str| format!("meridian-geoip-update.{end}");
    let read = |end: &str| {
        let path = format!("{}/contrib/systemd/{}", env!("CARGO_MANIFEST_DIR"), unit(end));
        std::fs::read_to_string(path).unwrap()
    };
    let service = read("service");
    assert!(service.contains("ExecStart=/usr/bin/meridian geoip update -c "), "{service}");
    let service = service.replace("/usr/bin/meridian", PROGRAM);
    let folder = Folder::new(&[(&unit("service"), &service), (&unit("timer"), &read("timer"))]);
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .args([folder.path(&unit("service")), folder.path(&unit("timer"))])
        .output()
        .unwrap();
    let said = text(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
