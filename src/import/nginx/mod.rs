//! Reads nginx.conf: which names lead to which upstream, and how that chooses.
//!
//! A `server` block gives names to the upstream it passes everything to. What it does with
//! requests beyond that is NGINX's own, and reported. The upstreams themselves are read in
//! `upstream`. Includes are followed where they name one file; where they are patterns, the
//! output of `nginx -T` has everything in one text.

mod checks;
mod upstream;

use std::path::Path;

use super::blocks::{Dialect, Statement};
use super::error::ImportError;
use super::include::Includer;
use super::naming::bare;
use super::pool::{Host, Pool, Server, host_and_port, port_number};
use super::report::Report;
use crate::model::{Files, WireName};
use crate::zone::Place;
use checks::Matches;

/// Files that NGINX comes with, and that are about requests.
const HARMLESS: &[&str] = &[
    "mime.types",
    "fastcgi_params",
    "fastcgi.conf",
    "uwsgi_params",
    "scgi_params",
    "proxy_params",
];

/// What passes a request on to other servers.
const PASSES: &[&str] =
    &["proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass", "memcached_pass"];

/// What chooses by the content of a request, or stands between client and server.
const OF_REQUESTS: &[(&str, &str)] = &[
    ("split_clients", "requests are not split here; endpoints have a `weight`"),
    ("map", "no variables of requests: names and clients decide"),
    ("geo", "no variables of requests; `geo-proximity` and `[[geoip.override]]` go by client"),
    ("geoip_country", "`geo-proximity` goes by where the client is"),
    ("geoip_city", "`geo-proximity` goes by where the client is"),
    ("geoip2", "`geo-proximity` goes by where the client is"),
    ("rewrite", "requests are not rewritten: clients ask the servers themselves"),
    ("return", "requests are not answered here"),
    ("try_files", "requests are not answered here"),
    ("mirror", "requests are not copied"),
    (
        "proxy_next_upstream",
        "requests are not tried again: clients try the next address, with \
                             `max_answers` above 1",
    ),
    ("proxy_cache", "answers of servers are not cached"),
    ("ssl_certificate", "TLS ends at the servers then: they need the certificate"),
    ("proxy_protocol", "connections do not pass here"),
    ("limit_conn", "connections do not pass here"),
    ("limit_req", "requests do not pass here"),
    ("auth_basic", "requests do not pass here"),
    ("sub_filter", "requests do not pass here"),
    ("proxy_bind", "connections do not pass here"),
    ("js_content", "requests do not pass here"),
];

/// What was found so far.
#[derive(Default)]
struct Found {
    upstreams: Vec<Statement>,
    servers: Vec<Statement>,
    matches: Matches,
}

/// Reads the pools of a file and of those it includes.
///
/// # Errors
/// When the file cannot be read, or a brace, a quote or a `;` is missing.
pub(super) fn read(
    path: &Path,
    files: &dyn Files,
    report: &mut Report,
) -> Result<Vec<Pool>, ImportError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let places = |target: &str| vec![folder.join(target)];
    let mut includer = Includer {
        files,
        dialect: Dialect::Nginx,
        places: &places,
        harmless: HARMLESS,
        report,
        depth: 0,
        count: 0,
    };
    let statements = includer.read(path)?;
    let mut found = Found::default();
    walk(statements, &mut found, report);
    let mut pools: Vec<Pool> =
        found.upstreams.iter().map(|one| upstream::read(one, report)).collect();
    for server in &found.servers {
        serve(server, &found, &mut pools, report);
    }
    Ok(pools)
}

/// Sorts out what has to do with balancing, in whichever block it lies.
fn walk(statements: Vec<Statement>, found: &mut Found, report: &mut Report) {
    for mut statement in statements {
        match statement.keyword().as_str() {
            "http" | "stream" => walk(statement.block.take().unwrap_or_default(), found, report),
            "upstream" if statement.block.is_some() => found.upstreams.push(statement),
            "server" if statement.block.is_some() => found.servers.push(statement),
            "match" => found.matches.add(&statement, report),
            _ => other(&statement, report),
        }
    }
}

/// A directive that is nobody's in particular.
fn other(statement: &Statement, report: &mut Report) {
    let keyword = statement.keyword();
    match OF_REQUESTS.iter().find(|(word, _)| *word == keyword) {
        Some((_, says)) => report.lost(&statement.place, keyword, says),
        None => report.unrelated(&statement.place, keyword),
    }
}

/// What one `server` block says.
#[derive(Default)]
struct Block {
    names: Vec<(WireName, Place)>,
    ports: Vec<u16>,
    is_udp: bool,
    passes: Vec<Pass>,
}

/// A `proxy_pass` and where it stands.
struct Pass {
    place: Place,
    /// As it was written.
    shown: String,
    target: String,
    /// The path of its location; nothing right in the block.
    location: Option<String>,
    health_check: Option<Statement>,
}

/// Gives the names of a block to the upstream it passes requests to.
///
/// ```text
/// passes of the block            whose are the names
/// none                           nobody's
/// of one target                  that one's
/// of several, one at `location /` or outside locations
///                                that one's; the others are told to be impossible
/// of several, none there         the first one's; the others likewise
/// ```
fn serve(server: &Statement, found: &Found, pools: &mut Vec<Pool>, report: &mut Report) {
    let mut block = Block::default();
    read_block(server.inner(), None, &mut block, report);
    let is_root = |pass: &&Pass| pass.location.as_deref().is_none_or(|path| path == "/");
    let Some(main) = block.passes.iter().find(is_root).or(block.passes.first()) else {
        for (name, place) in &block.names {
            let says = "the block passes nothing on to other servers: no service";
            report.lost(place, format!("server_name {}", bare(name)), says);
        }
        return;
    };
    for pass in &block.passes {
        if pass.target != main.target {
            let says = format!(
                "a path has no say in an answer: its upstream is a service with a name of its own, \
                 and the names here lead to `{}`",
                main.target
            );
            report.lost(&pass.place, &pass.shown, says);
        }
    }
    for pass in &block.passes {
        let Some(pool) = pool_of(pass, pools, report) else { continue };
        for port in &block.ports {
            if !pool.ports.contains(port) {
                pool.ports.push(*port);
            }
        }
        if let Some(check) = &pass.health_check {
            pool.check = Some(checks::active(check, found, report));
        }
        if block.is_udp && pool.check.take().is_some() {
            let says = "UDP is not probed; for DNS servers, there is a check of type `dns`";
            report.near(&pass.place, "listen ... udp", says);
        }
        if pass.target == main.target {
            report.exact(&pass.place, &pass.shown, format!("the service `{}`", pool.key));
            for (name, place) in &block.names {
                pool.add_name(name.clone());
                report.exact(place, format!("server_name {}", bare(name)), "a name of the service");
            }
        }
    }
}

/// The pool that a pass leads to; one of its own where it names a server and no upstream.
fn pool_of<'p>(pass: &Pass, pools: &'p mut Vec<Pool>, report: &mut Report) -> Option<&'p mut Pool> {
    if pass.target.contains('$') {
        let says = "a variable of the request chooses, and no request comes here";
        report.lost(&pass.place, &pass.shown, says);
        return None;
    }
    if let Some(at) = pools.iter().position(|pool| pool.key == pass.target) {
        return pools.get_mut(at);
    }
    let Some((host, port)) = host_and_port(&pass.target) else {
        report.lost(&pass.place, &pass.shown, "neither an upstream nor a server");
        return None;
    };
    if matches!(&host, Host::Name(name) if name.starts_with("unix")) {
        report.lost(&pass.place, &pass.shown, "a socket of this machine has no address");
        return None;
    }
    let mut pool = Pool::new(pass.target.clone(), pass.place.clone());
    let https = pass.shown.contains("https://");
    let port = port.or(Some(if https { 443 } else { 80 }));
    pool.servers.push(Server::new(pass.place.clone(), host, port));
    pools.push(pool);
    pools.last_mut()
}

/// Reads the directives of a `server` block, of its locations and of their `if` blocks.
fn read_block(
    statements: &[Statement],
    location: Option<&str>,
    block: &mut Block,
    report: &mut Report,
) {
    let health_check = statements.iter().find(|one| one.keyword() == "health_check");
    for statement in statements {
        let keyword = statement.keyword();
        match keyword.as_str() {
            "server_name" => server_names(statement, block, report),
            "listen" => listen(statement, block),
            "location" | "if" | "limit_except" => {
                let path = statement.words.last().map(String::as_str);
                let path = if keyword == "location" { path } else { location };
                if keyword == "if" {
                    report.lost(&statement.place, statement.shown(), "no request comes here");
                }
                read_block(statement.inner(), path, block, report);
            }
            "health_check" if statements.iter().any(is_pass) => {}
            "stub_status" => report.unrelated(&statement.place, "stub_status"),
            _ if is_pass(statement) => block.passes.push(Pass {
                place: statement.place.clone(),
                shown: statement.shown(),
                target: target_of(statement.word(1)),
                location: location.map(str::to_owned),
                health_check: health_check.cloned(),
            }),
            _ => other(statement, report),
        }
    }
}

fn is_pass(statement: &Statement) -> bool {
    PASSES.contains(&statement.keyword().as_str()) && statement.words.len() > 1
}

/// Who is meant by `http://name:port/path`, without the scheme and the path.
fn target_of(text: &str) -> String {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    if rest.starts_with("unix:") {
        return rest.to_owned();
    }
    rest.split('/').next().unwrap_or_default().to_owned()
}

/// Names as `server_name` writes them.
fn server_names(statement: &Statement, block: &mut Block, report: &mut Report) {
    let place = &statement.place;
    for word in statement.words.iter().skip(1) {
        let shown = format!("server_name {word}");
        if word == "_" || word.is_empty() {
            report.unrelated(place, shown);
            continue;
        }
        if word.starts_with('~') || word.ends_with(".*") || word.contains('$') {
            let says = "no pattern but a leading `*.`: list the names in `names`";
            report.lost(place, shown, says);
            continue;
        }
        let mut names = vec![word.trim_start_matches('.').to_owned()];
        if word.starts_with('.') {
            names.push(format!("*{word}"));
        }
        for name in names {
            match name.parse::<WireName>() {
                Ok(name) if name.label_count() > 1 => {
                    if name.is_wildcard() {
                        let says = "a wildcard of DNS: a name below it that has records is not \
                                    among them";
                        report.near(place, &shown, says);
                    }
                    block.names.push((name, place.clone()));
                }
                _ => report.lost(place, &shown, "no full domain name"),
            }
        }
    }
}

fn listen(statement: &Statement, block: &mut Block) {
    let address = statement.word(1);
    let port = match address.rsplit_once(':') {
        Some((_, port)) if !address.ends_with(']') => port_number(port),
        _ => port_number(address).or(Some(80)),
    };
    block.ports.extend(port.filter(|port| !block.ports.contains(port)));
    block.is_udp |= statement.words.iter().any(|word| word == "udp");
}
