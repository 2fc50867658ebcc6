//! Reads what a back end says: how it chooses, its servers, what keeps clients at one.

use std::time::Duration;

use super::checks::Probes;
use super::lines::{Line, Section};
use super::other;
use super::server::{Parameters, server};
use crate::import::plan::{ProbePlan, Way};
use crate::import::pool::{Pool, Server, span_of_time};
use crate::import::report::{Fidelity, Report};
use crate::model::AdminState;

/// What the lines so far say; sections of defaults hand theirs on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Backend {
    balance: Option<Line>,
    probes: Probes,
    default_server: Parameters,
    /// With the name HAProxy knows each by.
    pub(super) servers: Vec<(String, Server, Parameters)>,
    has_all_backups: bool,
    /// `mode tcp`: HAProxy sees no requests either.
    is_tcp: bool,
    /// The whole section is switched off.
    is_disabled: bool,
    stick: Option<(u8, u8)>,
    expire: Option<Duration>,
    /// It shows the statistics.
    pub(super) has_page: bool,
}

const NO_LOAD: &str = "nothing here counts connections: in turn, by weight; for `least-load`, give \
                       the check a `load`";
const NO_REQUEST: &str = "what a request holds is not known here: by the client's network";

/// Options that have to do with where connections go, and do not come here.
const LOST_OPTIONS: &[(&str, &str)] = &[
    (
        "redispatch",
        "requests are not tried again: clients try the next address, with \
                    `max_answers` above 1",
    ),
    ("transparent", "no connection comes here whose address could be kept"),
    ("http_proxy", "no request comes here"),
    ("persist", "no cookie is seen here"),
    ("forwardfor", "servers see the clients themselves: no header is needed"),
];

impl Backend {
    /// Takes one line of a back end or of defaults.
    pub(super) fn directive(&mut self, line: &Line, report: &mut Report) {
        let (place, shown) = (&line.place, line.shown());
        match line.word(0) {
            "balance" => self.balance = Some(line.clone()),
            "mode" => {
                self.is_tcp = line.word(1) == "tcp";
                report.unrelated(place, "mode");
            }
            "hash-type" => match line.word(1) {
                "consistent" => {
                    report.exact(place, shown, "a server less moves only its own clients");
                }
                _ => report.near(place, shown, "a server less moves its own clients alone"),
            },
            "hash-balance-factor" => {
                report.lost(place, shown, "a hash has no bound here; `locality` has one");
            }
            "default-server" => self.default_server.take(line, 1, report),
            "server" => self.server(line, line.word(2), 3, report),
            "server-template" => {
                let says = "one endpoint: addresses behind a name are not counted out";
                report.near(place, &shown, says);
                self.server(line, line.word(3), 4, report);
            }
            "option" => self.option(line, report),
            "no" if line.word(1) == "option" => match line.word(2) {
                "allbackups" => self.has_all_backups = false,
                "httpchk" => self.probes = Probes::default(),
                _ => report.unrelated(place, shown),
            },
            "http-check" => self.probes.http_check(line, report),
            "tcp-check" => self.probes.tcp_check(line, report),
            "timeout" if line.word(1) == "check" => {
                self.probes.timeout = span_of_time(line.word(2), Duration::from_millis(1));
                report.exact(place, shown, "`timeout` of the check");
            }
            "disabled" => {
                self.is_disabled = true;
                report.exact(place, shown, "admin_state = \"disabled\" of all its endpoints");
            }
            "cookie" | "appsession" => report.lost(
                place,
                shown,
                "no cookie is seen here; `hash` or `sticky` keep a client's network at a server",
            ),
            "stick-table" => self.table(line, report),
            "stick" => self.stick(line, report),
            "stats" => {
                self.has_page |= ["uri", "enable"].contains(&line.word(1));
                report.unrelated(place, "stats");
            }
            _ => other(line, report),
        }
    }

    fn option(&mut self, line: &Line, report: &mut Report) {
        let (place, word) = (&line.place, line.word(1));
        if self.probes.option(line, report) {
            return;
        }
        if word == "allbackups" {
            self.has_all_backups = true;
            report.exact(place, line.shown(), "all backups are of one tier");
            return;
        }
        match LOST_OPTIONS.iter().find(|(known, _)| *known == word) {
            Some((_, says)) => report.lost(place, line.shown(), says),
            None => report.unrelated(place, line.shown()),
        }
    }

    fn server(&mut self, line: &Line, text: &str, from: usize, report: &mut Report) {
        let mut parameters = self.default_server.clone();
        parameters.take(line, from, report);
        if let Some(server) = server(line, text, &parameters, report) {
            self.servers.push((line.word(1).to_owned(), server, parameters));
        }
    }

    /// `stick-table`: how long a client stays.
    fn table(&mut self, line: &Line, report: &mut Report) {
        let at = line.words.iter().position(|word| word == "expire");
        let expire = at.and_then(|at| span_of_time(line.word(at + 1), Duration::from_millis(1)));
        self.expire = expire.or(self.expire);
        let says = "`sticky` remembers for as long, where there is a `stick on src`";
        report.near(&line.place, line.shown(), says);
    }

    fn stick(&mut self, line: &Line, report: &mut Report) {
        let (place, shown, key) = (&line.place, line.shown(), line.word(2));
        let is_request = ["on", "match", "store-request"].contains(&line.word(1));
        let (fetch, mask) = key.split_once(',').unwrap_or((key, ""));
        if !is_request || fetch != "src" {
            let says = "what a request holds is not known here; `stick on src` is `sticky`";
            report.lost(place, shown, says);
            return;
        }
        let inside = mask.strip_prefix("ipmask(").and_then(|mask| mask.strip_suffix(')'));
        let mut bits = inside.unwrap_or_default().split(',').map(|text| text.trim().parse::<u8>());
        let mut take = |limit: u8, default: u8| {
            bits.next().and_then(Result::ok).filter(|&bits| bits <= limit).unwrap_or(default)
        };
        let (v4, v6) = (take(32, 24), take(128, 56));
        let says = format!(
            "`sticky`: a client's network (/{v4}, /{v6}) stays where it is, from question to \
             question rather than from connection to connection"
        );
        report.near(place, shown, says);
        self.stick = Some((v4, v6));
    }

    /// The method. The manual (docs/migrating.md) has the same table.
    fn method(&self) -> (Way, Fidelity, &'static str) {
        use Fidelity::{Approximated, Exact};
        let Some(balance) = &self.balance else {
            return (Way::Weighted, Exact, "in turn, by weight: what HAProxy does by default");
        };
        let word = balance.word(1).to_ascii_lowercase();
        let (method, argument) = word.split_once('(').unwrap_or((&word, ""));
        let argument = argument.trim_end_matches(')');
        match (method, argument) {
            ("roundrobin" | "static-rr", _) => (Way::Weighted, Exact, "in turn, by weight"),
            ("uri" | "url_param" | "hdr", _) if self.is_tcp => (
                Way::Weighted,
                Exact,
                "in turn, by weight: what HAProxy falls back to in `mode tcp`",
            ),
            ("leastconn", _) => (Way::Weighted, Approximated, NO_LOAD),
            ("first", _) => (
                Way::Failover,
                Approximated,
                "the first that is up; no connections are counted that could fill it",
            ),
            ("random", "1") => (Way::Random, Exact, "any server"),
            ("random", _) => (Way::Random, Approximated, "one draw, not the least busy of several"),
            ("hdr", "host") => (Way::NameHash, Exact, "by the name asked for"),
            ("source", _) => (
                Way::Hash,
                Approximated,
                "by the client's network (/24, /56): resolvers tell no more",
            ),
            ("hash", _) => {
                let key = balance.word(2).to_ascii_lowercase();
                let key = key.split(',').next().unwrap_or_default();
                match key {
                    "src" => (
                        Way::Hash,
                        Approximated,
                        "by the client's network (/24, /56): resolvers tell no more",
                    ),
                    "req.hdr(host)" | "hdr(host)" => {
                        (Way::NameHash, Exact, "by the name asked for")
                    }
                    _ => (Way::Hash, Approximated, NO_REQUEST),
                }
            }
            ("uri" | "url_param" | "hdr" | "rdp-cookie", _) => {
                (Way::Hash, Approximated, NO_REQUEST)
            }
            _ => (Way::Weighted, Approximated, "no method known here: in turn, by weight"),
        }
    }

    /// The pool of a section that ends here.
    pub(super) fn into_pool(mut self, name: &str, section: &Section, report: &mut Report) -> Pool {
        let mut pool = Pool::new(name, section.head.place.clone());
        let (way, fidelity, says) = self.method();
        pool.way = way;
        let said = self.balance.as_ref().unwrap_or(&section.head);
        report.note(&said.place, fidelity, said.shown(), says);
        let is_uneven = self.servers.windows(2).any(|pair| pair[0].1.weight != pair[1].1.weight);
        if way == Way::Random && is_uneven {
            pool.way = Way::Weighted;
            let says = "`random` has no weights: in turn, by weight";
            report.near(&said.place, "random with weights", says);
        }
        pool.sticky = self.stick.map(|_| self.expire.unwrap_or(Duration::from_secs(1800)));
        pool.hash_prefix = self.stick;
        let mut backups = 0_u16;
        for (_, server, parameters) in &mut self.servers {
            if self.is_disabled {
                server.admin_state = AdminState::Disabled;
            }
            if parameters.is_backup {
                backups = if self.has_all_backups { 1 } else { backups.saturating_add(1) };
                server.tier = backups;
            }
        }
        pool.check = self.check(section, report);
        pool.servers = self.servers.into_iter().map(|(_, server, _)| server).collect();
        pool
    }

    /// The check of the back end, where any server is probed.
    fn check(
        &self,
        section: &Section,
        report: &mut Report,
    ) -> Option<crate::import::pool::PoolCheck> {
        let mut checked = self.servers.iter().filter(|(.., parameters)| parameters.is_checked);
        let (_, _, first) = checked.next()?;
        let of = |one: &Parameters| (one.interval, one.rise, one.fall, one.is_tls, one.verify);
        if let Some((_, server, _)) = checked.find(|(.., other)| of(other) != of(first)) {
            let says = "a service has one check: the times and TLS of its first server count";
            report.near(
                &server.place,
                format!("{}: inter, rise, fall", section.head.shown()),
                says,
            );
        }
        let check = self.probes.check(first);
        if first.is_tls && matches!(check.probe, ProbePlan::Tcp { .. }) {
            let says = "a `tcp` check connects without TLS";
            report.near(&section.head.place, format!("{}: ssl", section.head.shown()), says);
        }
        Some(check)
    }
}
