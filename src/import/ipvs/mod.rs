//! Reads what `ipvsadm -Sn` prints: virtual services and their real servers.
//!
//! IPVS forwards packets; an answer sends the client to the server itself. So what remains of
//! a virtual service is whom it picks, and for how long a client stays there.

mod merge;
mod schedulers;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::error::ImportError;
use super::pool::{Host, Pool, Server, host_and_port};
use super::read_text;
use super::report::Report;
use crate::model::{AdminState, Files};
use crate::zone::Place;
use merge::merge;
use schedulers::SCHEDULERS;

/// What IPVS takes where no scheduler is said.
const DEFAULT_SCHEDULER: &str = "wlc";
/// What `-p` is without a number.
const DEFAULT_PERSISTENCE: Duration = Duration::from_secs(300);

/// One virtual service.
struct Virtual {
    place: Place,
    /// `-t 192.0.2.1:80`, by which its real servers name it.
    id: String,
    front: Front,
    pool: Pool,
    scheduler: String,
}

/// What packets are gathered by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Front {
    Address(IpAddr),
    /// A firewall mark, of both families.
    Mark(String),
    /// What is neither.
    Unknown,
}

/// A line, taken apart.
#[derive(Default)]
struct Line {
    command: Option<char>,
    /// Options with their values, in order; short names.
    options: Vec<(String, String)>,
}

/// Long options and the short ones they stand for.
const LONG: &[(&str, &str)] = &[
    ("--add-service", "-A"),
    ("--edit-service", "-E"),
    ("--add-server", "-a"),
    ("--edit-server", "-e"),
    ("--tcp-service", "-t"),
    ("--udp-service", "-u"),
    ("--fwmark-service", "-f"),
    ("--scheduler", "-s"),
    ("--persistent", "-p"),
    ("--netmask", "-M"),
    ("--real-server", "-r"),
    ("--gatewaying", "-g"),
    ("--ipip", "-i"),
    ("--masquerading", "-m"),
    ("--weight", "-w"),
    ("--u-threshold", "-x"),
    ("--l-threshold", "-y"),
    ("--ops", "-o"),
    ("--ipv6", "-6"),
    ("--sched-flags", "-b"),
];

/// Options that take a value. `-p` may.
const VALUED: &[&str] = &[
    "-t",
    "-u",
    "--sctp-service",
    "-f",
    "-s",
    "-M",
    "-r",
    "-w",
    "-x",
    "-y",
    "-b",
    "--pe",
    "--tun-type",
    "--tun-port",
];

impl Line {
    fn read(text: &str) -> Self {
        let mut line = Self::default();
        let spaced = text.replace('=', " ");
        let mut words = spaced.split_whitespace().peekable();
        words.next_if(|word| word.ends_with("ipvsadm"));
        while let Some(word) = words.next() {
            let short =
                LONG.iter().find(|(long, _)| *long == word).map_or(word, |(_, short)| short);
            match short {
                "-A" | "-E" => line.command = Some('A'),
                "-a" | "-e" => line.command = Some('a'),
                "-p" => {
                    let is_number = |next: &&str| next.bytes().all(|c| c.is_ascii_digit());
                    let value = words.next_if(is_number).unwrap_or_default();
                    line.options.push(("-p".to_owned(), value.to_owned()));
                }
                _ => {
                    let value = match VALUED.contains(&short) {
                        true => words.next().unwrap_or_default(),
                        false => "",
                    };
                    line.options.push((short.to_owned(), value.to_owned()));
                }
            }
        }
        line
    }

    fn value(&self, option: &str) -> Option<&str> {
        self.options.iter().find(|(name, _)| name == option).map(|(_, value)| value.as_str())
    }

    /// Which virtual service the line is about.
    fn id(&self) -> Option<(&str, &str)> {
        let kinds = ["-t", "-u", "--sctp-service", "-f"];
        let of = self.options.iter().find(|(name, _)| kinds.contains(&name.as_str()));
        of.map(|(kind, value)| (kind.as_str(), value.as_str()))
            .filter(|(_, value)| !value.is_empty())
    }
}

/// Reads the virtual services of a file.
///
/// # Errors
/// When the file cannot be read, or a line is no line of `ipvsadm -S`.
pub(super) fn read(
    path: &Path,
    files: &dyn Files,
    report: &mut Report,
) -> Result<Vec<Pool>, ImportError> {
    let text = read_text(path, files)?;
    let file: Arc<Path> = path.into();
    let mut services: Vec<Virtual> = Vec::new();
    for (number, text) in text.lines().enumerate() {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let place = Place { file: file.clone(), line: number + 1 };
        let wrong = |message: &str| ImportError::Syntax {
            file: path.to_owned(),
            line: number + 1,
            message: message.to_owned(),
        };
        let line = Line::read(text);
        let Some(command) = line.command else {
            return Err(wrong("neither `-A` nor `-a`: give it what `ipvsadm -Sn` prints"));
        };
        let Some((kind, address)) = line.id() else {
            return Err(wrong("the line names no virtual service: `-t`, `-u` or `-f`"));
        };
        let family = if kind == "-f" && line.value("-6").is_some() { " -6" } else { "" };
        let id = format!("{kind} {address}{family}");
        if command == 'A' {
            services.push(virtual_service(&line, (kind, address), id, place, report));
            continue;
        }
        let Some(service) = services.iter_mut().rev().find(|service| service.id == id) else {
            return Err(wrong("a server of a virtual service that no line before adds"));
        };
        let server = real_server(&line, &place, report);
        service.pool.servers.extend(server);
    }
    Ok(merge(services, report))
}

fn virtual_service(
    line: &Line,
    (kind, address): (&str, &str),
    id: String,
    place: Place,
    report: &mut Report,
) -> Virtual {
    let mut pool = Pool::new(id.clone(), place.clone());
    let mut front = Front::Unknown;
    if kind == "-f" {
        let says = "what a mark gathers is one service: list all its names in `names`, and in \
                    `check` one check for each port, for a server is up while all of them pass";
        report.near(&place, &id, says);
        pool.affinity_group = Some(format!("fwmark-{address}"));
        front = Front::Mark(address.to_owned());
    } else if let Some((Host::Address(host), port)) = host_and_port(without_port_0(address)) {
        front = Front::Address(host);
        pool.ports.extend(port);
        let says = "the virtual address: names now lead to the servers themselves, and nothing \
                    answers there";
        report.near(&place, &id, says);
    } else {
        report.near(&place, &id, "not an address and a port; `ipvsadm -Sn` prints those");
    }
    let word = line.value("-s").unwrap_or(DEFAULT_SCHEDULER).to_owned();
    let shown = format!("-s {word}");
    match SCHEDULERS.iter().find(|one| one.word == word) {
        Some(one) => {
            report.note(&place, one.fidelity, shown, one.says);
            pool.way = one.way;
        }
        None => report.near(&place, shown, "no scheduler known here: in turn, by weight"),
    }
    if let Some((timeout, prefix)) = persistence(line, &place, report) {
        pool.sticky = Some(timeout);
        pool.hash_prefix = Some(prefix);
    }
    report.exact(
        &place,
        "no health checks",
        "IPVS probes nothing, so the endpoints are always up; what keepalived or ldirectord \
         probed goes under `check`",
    );
    for (option, value) in &line.options {
        let shown = format!("{option} {value}").trim_end().to_owned();
        match option.as_str() {
            "-t" | "-u" | "--sctp-service" | "-f" | "-s" | "-p" | "-M" | "-6" => {}
            "-b" => flags(value, &place, report),
            "-o" => report.unrelated(&place, "-o"),
            "--pe" => report.lost(&place, shown, "it looks into packets, and none passes here"),
            _ => report.lost(&place, shown, "an option that is not known here"),
        }
    }
    Virtual { place, id, front, pool, scheduler: word }
}

/// An address and a port, but for port 0: that is all ports.
fn without_port_0(text: &str) -> &str {
    let is_port = text.contains(['.', ']']);
    text.strip_suffix(":0").filter(|_| is_port).unwrap_or(text)
}

/// Flags of `sh` and `mh`.
fn flags(value: &str, place: &Place, report: &mut Report) {
    for flag in value.split(',') {
        match flag {
            "sh-fallback" | "mh-fallback" => {
                report.exact(place, flag, "clients of a server that is down go to another");
            }
            _ => report.lost(place, flag, "a question has no port of the connection to come"),
        }
    }
}

/// Persistence, and how much of a client is the network it goes by.
fn persistence(line: &Line, place: &Place, report: &mut Report) -> Option<(Duration, (u8, u8))> {
    let seconds = line.value("-p")?;
    let timeout = seconds.parse().map_or(DEFAULT_PERSISTENCE, Duration::from_secs);
    let mask = line.value("-M");
    let (mut prefix_v4, mut prefix_v6) = (24, 56);
    if let Some(mask) = mask {
        match (mask.parse::<Ipv4Addr>(), mask.parse::<u8>()) {
            (Ok(mask), _) => prefix_v4 = mask.to_bits().leading_ones() as u8,
            (_, Ok(bits)) if bits <= 128 => prefix_v6 = bits,
            _ => report.near(place, format!("-M {mask}"), "no netmask: /24 and /56"),
        }
    }
    let says = format!(
        "a client's network (/{prefix_v4}, /{prefix_v6}) stays where it is, from question to \
         question rather than from connection to connection"
    );
    report.near(place, format!("-p {seconds}").trim_end(), says);
    if let Some(mask) = mask {
        let says = "`hash_prefix_v4` and `hash_prefix_v6`, which say whom `sticky` goes by";
        report.exact(place, format!("-M {mask}"), says);
    }
    Some((timeout, (prefix_v4, prefix_v6)))
}

fn real_server(line: &Line, place: &Place, report: &mut Report) -> Option<Server> {
    let text = line.value("-r").unwrap_or_default();
    let Some((host, port)) = host_and_port(without_port_0(text)) else {
        report.lost(place, format!("-r {text}"), "no address: no endpoint");
        return None;
    };
    let mut server = Server::new(place.clone(), host, port);
    for (option, value) in &line.options {
        let shown = format!("{option} {value}").trim_end().to_owned();
        match option.as_str() {
            "-t" | "-u" | "--sctp-service" | "-f" | "-r" | "-6" => {}
            "-w" => weight(&mut server, value, report),
            "-g" => report.near(
                place,
                "-g",
                "direct routing: the server answers clients already; now they come by its own \
                 address, and it needs the virtual one no longer",
            ),
            "-i" => report.near(
                place,
                "-i",
                "a tunnel: the server answers clients already; now they come by its own address",
            ),
            "-m" => report.lost(
                place,
                "-m",
                "no address is translated: clients connect to the server's own address and port",
            ),
            "-x" | "-y" if value == "0" => {}
            "-x" => report.lost(
                place,
                shown,
                "nothing here counts connections; where a check learns a `load`, it is its `full`, \
                 and `capacity` keeps clients from a site that is full",
            ),
            "-y" => report.lost(place, shown, "nothing here counts connections"),
            _ => report.lost(place, shown, "an option that is not known here"),
        }
    }
    Some(server)
}

fn weight(server: &mut Server, value: &str, report: &mut Report) {
    let shown = format!("-w {value}");
    match value.parse() {
        Ok(0) => {
            server.admin_state = AdminState::Draining;
            report.exact(&server.place, shown, "admin_state = \"draining\": quiesced");
        }
        Ok(weight) => {
            server.weight = weight;
            report.exact(&server.place, shown, "weight");
        }
        Err(_) => report.near(&server.place, shown, "no number: weight 1"),
    }
}

/// The schedulers that are known, for the test that reads the manual.
#[cfg(test)]
pub(super) fn scheduler_words() -> impl Iterator<Item = &'static str> {
    SCHEDULERS.iter().map(|one| one.word)
}
