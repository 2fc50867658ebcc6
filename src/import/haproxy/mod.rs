//! Reads haproxy.cfg: back ends, the names that front ends send to them, and checks.
//!
//! `lines` cuts the text, `frontend` finds names in rules, `backend` reads how servers are
//! chosen, `server` the servers, `checks` how they are probed. Here is what ties sections
//! together: defaults, and which front end leads where.

mod backend;
mod checks;
mod frontend;
mod lines;
mod server;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::error::ImportError;
use super::pool::{Pool, port_number};
use super::read_text;
use super::report::Report;
use crate::model::Files;
use backend::Backend;
use frontend::Routes;
use lines::{Line, Section};

/// What is about requests or connections on their way, which do not come here.
const OF_REQUESTS: &[(&str, &str)] = &[
    ("http-request", "requests do not pass here"),
    ("http-response", "responses do not pass here"),
    ("http-after-response", "responses do not pass here"),
    ("tcp-request", "connections do not pass here"),
    ("tcp-response", "connections do not pass here"),
    ("redirect", "requests are not answered here"),
    ("compression", "responses do not pass here"),
    ("filter", "connections do not pass here"),
    (
        "retries",
        "requests are not tried again: clients try the next address, with `max_answers` \
                 above 1",
    ),
    ("retry-on", "requests are not tried again"),
    ("fullconn", "nothing here counts connections"),
    ("use-server", "a request has no say in an answer"),
    ("dispatch", "write the address as a server"),
    ("http-reuse", "connections do not pass here"),
    ("monitor-uri", "requests are not answered here"),
    ("monitor-net", "requests are not answered here"),
    ("persist", "no cookie is seen here"),
    ("max-session-srv-conns", "connections do not pass here"),
    ("load-server-state-from-file", "health is kept by `health.state_file`"),
    ("force-persist", "no cookie is seen here"),
    ("ignore-persist", "no cookie is seen here"),
    ("email-alert", "changes of health are logged and counted; see docs/health.md"),
];

/// What is about logs, buffers, times of connections and the like.
const UNRELATED: &[&str] = &[
    "mode",
    "log",
    "log-format",
    "log-format-sd",
    "error-log-format",
    "log-tag",
    "log-steps",
    "timeout",
    "maxconn",
    "backlog",
    "description",
    "id",
    "guid",
    "bind",
    "bind-process",
    "acl",
    "capture",
    "declare",
    "errorfile",
    "errorfiles",
    "errorloc",
    "errorloc302",
    "errorloc303",
    "http-error",
    "http-send-name-header",
    "unique-id-format",
    "unique-id-header",
    "source",
    "rate-limit",
    "max-keep-alive-queue",
    "clitcpka-cnt",
    "clitcpka-idle",
    "clitcpka-intvl",
    "srvtcpka-cnt",
    "srvtcpka-idle",
    "srvtcpka-intvl",
    "external-check",
    "enabled",
    "grace",
    "option",
    "no",
    "default",
    "stats",
    "monitor",
    "server-state-file-name",
    "quic-initial",
];

/// Reads the back ends of a file.
///
/// # Errors
/// When the file cannot be read or cut into sections.
pub(super) fn read(
    path: &Path,
    files: &dyn Files,
    report: &mut Report,
) -> Result<Vec<Pool>, ImportError> {
    let text = read_text(path, files)?;
    let file: Arc<Path> = path.into();
    let sections = lines::sections(&file, &text)?;
    let mut defaults: HashMap<String, Backend> = HashMap::new();
    // What holds where no defaults are named: the last ones.
    let mut last = Backend::default();
    let mut routes = Routes::default();
    let mut backends: Vec<(String, Section, Backend)> = Vec::new();
    for section in sections {
        let name = section.head.word(1).to_owned();
        let from = section.head.words.iter().position(|word| word == "from");
        let from = from.map(|at| section.head.word(at + 1));
        let base = from.map_or(Some(&last), |name| defaults.get(name)).unwrap_or(&last).clone();
        match section.kind.as_str() {
            "defaults" => {
                // A section of defaults begins anew, unless it says from where.
                let mut own = if from.is_some() { base } else { Backend::default() };
                section.lines.iter().for_each(|line| own.directive(line, report));
                defaults.insert(name, own.clone());
                last = own;
            }
            "frontend" => frontend(&section, &name, &mut routes, report),
            "backend" => {
                let mut own = base;
                section.lines.iter().for_each(|line| own.directive(line, report));
                backends.push((name, section, own));
            }
            "listen" => {
                let own = listen(&section, &name, base, &mut routes, report);
                backends.push((name, section, own));
            }
            _ => report.unrelated(&section.head.place, section.head.shown()),
        }
    }
    let with_servers = backends.into_iter().filter(|(_, section, backend)| {
        let is_page = backend.servers.is_empty() && backend.has_page;
        if is_page {
            report.unrelated(&section.head.place, section.head.shown());
        }
        !is_page
    });
    let backends: Vec<_> = with_servers.collect();
    let pools = backends.into_iter().map(|(name, section, backend)| {
        let mut pool = backend.into_pool(&name, &section, report);
        routes.give(&mut pool);
        pool
    });
    Ok(pools.collect())
}

/// A section that is front end and back end at once.
fn listen(
    section: &Section,
    name: &str,
    mut own: Backend,
    routes: &mut Routes,
    report: &mut Report,
) -> Backend {
    let (front, back): (Vec<Line>, Vec<Line>) =
        section.lines.iter().cloned().partition(is_of_frontend);
    back.iter().for_each(|line| own.directive(line, report));
    if !own.servers.is_empty() {
        routes.default_of(name, name);
    }
    frontend(&Section { lines: front, ..section.clone() }, name, routes, report);
    own
}

/// Whether a line of a `listen` section is of its front.
fn is_of_frontend(line: &Line) -> bool {
    ["bind", "acl", "use_backend", "default_backend"].contains(&line.word(0))
}

fn frontend(section: &Section, name: &str, routes: &mut Routes, report: &mut Report) {
    for line in &section.lines {
        match line.word(0) {
            "bind" => {
                for address in line.word(1).split(',') {
                    let port = address.rsplit_once(':').and_then(|(_, port)| port_number(port));
                    routes.bind(name, port);
                }
                if line.words.iter().any(|word| word == "ssl") {
                    let says = "TLS ends at the servers then: they need the certificate";
                    report.lost(&line.place, line.shown(), says);
                } else {
                    report.unrelated(&line.place, "bind");
                }
            }
            "acl" => routes.acl(name, line, report),
            "use_backend" => routes.use_backend(name, line, report),
            "default_backend" => {
                routes.default_of(name, line.word(1));
                report.exact(&line.place, line.shown(), "the service");
            }
            _ => other(line, report),
        }
    }
}

/// A directive that is nobody's in particular.
fn other(line: &Line, report: &mut Report) {
    let word = line.word(0);
    match OF_REQUESTS.iter().find(|(known, _)| *known == word) {
        Some((_, says)) => report.lost(&line.place, word, says),
        None if word.starts_with('.') => {
            report.near(
                &line.place,
                line.shown(),
                "conditions are not evaluated: both sides count",
            );
        }
        None if UNRELATED.contains(&word) => report.unrelated(&line.place, word),
        None => report.lost(&line.place, line.shown(), "a directive that is not known here"),
    }
}
