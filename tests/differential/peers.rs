//! The peers: NSD, Knot DNS and BIND, each on a port of its own over the same zone files.
//! Their settings make them comparable and nothing else: the same largest UDP payload, no
//! rate limits, no cookies, and only what an answer needs in the authority section.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::dns::{packet, send};
use crate::common::{Folder, PROGRAM, Server, eventually, has};
use crate::name::Name;
use crate::zones::Zone;

/// The largest UDP payload of everybody.
pub const MAX_UDP_PAYLOAD: u16 = 1232;

const SOA: u16 = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Software {
    Nsd,
    Knot,
    Bind,
}

impl Software {
    pub const ALL: [Self; 3] = [Self::Nsd, Self::Knot, Self::Bind];

    fn program(self) -> &'static str {
        match self {
            Self::Nsd => "nsd",
            Self::Knot => "knotd",
            Self::Bind => "named",
        }
    }

    /// The file name and text of its configuration.
    fn configuration(self, folder: &Folder, zones: &[Zone], port: u16) -> (&'static str, String) {
        let directory = folder.config().parent().unwrap().display().to_string();
        let (file, head, zone): (_, _, fn(&Zone) -> String) = match self {
            Self::Nsd => ("nsd.conf", NSD, |zone| {
                format!("zone:\n  name: \"{}\"\n  zonefile: \"{}\"\n", zone.apex, zone.file())
            }),
            Self::Knot => ("knot.conf", KNOT, |zone| {
                format!("  - domain: \"{}\"\n    file: \"{}\"\n", zone.apex, zone.file())
            }),
            Self::Bind => ("named.conf", BIND, |zone| {
                format!("zone \"{}\" {{ type primary; file \"{}\"; }};\n", zone.apex, zone.file())
            }),
        };
        let head = head
            .replace("DIRECTORY", &directory)
            .replace("PORT", &port.to_string())
            .replace("PAYLOAD", &MAX_UDP_PAYLOAD.to_string());
        (file, head + &zones.iter().map(zone).collect::<String>())
    }

    /// Keeps it in the foreground.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Nsd => &["-d", "-c"],
            Self::Knot => &["-c"],
            Self::Bind => &["-g", "-n", "1", "-c"],
        }
    }
}

const NSD: &str = "
server:
  ip-address: 127.0.0.1@PORT
  username: \"\"
  chroot: \"\"
  zonesdir: \"DIRECTORY\"
  database: \"\"
  pidfile: \"DIRECTORY/nsd.pid\"
  xfrdfile: \"DIRECTORY/nsd.xfrd\"
  xfrdir: \"DIRECTORY\"
  zonelistfile: \"DIRECTORY/nsd.zones\"
  server-count: 1
  ipv4-edns-size: PAYLOAD
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
  minimal-responses: yes
  refuse-any: no
  hide-version: yes
remote-control:
  control-enable: no
";

const KNOT: &str = "
server:
  rundir: DIRECTORY
  listen: 127.0.0.1@PORT
  udp-max-payload: PAYLOAD
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
  edns-client-subnet: on
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
template:
  - id: default
    storage: DIRECTORY
    zonefile-sync: -1
    journal-content: none
zone:
";

const BIND: &str = "
options {
  directory \"DIRECTORY\";
  listen-on port PORT { 127.0.0.1; };
  listen-on-v6 { none; };
  pid-file none;
  session-keyfile none;
  lock-file none;
  recursion no;
  allow-query { any; };
  allow-transfer { none; };
  notify no;
  dnssec-validation no;
  minimal-responses no-auth;
  max-udp-size PAYLOAD;
  edns-udp-size PAYLOAD;
  answer-cookie no;
  empty-zones-enable no;
  check-names primary ignore;
  check-integrity no;
  max-records-per-type 0;
  max-types-per-name 0;
  tcp-idle-timeout 1200;
};
controls { };
";

/// One peer, ended with the value together with the processes it has made.
pub struct Peer {
    pub software: Software,
    pub address: SocketAddr,
    child: Child,
    folder: Folder,
}

impl Peer {
    /// Starts it, again if somebody else took its port in the moment it was free.
    fn start(software: Software, zones: &[Zone]) -> Self {
        (0..5)
            .find_map(|_| Self::try_start(software, zones))
            .expect("one of five free ports stays free until the peer has it")
    }

    fn try_start(software: Software, zones: &[Zone]) -> Option<Self> {
        let folder = Folder::new(&[]);
        zones.iter().for_each(|zone| zone.write(&folder));
        let address = free_address();
        let (file, text) = software.configuration(&folder, zones, address.port());
        folder.write(file, &text);
        let log = std::fs::File::create(folder.path("log")).unwrap();
        let child = Command::new(path_of(software.program()))
            .args(software.arguments())
            .arg(folder.path(file))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap();
        let mut peer = Self { software, address, child, folder };
        let mut has_ended = false;
        eventually("a peer answers for its zones or ends", || {
            has_ended = peer.child.try_wait().unwrap().is_some();
            has_ended || peer.answers_for_some(zones)
        });
        if has_ended || !zones.iter().all(|zone| peer.answers_for(zone)) {
            let log = peer.folder.read("log");
            let port_is_taken = log.to_lowercase().contains("in use");
            assert!(port_is_taken, "{software:?} ends, or leaves a zone out:\n{log}");
            return None;
        }
        Some(peer)
    }

    fn answers_for_some(&self, zones: &[Zone]) -> bool {
        zones.iter().any(|zone| self.answers_for(zone))
    }

    /// Whether it has an SOA, as an authority.
    fn answers_for(&self, zone: &Zone) -> bool {
        let query = packet(1, zone.apex, SOA, None);
        send(self.address, &query, Duration::from_secs(1))
            .is_some_and(|reply| reply[2] & 4 != 0 && reply[7] == 1)
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

/// A loopback address whose port is free for UDP and TCP.
fn free_address() -> SocketAddr {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        if UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}

fn path_of(program: &str) -> PathBuf {
    let usual = PathBuf::from("/usr/sbin").join(program);
    if usual.is_file() { usual } else { PathBuf::from(program) }
}

/// Meridian and the peers that are installed, all with the same zones.
pub struct Company {
    pub meridian: Server,
    pub peers: Vec<Peer>,
    pub apexes: Vec<Name>,
    _folder: Folder,
}

impl Company {
    /// Starts everybody; nobody if there are fewer than two peers to agree with each other.
    /// `services` is added to Meridian's configuration, which may have zone files of its own.
    pub fn start(own_zones: &[Zone], services: &str, zones: &[Zone]) -> Option<Self> {
        let software: Vec<_> =
            Software::ALL.into_iter().filter(|software| has(software.program())).collect();
        if software.len() < 2 {
            eprintln!("skipped: fewer than two peers to compare with");
            return None;
        }
        let folder = Folder::new(&[]);
        let mut config = format!(
            "[server]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\n\
             max_udp_payload = {MAX_UDP_PAYLOAD}\ntcp_idle_timeout = \"1m\"\n"
        );
        for zone in own_zones {
            zone.write(&folder);
            config += &format!("[[zone]]\nname = \"{}\"\nfile = \"{}\"\n", zone.apex, zone.file());
        }
        folder.write("meridian.toml", &(config + services));
        let meridian =
            Server::spawn(Command::new(PROGRAM).args(["serve", "-c"]).arg(folder.config()));
        let peers = software.into_iter().map(|software| Peer::start(software, zones)).collect();
        let apexes = zones.iter().map(Zone::apex).collect();
        Some(Self { meridian, peers, apexes, _folder: folder })
    }

    pub fn is_complete(&self) -> bool {
        self.peers.len() == Software::ALL.len()
    }
}
