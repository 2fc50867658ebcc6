//! Each kind of check against the real thing: certificates, programs, pushes, echo replies and
//! gRPC, as far as answers, `/status` and the log.

mod common;

use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use common::dns::ask;
use common::{Folder, Server, eventually, http_get};
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A server over one check, whose endpoints 192.0.2.0 and on are probed at `probes`.
struct World {
    server: Server,
    admin: SocketAddr,
    folder: Folder,
}

impl World {
    fn start(folder: Folder, check: &str, probes: &[&str]) -> Self {
        let endpoints: Vec<String> = (0..)
            .zip(probes)
            .map(|(n, probe)| {
                format!("{{ site = \"one\", address = \"192.0.2.{n}\", probe = \"{probe}\" }}")
            })
            .collect();
        let config = format!(
            "{}[admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"admin.token\"\n[site.one]\n\
             [check.kind]\ninterval = \"100ms\"\nfall = 1\nrise = 1\n{check}\n\
             [service.www]\nnames = [\"www.example.com\"]\npolicy = \"round-robin\"\n\
             check = \"kind\"\nmax_answers = 9\nall_down = \"nodata\"\nendpoints = [{}]\n",
            folder.read("meridian.toml"),
            endpoints.join(", ")
        );
        folder.write("meridian.toml", &config);
        let mut server = Server::start(&folder);
        let admin = server.wait_for_address("admin listens");
        Self { server, admin, folder }
    }

    /// The last numbers of the addresses answered.
    fn answered(&self) -> Vec<u8> {
        let mut answered: Vec<u8> = ask(self.server.address, "www.example.com")
            .udp()
            .addresses()
            .into_iter()
            .map(|address| match address {
                IpAddr::V4(v4) => v4.octets()[3],
                IpAddr::V6(v6) => panic!("{v6} is no address of the service"),
            })
            .collect();
        answered.sort_unstable();
        answered
    }

    fn wait_until_answered(&self, expected: &[u8]) {
        eventually(&format!("{expected:?} are answered"), || self.answered() == expected);
    }

    /// What `/status` says of the target probed at an address.
    fn status(&self, probe: &str) -> Value {
        let (_, body) = http_get(self.admin, "/status");
        let status: Value = serde_json::from_str(&body).unwrap();
        let key = format!("kind {probe} -");
        let targets = status["targets"].as_array().unwrap();
        let target = targets.iter().find(|target| target["target"] == key.as_str());
        target.unwrap_or_else(|| panic!("no {key} in {body}")).clone()
    }
}

/// A server that shows a certificate, which may be renewed.
struct TlsServer {
    address: SocketAddr,
    shown: Arc<Mutex<Arc<ServerConfig>>>,
}

impl TlsServer {
    fn start(runtime: &Runtime, shown: Arc<ServerConfig>) -> Self {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let shown = Arc::new(Mutex::new(shown));
        let shows = Arc::clone(&shown);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let config = Arc::clone(&shows.lock().unwrap());
                // Who does not like the certificate hangs up.
                let _ = TlsAcceptor::from(config).accept(stream).await;
            }
        });
        Self { address, shown }
    }
}

/// A certificate for `name`, valid from two years ago to `end`, in PEM, and a server's side with it.
fn certificate(name: &str, end: SystemTime) -> (String, Arc<ServerConfig>) {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.not_before = (SystemTime::now() - 730 * DAY).into();
    params.not_after = end.into();
    let key = KeyPair::generate().unwrap();
    let made = params.self_signed(&key).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.der().clone()], key)
        .unwrap();
    (made.pem(), Arc::new(config))
}

#[test]
fn certificates_must_be_good_and_are_warned_of_before_they_expire() {
    let runtime = servers_runtime();
    let now = SystemTime::now();
    let made = [
        ("www.example.com", now + 100 * DAY),
        ("www.example.com", now + 5 * DAY),
        ("www.example.com", now - DAY),
        ("api.example.com", now + 100 * DAY),
    ]
    .map(|(name, end)| certificate(name, end));
    let folder = Folder::with_config("");
    folder.write("ca.pem", &made.each_ref().map(|(pem, _)| pem.as_str()).concat());
    let renewed = Arc::clone(&made[0].1);
    let servers = made.map(|(_, config)| TlsServer::start(&runtime, config));
    let probes = servers.each_ref().map(|server| server.address.to_string());
    let check =
        "type = \"tls\"\nsni = \"www.example.com\"\nca_file = \"ca.pem\"\ntimeout = \"20s\"";
    let mut world = World::start(folder, check, &probes.each_ref().map(String::as_str));
    let warned = world.server.wait_for("the check warns");
    assert!(
        warned.contains(&probes[1]) && warned.contains("the certificate expires at"),
        "{warned}"
    );
    world.wait_until_answered(&[0, 1]);
    let [good, soon, expired, other] = probes.each_ref().map(|probe| {
        eventually("it was probed", || world.status(probe)["health"] != "unknown");
        world.status(probe)
    });
    assert_eq!((&good["health"], &good["warning"]), (&"up".into(), &Value::Null));
    assert_eq!(soon["health"], "up");
    assert!(
        soon["warning"].as_str().unwrap().starts_with("the certificate expires at 20"),
        "{soon}"
    );
    for (target, reason) in [(expired, "expired"), (other, "not valid for name")] {
        assert_eq!(target["health"], "down");
        let failure = target["last_failure"].as_str().unwrap();
        assert!(failure.starts_with("TLS: ") && failure.contains(reason), "{failure}");
    }
    let (_, metrics) = http_get(world.admin, "/metrics");
    let warning = format!("meridian_target_warning{{target=\"kind {} -\"}} 1", probes[1]);
    assert!(metrics.lines().any(|line| line == warning), "{metrics}");
    *servers[1].shown.lock().unwrap() = renewed;
    assert!(world.server.wait_for("the check warns no more").contains(&probes[1]));
    assert_eq!(world.status(&probes[1])["warning"], Value::Null);
    assert_eq!(world.server.count_lines("the check warns"), 2, "told once each");
}

#[test]
fn a_program_decides_by_its_exit_status() {
    let folder = Folder::with_config("");
    // What it exits with and says is in a file named after the address.
    folder.write(
        "check.sh",
        "#!/bin/sh\nread code line < \"${0%/*}/$2\"\n[ \"$2\" = \"$MERIDIAN_ADDRESS\" ] || code=9\n\
         echo \"$line\"\nexit $code\n",
    );
    let program = folder.path("check.sh");
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let directory = folder.directory().to_owned();
    // In one step, so that the program never sees half of it.
    let say = |address: &str, text: &str| {
        std::fs::write(directory.join("new"), text).unwrap();
        std::fs::rename(directory.join("new"), directory.join(address)).unwrap();
    };
    say("127.0.0.1", "0 fine\n");
    say("127.0.0.2", "2 no answer\n");
    let check = format!(
        "type = \"exec\"\nnagios = true\ntimeout = \"20s\"\n\
         command = [\"{}\", \"-H\", \"{{address}}\"]",
        program.display()
    );
    let mut world = World::start(folder, &check, &["127.0.0.1", "127.0.0.2"]);
    world.server.wait_for("to=up");
    world.wait_until_answered(&[0]);
    eventually("both were run", || world.status("127.0.0.2")["health"] == "down");
    assert_eq!(world.status("127.0.0.2")["last_failure"], "exit status 2: no answer");
    assert_eq!(world.status("127.0.0.1")["warning"], Value::Null);
    say("127.0.0.2", "1 slow\n");
    world.wait_until_answered(&[0, 1]);
    eventually("it warns", || world.status("127.0.0.2")["warning"] == "slow");
    say("127.0.0.1", "3 unknown\n");
    world.wait_until_answered(&[1]);
    // A program that cannot be run any more says nothing of the targets. It is not removed, for
    // a shell that has just been started would miss it.
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o644)).unwrap();
    assert!(world.server.wait_for("this machine could not probe").contains("check.sh"));
    assert_eq!(world.answered(), [1]);
}

#[test]
fn a_program_that_is_not_there_is_an_error_of_the_configuration() {
    let folder = Folder::with_config(
        "[check.x]\ntype = \"exec\"\ncommand = \"/nowhere/check_x\"\n\
         [check.y]\ntype = \"exec\"\ncommand = [\"/etc/passwd\"]\n",
    );
    let output = common::meridian(&["check", "-c", folder.config().to_str().unwrap()]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    for expected in ["cannot run /nowhere/check_x", "cannot run /etc/passwd: it is no executable"] {
        assert!(errors.contains(expected), "{errors}");
    }
}

const JSON: &str = "Content-Type: application/json\r\n";

impl World {
    /// What comes of a push.
    fn push(&self, target: &str, headers: &str, body: &str) -> (u16, Value) {
        let request = format!("POST /health/{target}");
        let headers = self.folder.bearer() + headers;
        let (head, body) = common::http(self.admin, &request, &headers, body);
        (common::http_status(&head), serde_json::from_str(&body).unwrap_or_default())
    }
}

#[test]
fn health_is_pushed_from_outside() {
    let check = "type = \"external\"\ndeadline = \"1s\"";
    let probes = ["192.0.2.0:80", "2001:db8::1", "192.0.2.2"];
    let mut world = World::start(Folder::with_config(""), check, &probes);
    for target in ["192.0.2.0:80", "2001:db8::1"] {
        let body = "{ \"state\": \"up\", \"ttl_seconds\": 86400 }";
        assert_eq!(world.push(&format!("kind/{target}"), JSON, body), (204, Value::Null));
        // It counts before the response is sent.
        assert_eq!(world.status(target)["health"], "up");
    }
    let body = "{ \"state\": \"up\" }";
    assert_eq!(world.push("kind/192.0.2.2", JSON, body).0, 204);
    // Only the one whose push holds no longer than the check's deadline falls silent.
    world.server.wait_for("to=down reason=nothing pushed within 1s");
    assert_eq!(world.answered(), [0, 1]);
    assert_eq!(world.status("192.0.2.2")["last_failure"], "nothing pushed within 1s");
    assert_eq!(world.push("kind/192.0.2.2", JSON, body).0, 204);
    assert_eq!(world.answered(), [0, 1, 2]);
    let body = "{ \"state\": \"down\", \"reason\": \"disk full\" }";
    assert_eq!(world.push("kind/[2001:db8::1]:0", JSON, body).0, 204);
    assert_eq!(world.status("2001:db8::1")["last_failure"], "pushed down: disk full");
    assert_eq!(world.answered(), [0, 2]);
}

#[test]
fn what_is_no_push_changes_nothing() {
    let check = "type = \"external\"\non_silence = \"keep\"\ndeadline = \"100ms\"\n\
                 [check.plain]\ntype = \"tcp\"\nport = 1\n\
                 [check.clock]\ntype = \"external\"\ndeadline = \"100ms\"\non_silence = \"down\"\ninterval = \"1s\"\n\
                 [service.clock]\nnames = [\"clock.example.com\"]\npolicy = \"random\"\n\
                 check = \"clock\"\nendpoints = [{ site = \"one\", address = \"192.0.2.9\" }]";
    let mut world = World::start(Folder::with_config(""), check, &["192.0.2.0"]);
    let up = "{ \"state\": \"up\" }";
    for target in ["kind/192.0.2.0", "clock/192.0.2.9"] {
        assert_eq!(world.push(target, JSON, up).0, 204);
    }
    let down = "{ \"state\": \"down\" }";
    let long = format!("{{ \"state\": \"down\", \"reason\": \"{}\" }}", "x".repeat(5000));
    let from_a_page = format!("{JSON}Origin: http://127.0.0.1:5380\r\n");
    for (target, headers, body, status, title) in [
        ("kind/192.0.2.0", "", down, 415, "Unsupported Media Type"),
        ("kind/192.0.2.0", "Content-Type: text/plain\r\n", down, 415, "Unsupported Media Type"),
        ("kind/192.0.2.0", &from_a_page, down, 403, "Forbidden"),
        ("kind/192.0.2.0", JSON, "{}", 400, "Bad Request"),
        ("kind/192.0.2.0", JSON, &long, 413, "Payload Too Large"),
        ("kind/192.0.2.0:80", JSON, down, 404, "Not Found"),
        ("kind/192.0.2.9", JSON, down, 404, "Not Found"),
        ("kind/www.example.com", JSON, down, 404, "Not Found"),
        ("plain/192.0.2.0:1", JSON, down, 404, "Not Found"),
        ("nothing/192.0.2.0", JSON, down, 404, "Not Found"),
    ] {
        let (got, problem) = world.push(target, headers, body);
        assert_eq!((got, &problem["status"]), (status, &status.into()), "{target} {problem}");
        assert_eq!(problem["title"], title);
        assert!(!problem["detail"].as_str().unwrap().is_empty());
    }
    assert_eq!(http_get(world.admin, "/health/kind/192.0.2.0").0, 405);
    // Where silence is a failure, a round of a second sees it; those of the other are many more.
    assert!(world.server.wait_for("to=down").contains("clock"));
    let (_, metrics) = http_get(world.admin, "/metrics");
    assert!(metrics.contains("meridian_target_health{target=\"kind 192.0.2.0 -\"} 1"), "{metrics}");
    assert_eq!(world.status("192.0.2.0")["last_failure"], Value::Null);
    assert_eq!(world.answered(), [0]);
}

#[test]
fn echo_requests_are_replied_to() {
    let mut world = World::start(
        Folder::with_config(""),
        "type = \"icmp\"\ntimeout = \"20s\"",
        &["127.0.0.1", "[::1]:80"],
    );
    for _ in 0..2 {
        let line = world.server.wait_for("kind ");
        if line.contains("ping_group_range") {
            assert_eq!(world.status("127.0.0.1")["health"], "unknown");
            eprintln!("skipped: {line}");
            return;
        }
        assert!(line.contains("to=up"), "{line}");
    }
    assert_eq!(world.answered(), [0, 1]);
    assert_eq!(world.status("::1")["health"], "up");
}

/// A gRPC server whose health is `status`.
fn grpc_server(runtime: &Runtime, status: Arc<AtomicU8>) -> SocketAddr {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut connection) = h2::server::handshake(stream).await else { continue };
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
                let response = http::Response::builder().header("content-type", "application/grpc");
                let mut stream = respond.send_response(response.body(()).unwrap(), false).unwrap();
                let body = vec![0, 0, 0, 0, 2, 8, status.load(Ordering::SeqCst)];
                stream.send_data(body.into(), false).unwrap();
                let mut trailers = http::HeaderMap::new();
                trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
                stream.send_trailers(trailers).unwrap();
            }
        }
    });
    address
}

#[test]
fn a_grpc_service_must_say_that_it_serves() {
    let runtime = servers_runtime();
    let status = Arc::new(AtomicU8::new(1));
    let address = grpc_server(&runtime, Arc::clone(&status)).to_string();
    let check = "type = \"grpc\"\nservice = \"example.Orders\"\ntimeout = \"20s\"";
    let mut world = World::start(Folder::with_config(""), check, &[&address]);
    world.server.wait_for("to=up");
    assert_eq!(world.answered(), [0]);
    status.store(2, Ordering::SeqCst);
    world.server.wait_for("to=down reason=NOT_SERVING, expected SERVING");
    world.wait_until_answered(&[]);
}

fn servers_runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}
