//! Reads the parameters of `server`, `default-server` and `server-template`.

use std::net::Ipv6Addr;
use std::time::Duration;

use super::lines::Line;
use crate::import::pool::{Host, Server, host_and_port, port_number, span_of_time};
use crate::import::report::Report;
use crate::model::AdminState;

/// What the parameters of a server say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) weight: u64,
    pub(super) is_checked: bool,
    pub(super) is_disabled: bool,
    pub(super) is_backup: bool,
    pub(super) interval: Duration,
    pub(super) rise: u64,
    pub(super) fall: u64,
    pub(super) probe_port: Option<u16>,
    /// Whether probes speak TLS: said, or as the traffic does.
    pub(super) is_tls: bool,
    pub(super) verify: bool,
}

impl Default for Parameters {
    /// Those of a server of which nothing is said.
    fn default() -> Self {
        Self {
            weight: 1,
            is_checked: false,
            is_disabled: false,
            is_backup: false,
            interval: Duration::from_secs(2),
            rise: 2,
            fall: 3,
            probe_port: None,
            is_tls: false,
            verify: true,
        }
    }
}

/// Parameters whose value is the next word, and which need no word of their own here.
const VALUED: &[&str] = &[
    "id",
    "alpn",
    "npn",
    "ciphers",
    "ciphersuites",
    "crt",
    "crl-file",
    "ssl-min-ver",
    "ssl-max-ver",
    "source",
    "interface",
    "namespace",
    "pool-max-conn",
    "pool-purge-delay",
    "pool-low-conn",
    "init-addr",
    "resolvers",
    "resolve-prefer",
    "resolve-net",
    "resolve-opts",
    "proto",
    "log-proto",
    "tcp-ut",
    "maxqueue",
    "minconn",
    "error-limit",
    "socks4",
    "ws",
    "verifyhost",
    "check-alpn",
    "check-proto",
    "log-bufsize",
    "max-reuse",
    "guid",
    "ca-file",
    "sigalgs",
    "client-sigalgs",
    "curves",
    "shard",
    "hash-key",
];

/// Parameters without a value that have no bearing on who is answered.
const FLAGS: &[&str] = &[
    "tfo",
    "allow-0rtt",
    "stick",
    "no-backup",
    "no-tls-tickets",
    "tls-tickets",
    "ssl-reuse",
    "no-ssl-reuse",
    "no-sslv3",
    "no-tlsv10",
    "no-tlsv11",
    "no-tlsv12",
    "no-tlsv13",
    "force-sslv3",
    "force-tlsv10",
    "force-tlsv11",
    "force-tlsv12",
    "force-tlsv13",
    "no-check-send-proxy",
    "no-send-proxy",
    "no-send-proxy-v2",
    "no-agent-check",
    "no-tfo",
    "no-verifyhost",
    "renegotiate",
    "no-renegotiate",
];

const NO_AGENT: &str = "no agent is asked for weight or state; a check learns them by HTTP \
                        (`load`, `weight_from`)";
const NO_PROXY: &str = "clients and probes come without a PROXY header: have the server take that";
const NO_CONNECTION: &str = "connections do not pass here";

/// Parameters without an equivalent, whether they take a value, and why.
const LOST: &[(&str, bool, &str)] = &[
    (
        "cookie",
        true,
        "no cookie is seen here; `hash` or `sticky` keep a client's network at a server",
    ),
    (
        "slowstart",
        true,
        "a server that is up again has its whole share at once; `rise` makes it wait",
    ),
    ("observe", true, NO_CONNECTION),
    ("on-error", true, NO_CONNECTION),
    ("on-marked-down", true, NO_CONNECTION),
    ("on-marked-up", true, NO_CONNECTION),
    ("non-stick", false, "`sticky` holds for all endpoints"),
    ("redir", true, "no request comes here"),
    ("agent-check", false, NO_AGENT),
    ("agent-port", true, NO_AGENT),
    ("agent-inter", true, NO_AGENT),
    ("agent-addr", true, NO_AGENT),
    ("agent-send", true, NO_AGENT),
    ("send-proxy", false, NO_PROXY),
    ("send-proxy-v2", false, NO_PROXY),
    ("send-proxy-v2-ssl", false, NO_PROXY),
    ("send-proxy-v2-ssl-cn", false, NO_PROXY),
    ("check-send-proxy", false, NO_PROXY),
    ("proxy-v2-options", true, NO_PROXY),
    ("set-proxy-v2-tlv-fmt", true, NO_PROXY),
    ("check-via-socks4", false, "probes connect straight away"),
    ("check-sni", true, "the name in a probe's handshake is the check's `sni`: set it there"),
    ("sni", true, "the name in a probe's handshake is the check's `sni`: set it there"),
];

impl Parameters {
    /// Takes the words behind the address. The manual (docs/migrating.md) has the same table.
    pub(super) fn take(&mut self, line: &Line, from: usize, report: &mut Report) {
        let place = &line.place;
        let mut words = line.words.iter().skip(from).map(String::as_str);
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_default();
            match word {
                "weight" | "rise" | "fall" | "maxconn" => self.number(line, word, value(), report),
                "inter" | "fastinter" | "downinter" => {
                    let value = value();
                    self.time(line, word, value, report);
                }
                "port" => {
                    let value = value();
                    self.probe_port = port_number(value);
                    report.exact(place, format!("port {value}"), "where the endpoint is probed");
                }
                "addr" => {
                    let says = "give the endpoint a `probe`: it is probed at its own address";
                    report.near(place, format!("addr {}", value()), says);
                }
                "check" => {
                    self.is_checked = true;
                    report.exact(place, word, "the endpoint is probed");
                }
                "no-check" => {
                    self.is_checked = false;
                    report.exact(place, word, "the endpoint is not probed");
                }
                "backup" => {
                    self.is_backup = true;
                    let says = "a higher tier: used when nothing below is up; without \
                                `option allbackups` one after the other";
                    report.exact(place, word, says);
                }
                "disabled" => {
                    self.is_disabled = true;
                    report.exact(place, word, "admin_state = \"disabled\"");
                }
                "enabled" => {
                    self.is_disabled = false;
                    report.exact(place, word, "admin_state = \"enabled\"");
                }
                "ssl" | "check-ssl" => {
                    self.is_tls = true;
                    report.exact(place, word, "an HTTP check goes over TLS");
                }
                "no-ssl" | "no-check-ssl" => {
                    self.is_tls = false;
                    report.exact(place, word, "an HTTP check goes without TLS");
                }
                "verify" => {
                    let value = value();
                    self.verify = value != "none";
                    report.exact(place, format!("verify {value}"), "`verify` of the check");
                }
                "track" => {
                    let says = "the endpoint is probed itself; one target under one check is \
                                probed once";
                    self.is_checked = true;
                    report.near(place, format!("track {}", value()), says);
                }
                _ if VALUED.contains(&word) => {
                    report.unrelated(place, format!("{word} {}", value()));
                }
                _ if FLAGS.contains(&word) => report.unrelated(place, word),
                _ => match LOST.iter().find(|(known, ..)| *known == word) {
                    Some((_, true, says)) => {
                        report.lost(place, format!("{word} {}", value()), says);
                    }
                    Some((_, false, says)) => report.lost(place, word, says),
                    None => report.lost(place, word, "a parameter that is not known here"),
                },
            }
        }
    }

    fn number(&mut self, line: &Line, word: &str, value: &str, report: &mut Report) {
        let (place, shown) = (&line.place, format!("{word} {value}"));
        let Ok(number) = value.parse::<u64>() else {
            report.near(place, shown, "no number: the default");
            return;
        };
        match word {
            "rise" => self.rise = number,
            "fall" => self.fall = number,
            "maxconn" => {
                let says = "nothing here counts connections; where a check learns a `load`, it is \
                            its `full`";
                report.lost(place, shown, says);
                return;
            }
            _ => self.weight = number,
        }
        match (word, number) {
            ("weight", 0) => report.exact(place, shown, "admin_state = \"draining\""),
            _ => report.exact(place, shown, word),
        }
    }

    fn time(&mut self, line: &Line, word: &str, value: &str, report: &mut Report) {
        let (place, shown) = (&line.place, format!("{word} {value}"));
        match (word, span_of_time(value, Duration::from_millis(1))) {
            ("inter", Some(interval)) => {
                self.interval = interval;
                report.exact(place, shown, "interval");
            }
            ("inter", None) => report.near(place, shown, "no time: 2s"),
            _ => report.near(place, shown, "one interval at all times: `inter`"),
        }
    }
}

/// The server of a `server` line, or those of a `server-template`, if they can be answered.
pub(super) fn server(
    line: &Line,
    text: &str,
    parameters: &Parameters,
    report: &mut Report,
) -> Option<Server> {
    let place = &line.place;
    let mut lose = |says: &str| {
        report.lost(place, text, format!("{says}: no endpoint"));
        None
    };
    if ["unix@", "abns@", "abnsz@", "fd@", "sockpair@", "/", "rhttp@"]
        .iter()
        .any(|kind| text.starts_with(kind))
    {
        return lose("a socket of this machine has no address");
    }
    let bare = ["ipv4@", "ipv6@", "tcp4@", "tcp6@", "tcp@", "udp@", "quic4@", "quic6@"]
        .iter()
        .find_map(|kind| text.strip_prefix(kind))
        .unwrap_or(text);
    // `+80` and `-80` are the port of the front end, moved; no port is that port.
    let (bare, is_moved) = match bare.rsplit_once(':') {
        Some((host, port)) if port.starts_with(['+', '-']) => (host, true),
        _ => (bare, false),
    };
    let Some((host, port)) = address_and_port(bare) else {
        return lose("no address and no name");
    };
    if matches!(&host, Host::Name(name) if name == "*") {
        return lose("the address the client wanted, and no connection comes here");
    }
    if is_moved {
        let says = "a port that is counted from the client's: an answer has no port";
        report.lost(place, text, says);
    }
    let mut server = Server::new(place.clone(), host, port);
    server.probe_port = parameters.probe_port;
    server.is_checked = parameters.is_checked;
    server.admin_state = match (parameters.is_disabled, parameters.weight) {
        (true, _) => AdminState::Disabled,
        (false, 0) => AdminState::Draining,
        (false, _) => AdminState::Enabled,
    };
    server.weight = parameters.weight.max(1);
    Some(server)
}

/// As most formats write it; of an IPv6 address without brackets the last colon is that of
/// the port.
fn address_and_port(text: &str) -> Option<(Host, Option<u16>)> {
    if !text.starts_with('[')
        && let Some((host, port)) = text.rsplit_once(':')
        && let Ok(address) = host.parse::<Ipv6Addr>()
    {
        return Some((Host::Address(address.into()), port_number(port)));
    }
    host_and_port(text)
}
