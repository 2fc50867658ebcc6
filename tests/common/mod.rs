//! What the tests from outside share: the program itself, services and back ends, a DNS client,
//! and other DNS servers.

#![allow(dead_code, reason = "each test file uses a part")]

pub mod backend;
pub mod dns;
pub mod peers;
pub mod proxies;
pub mod services;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longer than anything here takes, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_meridian");

/// The SOA and NS every test zone needs.
pub const ZONE_HEAD: &str = "\
$TTL 300
@ SOA ns1.example.com. hostmaster.example.com. 1 3600 600 86400 60
@ NS ns1.example.com.
ns1.example.com. A 192.0.2.53
";

/// An admin listener on a free port, its token in the folder of the configuration.
pub const ADMIN: &str = "[admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"admin.token\"\n";

/// A folder with files, gone with the value.
pub struct Folder(TempDir);

impl Folder {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    /// A folder with `meridian.toml` and a zone file for example.com. The configuration
    /// gets a `[server]` on a free loopback port and the zone in front.
    pub fn with_config(config: &str) -> Self {
        let head = "\
[server]\nlisten = [\"127.0.0.1:0\"]\nworkers = 2\n
[[zone]]\nname = \"example.com\"\nfile = \"example.com.zone\"\n\n";
        Self::new(&[("meridian.toml", &format!("{head}{config}")), ("example.com.zone", ZONE_HEAD)])
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// The header that shows the token of a server with [`ADMIN`] in its configuration.
    pub fn bearer(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.read("admin.token").trim())
    }

    pub fn directory(&self) -> &Path {
        self.0.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }

    pub fn config(&self) -> PathBuf {
        self.path("meridian.toml")
    }
}

/// A running server, killed with the value.
pub struct Server {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    pub address: SocketAddr,
}

impl Server {
    /// Starts `meridian serve` over a folder and waits until it answers.
    pub fn start(folder: &Folder) -> Self {
        Self::spawn(Command::new(PROGRAM).arg("serve").arg("-c").arg(folder.config()))
    }

    /// Starts a command that logs as the daemon does, and waits until it listens.
    pub fn spawn(command: &mut Command) -> Self {
        Self::spawn_as_is(command.stdin(Stdio::null()))
    }

    /// The same with the standard input that the command has.
    pub fn spawn_as_is(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).env_remove("RUST_LOG").spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self { child, lines, seen: Vec::new(), address };
        server.address = server.wait_for_address("listening on UDP and TCP");
        server
    }

    /// Waits for a log line that holds `text`, from the first line not yet waited for on.
    pub fn wait_for(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("no line with {text:?} came; these did:\n{}", self.seen.join("\n"));
                }
            }
        }
    }

    /// Waits for a log line that holds `text` and ends with an address.
    pub fn wait_for_address(&mut self, text: &str) -> SocketAddr {
        self.wait_for(text).split("address=").nth(1).unwrap().trim().parse().unwrap()
    }

    /// Has it read its configuration again, and waits until the new one is in force.
    pub fn reload(&mut self) {
        self.signal("-HUP");
        self.wait_for("the new configuration is in force");
    }

    pub fn signal(&self, signal: &str) {
        assert!(kill(signal, self.child.id()), "the server runs");
    }

    /// Its process ID.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn stdout(&mut self) -> impl BufRead + use<> {
        BufReader::new(self.child.stdout.take().expect("stdout is piped, and taken once"))
    }

    /// Asks it to end, and returns its exit code.
    pub fn stop(mut self) -> Option<i32> {
        self.signal("-TERM");
        self.wait_for_end()
    }

    /// Waits until it has ended, and returns its exit code.
    pub fn wait_for_end(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// The log lines so far that hold `text`, without waiting.
    pub fn count_lines(&mut self, text: &str) -> usize {
        self.seen.extend(self.lines.try_iter());
        self.seen.iter().filter(|line| line.contains(text)).count()
    }
}

/// Sends a signal to a process. Returns whether it was there.
pub fn kill(signal: &str, process: u32) -> bool {
    // The shell has it built in; a program `kill` is not on every machine.
    let kill = format!("kill {signal} {process}");
    let command = Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status();
    command.unwrap().success()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A generator of numbers that are the same in every run (splitmix64).
pub struct Seeded(pub u64);

impl Seeded {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// An IPv4 address that may be a client on the Internet.
    pub fn public_v4(&mut self) -> Ipv4Addr {
        loop {
            let address = Ipv4Addr::from(self.next() as u32);
            if !meridian::model::is_unroutable(address.into()) {
                return address;
            }
        }
    }

    /// An IPv6 address of 2000::/4, where clients are, that carries no IPv4 address.
    pub fn public_v6(&mut self) -> Ipv6Addr {
        loop {
            let bits = u128::from(self.next()) << 64 | u128::from(self.next());
            let address = Ipv6Addr::from(0x2 << 124 | bits >> 4);
            if meridian::model::fold_embedded_v4(address.into()).0.is_ipv6() {
                return address;
            }
        }
    }
}

/// How far counts are from the shares expected (Pearson). Compare with the table for as
/// many degrees of freedom as counts less one.
pub fn chi_square(counts: &[usize], shares: &[f64]) -> f64 {
    let total: usize = counts.iter().sum();
    counts
        .iter()
        .zip(shares)
        .map(|(&count, share)| {
            let expected = total as f64 * share;
            (count as f64 - expected).powi(2) / expected
        })
        .sum()
}

/// One HTTP request; the status code and the body.
pub fn http_get(address: SocketAddr, path: &str) -> (u16, String) {
    let (head, body) = http(address, &format!("GET {path}"), "", "");
    (http_status(&head), body)
}

/// One HTTP request of a method and path, with more fields, each ended by CRLF, and a body; the
/// head and the body of the response.
pub fn http(address: SocketAddr, request: &str, fields: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Length: {length}\r\n{fields}\r\n{body}"
    )
    .unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").expect("a whole response");
    (head.to_owned(), body.to_owned())
}

/// The status code of a response's head.
pub fn http_status(head: &str) -> u16 {
    head.split(' ').nth(1).expect("a status").parse().unwrap()
}

/// Runs the program to its end.
pub fn meridian(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).env_remove("RUST_LOG").output().unwrap()
}

/// Calls `probe` until it is satisfied; fails after [`PATIENCE`].
pub fn eventually(what: &str, mut probe: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !probe() {
        assert!(start.elapsed() < PATIENCE, "never came true: {what}");
        // There is no event of the server's to wait for: what changes is what it answers.
        thread::sleep(Duration::from_millis(10));
    }
    start.elapsed()
}

/// Whether a peer's program is there; says so if not.
pub fn has(program: &str) -> bool {
    let found = find(program).is_some();
    if !found {
        eprintln!("skipped: {program} not installed");
    }
    found
}

/// Where a program is. Daemons may be where only root looks for them.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")])
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}
