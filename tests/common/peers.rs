//! Other DNS servers to be compared with or asked through: NSD, Knot DNS, BIND and unbound,
//! each in a folder of its own. Here is what a program needs to run there beside others; what
//! it serves, and how, is in the [`Config`] a test gives it. Whether a program is installed is
//! asked with [`has`](super::has).

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use super::{Folder, eventually, find};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Software {
    Nsd,
    Knot,
    Bind,
    Unbound,
}

/// What a test puts into a configuration. In both texts `DIRECTORY` stands for the peer's folder.
pub struct Config {
    /// Lines of the section `server`; of `options` in BIND.
    pub options: String,
    /// What stands behind that section.
    pub more: String,
}

impl Software {
    pub fn program(self) -> &'static str {
        match self {
            Self::Nsd => "nsd",
            Self::Knot => "knotd",
            Self::Bind => "named",
            Self::Unbound => "unbound",
        }
    }

    /// Keeps it in the foreground, and leads up to the file of its configuration.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Nsd | Self::Unbound => &["-d", "-c"],
            Self::Knot => &["-c"],
            Self::Bind => &["-g", "-n", "1", "-c"],
        }
    }

    fn template(self) -> &'static str {
        match self {
            Self::Nsd => NSD,
            Self::Knot => KNOT,
            Self::Bind => BIND,
            Self::Unbound => UNBOUND,
        }
    }

    /// The part of a configuration that has a zone served from a file in the folder.
    pub fn zone(self, apex: &str, file: &str) -> String {
        match self {
            Self::Nsd => format!("zone:\n  name: \"{apex}\"\n  zonefile: \"{file}\"\n"),
            Self::Knot => format!("zone:\n  - domain: \"{apex}\"\n    file: \"{file}\"\n"),
            Self::Bind => format!("zone \"{apex}\" {{ type primary; file \"{file}\"; }};\n"),
            Self::Unbound => unreachable!("no test has a resolver serve zones"),
        }
    }
}

const NSD: &str = "
server:
  ip-address: HOST@PORT
  username: \"\"
  chroot: \"\"
  zonesdir: \"DIRECTORY\"
  database: \"\"
  pidfile: \"DIRECTORY/nsd.pid\"
  xfrdfile: \"DIRECTORY/nsd.xfrd\"
  xfrdir: \"DIRECTORY\"
  zonelistfile: \"DIRECTORY/nsd.zones\"
  server-count: 1
OPTIONS
remote-control:
  control-enable: no
MORE
";

const KNOT: &str = "
server:
  rundir: DIRECTORY
  listen: HOST@PORT
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
OPTIONS
control:
  listen: DIRECTORY/knot.socket
log:
  - target: stderr
    any: warning
database:
  storage: DIRECTORY
  journal-db-max-size: 4M
  kasp-db-max-size: 5M
  timer-db-max-size: 1M
MORE
";

const BIND: &str = "
options {
  directory \"DIRECTORY\";
  listen-on port PORT { HOST; };
  listen-on-v6 { none; };
  pid-file none;
  session-keyfile none;
  lock-file none;
OPTIONS
};
controls { };
MORE
";

const UNBOUND: &str = "
server:
  interface: HOST
  port: PORT
  do-daemonize: no
  username: \"\"
  chroot: \"\"
  directory: \"DIRECTORY\"
  pidfile: \"DIRECTORY/unbound.pid\"
  use-syslog: no
  logfile: \"\"
  num-threads: 1
  module-config: \"iterator\"
  do-not-query-localhost: no
OPTIONS
remote-control:
  control-enable: no
MORE
";

/// A peer that runs, ended with the value together with the processes it has made.
pub struct Peer {
    pub software: Software,
    pub address: SocketAddr,
    child: Child,
    folder: Folder,
}

impl Peer {
    /// Starts a peer on a port of its own, in a folder with what it is to read, and waits until
    /// it is ready.
    pub fn start(
        software: Software,
        folder: Folder,
        config: &Config,
        is_ready: impl Fn(SocketAddr) -> bool,
    ) -> Self {
        Self::start_at(quiet_address(), software, folder, config, is_ready)
    }

    pub fn start_at(
        address: SocketAddr,
        software: Software,
        folder: Folder,
        config: &Config,
        is_ready: impl Fn(SocketAddr) -> bool,
    ) -> Self {
        let text = software
            .template()
            .replace("HOST", &address.ip().to_string())
            .replace("PORT", &address.port().to_string())
            .replace("OPTIONS", &config.options)
            .replace("MORE", &config.more)
            .replace("DIRECTORY", folder.directory().to_str().unwrap());
        folder.write("peer.conf", &text);
        let log = File::create(folder.path("log")).unwrap();
        let program = find(software.program()).expect("asked before, it was there");
        let child = Command::new(program)
            .args(software.arguments())
            .arg(folder.path("peer.conf"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap();
        let mut peer = Self { software, address, child, folder };
        eventually(&format!("{software:?} is ready"), || {
            let has_ended = peer.child.try_wait().unwrap().is_some();
            assert!(!has_ended, "{software:?} has ended:\n{}", peer.log());
            is_ready(address)
        });
        peer
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        self.folder.read("log")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let group = self.child.id();
        let kill = |signal: &str| {
            let command = format!("kill -{signal} -{group}");
            let _ = Command::new("sh").args(["-c", &command]).stderr(Stdio::null()).status();
        };
        // The whole group: NSD answers from children of its own, and waits for them if asked.
        kill("TERM");
        let deadline = Instant::now() + Duration::from_secs(2);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        kill("KILL");
        let _ = self.child.wait();
    }
}

/// A loopback address with a free port, below those that the kernel gives to whoever asks for
/// any: none of our servers and clients takes it before the peer does.
pub fn quiet_address() -> SocketAddr {
    const FIRST: u16 = 20_000;
    const PER_PROGRAM: u16 = 25;
    /// How many ports the tests of this program have looked at.
    static SEEN: AtomicU16 = AtomicU16::new(0);
    // Several test programs may run at a time, each with ports of its own.
    let first = FIRST + (std::process::id() % 400) as u16 * PER_PROGRAM;
    loop {
        let port = first + SEEN.fetch_add(1, Relaxed);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
