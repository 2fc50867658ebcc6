//! The peers: NSD, Knot DNS and BIND, each on a port of its own over the same zone files.
//! Their settings make them comparable and nothing else: the same largest UDP payload, no
//! rate limits, no cookies, and only what an answer needs in the authority section.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use crate::common::dns::{packet, send};
use crate::common::peers::{Config, Peer, Software};
use crate::common::{Folder, PROGRAM, Server, has};
use crate::name::Name;
use crate::zones::Zone;

/// Whom ours is compared with.
pub const COMPARED: [Software; 3] = [Software::Nsd, Software::Knot, Software::Bind];

/// The largest UDP payload of everybody.
pub const MAX_UDP_PAYLOAD: u16 = 1232;

const SOA: u16 = 6;

const NSD: &str = "
  ipv4-edns-size: PAYLOAD
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
  minimal-responses: yes
  refuse-any: no
  hide-version: yes
";

const KNOT: &str = "
  udp-max-payload: PAYLOAD
  edns-client-subnet: on
";

const KNOT_TEMPLATE: &str = "
template:
  - id: default
    storage: DIRECTORY
    zonefile-sync: -1
    journal-content: none
";

const BIND: &str = "
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
";

fn start(software: Software, zones: &[Zone]) -> Peer {
    let folder = Folder::new(&[]);
    zones.iter().for_each(|zone| zone.write(&folder));
    let (options, template) = match software {
        Software::Nsd => (NSD, ""),
        Software::Knot => (KNOT, KNOT_TEMPLATE),
        _ => (BIND, ""),
    };
    let served: String = zones.iter().map(|zone| software.zone(zone.apex, &zone.file())).collect();
    let config = Config {
        options: options.replace("PAYLOAD", &MAX_UDP_PAYLOAD.to_string()),
        more: template.to_owned() + &served,
    };
    let peer = Peer::start(software, folder, &config, |address| {
        zones.iter().any(|zone| answers_for(address, zone))
    });
    let has_all = zones.iter().all(|zone| answers_for(peer.address, zone));
    assert!(has_all, "{software:?} leaves a zone out:\n{}", peer.log());
    peer
}

/// Whether a server has an SOA, as an authority.
fn answers_for(server: SocketAddr, zone: &Zone) -> bool {
    send(server, &packet(1, zone.apex, SOA, None), Duration::from_secs(1))
        .is_some_and(|reply| reply[2] & 4 != 0 && reply[7] == 1)
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
            COMPARED.into_iter().filter(|software| has(software.program())).collect();
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
        let peers = software.into_iter().map(|software| start(software, zones)).collect();
        let apexes = zones.iter().map(Zone::apex).collect();
        Some(Self { meridian, peers, apexes, _folder: folder })
    }

    pub fn is_complete(&self) -> bool {
        self.peers.len() == COMPARED.len()
    }
}
