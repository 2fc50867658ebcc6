//! Reads an `upstream` block: its method, its servers, and what keeps clients at one.

use std::time::Duration;

use super::checks::passive;
use crate::import::blocks::Statement;
use crate::import::plan::Way;
use crate::import::pool::{Host, Pool, Server, host_and_port, span_of_time};
use crate::import::report::{Fidelity, Report};
use crate::model::AdminState;

/// What an upstream says beyond its servers.
struct Draft {
    pool: Pool,
    has_method: bool,
    /// The least patient `max_fails` and its `fail_timeout`.
    fails: Option<(u64, Duration)>,
}

/// What stands in for a way that counts connections.
const NO_LOAD: &str = "nothing here counts connections: in turn, by weight; for `least-load`, give \
                       the check a `load`";

/// Reads one block.
pub(super) fn read(block: &Statement, report: &mut Report) -> Pool {
    let pool = Pool::new(block.word(1), block.place.clone());
    let mut draft = Draft { pool, has_method: false, fails: None };
    for statement in block.inner() {
        draft.directive(statement, report);
    }
    if !draft.has_method {
        let says = "in turn, by weight: what NGINX does by default";
        report.exact(&block.place, block.shown(), says);
    }
    draft.finish(block, report)
}

impl Draft {
    fn directive(&mut self, statement: &Statement, report: &mut Report) {
        let (place, shown) = (&statement.place, statement.shown());
        match statement.keyword().as_str() {
            "server" => self.server(statement, report),
            "least_conn" | "ip_hash" | "hash" | "random" | "least_time" => {
                self.has_method = true;
                let (way, fidelity, says) = self.method(statement);
                self.pool.way = way;
                report.note(place, fidelity, shown, says);
            }
            "sticky" | "sticky_cookie_insert" => report.lost(
                place,
                shown,
                "no cookie and no route is seen here; `hash` or `sticky` keep a client's network \
                 at a server",
            ),
            "keepalive" | "keepalive_requests" | "keepalive_timeout" | "keepalive_time"
            | "zone" | "ntlm" | "state" | "resolver" | "resolver_timeout" => {
                report.unrelated(place, shown);
            }
            "queue" => report.lost(place, shown, "no requests wait here"),
            _ => report.lost(place, shown, "a directive that is not known here"),
        }
    }

    /// The method of an upstream. The manual (docs/migrating.md) has the same table.
    fn method(&mut self, statement: &Statement) -> (Way, Fidelity, &'static str) {
        use Fidelity::{Approximated, Exact};
        match (statement.keyword().as_str(), statement.word(1), statement.word(2)) {
            ("least_conn", ..) | ("random", "two", "" | "least_conn") => {
                (Way::Weighted, Approximated, NO_LOAD)
            }
            ("random", ..) if statement.word(1).is_empty() => (Way::Random, Exact, "any server"),
            ("random", ..) => (
                Way::Weighted,
                Approximated,
                "nothing here measures the time of responses: as `least_conn`",
            ),
            ("least_time", ..) => (
                Way::Weighted,
                Approximated,
                "nothing here measures the time of responses to clients: as `least_conn`",
            ),
            ("ip_hash", ..) => {
                self.pool.hash_prefix = Some((24, 128));
                (Way::Hash, Exact, "by the first three octets of IPv4, or all of IPv6")
            }
            (_, key, _) if is_client(key) => {
                (Way::Hash, Approximated, "by the client's network: resolvers tell no more")
            }
            (
                _,
                "$host"
                | "$http_host"
                | "$server_name"
                | "$ssl_server_name"
                | "$ssl_preread_server_name",
                _,
            ) => (Way::NameHash, Exact, "by the name asked for"),
            _ => (
                Way::Hash,
                Approximated,
                "what a request holds is not known here: by the client's network",
            ),
        }
    }

    fn server(&mut self, statement: &Statement, report: &mut Report) {
        let (place, text) = (&statement.place, statement.word(1));
        if text.starts_with("unix:") {
            report.lost(place, text, "a socket of this machine has no address: no endpoint");
            return;
        }
        let Some((host, port)) = host_and_port(text) else {
            report.lost(place, text, "no address and no name: no endpoint");
            return;
        };
        let port = port.or(matches!(host, Host::Address(_)).then_some(80));
        let mut server = Server::new(place.clone(), host, port);
        let (mut max_fails, mut fail_timeout) = (1, Duration::from_secs(10));
        for word in statement.words.iter().skip(2) {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            match key {
                "max_fails" => max_fails = value.parse().unwrap_or(1),
                "fail_timeout" => {
                    let time = span_of_time(value, Duration::from_secs(1));
                    fail_timeout = time.unwrap_or(fail_timeout);
                }
                _ => {}
            }
            self.parameter(&mut server, word, key, value, report);
        }
        server.is_checked = max_fails > 0;
        let patient = |(fails, _): &(u64, Duration)| *fails <= max_fails;
        if max_fails > 0 && !self.fails.as_ref().is_some_and(patient) {
            self.fails = Some((max_fails, fail_timeout));
        }
        self.pool.servers.push(server);
    }

    /// One parameter of a server. The manual (docs/migrating.md) has the same table.
    fn parameter(
        &mut self,
        server: &mut Server,
        word: &str,
        key: &str,
        value: &str,
        report: &mut Report,
    ) {
        let place = &server.place.clone();
        match key {
            "weight" => match value.parse() {
                Ok(weight) => {
                    server.weight = weight;
                    report.exact(place, word, "weight");
                }
                Err(_) => report.near(place, word, "no number: weight 1"),
            },
            "backup" => {
                server.tier = 1;
                report.exact(place, word, "tier = 1: used when nothing of tier 0 is up");
            }
            "down" => {
                server.admin_state = AdminState::Disabled;
                report.exact(place, word, "admin_state = \"disabled\"");
            }
            "drain" => {
                server.admin_state = AdminState::Draining;
                report.exact(place, word, "admin_state = \"draining\"");
            }
            "max_fails" if value == "0" => {
                report.exact(place, word, "admin_state = \"forced-up\" where others are probed");
            }
            "max_fails" => report.near(
                place,
                word,
                "`fall` of a check that connects: probes fail rather than requests",
            ),
            "fail_timeout" => report.near(
                place,
                word,
                "the `interval` of the check is this by max_fails; `rise` is 1",
            ),
            "max_conns" => report.lost(
                place,
                word,
                "nothing here counts connections; where a check learns a `load`, it is its `full`",
            ),
            "slow_start" => report.lost(
                place,
                word,
                "a server that is up again has its whole share at once; `rise` makes it wait",
            ),
            "route" => report.lost(place, word, "no route is seen here"),
            "resolve" => report.near(place, word, "answered as a CNAME: clients resolve it"),
            "service" => report.lost(place, word, "SRV records are not looked up"),
            _ => report.lost(place, word, "a parameter that is not known here"),
        }
    }

    fn finish(mut self, block: &Statement, report: &mut Report) -> Pool {
        if self.pool.servers.is_empty() {
            return self.pool;
        }
        match self.fails {
            Some((fails, timeout)) => {
                let says = "a server is probed by connecting to it, in place of counting requests \
                            that fail (max_fails, fail_timeout)";
                report.near(&block.place, format!("{}: failures", block.shown()), says);
                self.pool.check = Some(passive(fails, timeout));
            }
            None => {
                let says = "max_fails=0 for all servers: none is probed";
                report.exact(&block.place, format!("{}: failures", block.shown()), says);
            }
        }
        if self.pool.way == Way::Random && !alike(&self.pool.servers) {
            self.pool.way = Way::Weighted;
            let says = "`random` has no weights: in turn, by weight";
            report.near(&block.place, "random with weights", says);
        }
        self.pool
    }
}

fn alike(servers: &[Server]) -> bool {
    servers.windows(2).all(|pair| pair[0].weight == pair[1].weight)
}

/// Whether a key of `hash` is the client's address.
fn is_client(key: &str) -> bool {
    ["$remote_addr", "$binary_remote_addr", "$realip_remote_addr", "$proxy_protocol_addr"]
        .contains(&key)
}
