//! Reads named.conf and the zone files it names.
//!
//! Zones stay what they are. Names with several addresses become services, for that is how
//! BIND balances: every answer has all of them, in an order that turns. `zone` takes those
//! out of the zone file; here is which zones there are, and in which order RRsets are given.

mod order;
mod zone;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::Options;
use super::blocks::{Dialect, Statement};
use super::error::ImportError;
use super::include::Includer;
use super::naming::bare;
use super::plan::{EndpointPlan, Plan, ServicePlan, ZonePlan};
use super::report::Report;
use super::settle::{unique_key, zone_file};
use crate::model::{AdminState, EndpointTarget, Files, WireName};
use crate::zone::Place;
use order::Orders;
use zone::{Split, Steered, split};

/// An answer has at most so many addresses.
const MAX_ANSWERS: usize = 32;
/// The longest TTL of a service, in seconds.
const MAX_TTL: u32 = 86_400;

/// Statements that change what is answered, and have no equivalent.
const LOST: &[(&str, &str)] = &[
    ("forwarders", "nothing is forwarded: it answers for its own zones only"),
    ("forward", "nothing is forwarded: it answers for its own zones only"),
    ("allow-recursion", "nothing is resolved for clients"),
    ("allow-query-cache", "nothing is resolved for clients"),
    ("allow-query", "not taken over: `server.allow_query` says whose queries are taken"),
    ("allow-query-on", "not taken over: `[[listener]]` has an `allow_query` of its own"),
    ("blackhole", "not taken over: `server.allow_query` says whose queries are taken"),
    ("allow-transfer", "zones are not transferred to other servers: give them the files"),
    ("also-notify", "zones are not transferred to other servers: give them the files"),
    ("allow-update", "no dynamic updates: change the zone file and reload"),
    ("update-policy", "no dynamic updates: change the zone file and reload"),
    ("dnssec-policy", "zones are not signed here"),
    ("auto-dnssec", "zones are not signed here"),
    ("inline-signing", "zones are not signed here"),
    ("response-policy", "answers are not rewritten"),
    ("rate-limit", "not taken over: `[rate_limit]` has the same limits; see docs/limits.md"),
    ("dns64", "no AAAA records are made up"),
    ("catalog-zones", "list the zones"),
    ("dlz", "zones come from master files"),
    ("dyndb", "zones come from master files"),
    ("plugin", "no plugins: what it does to answers is lost"),
    (
        "sortlist",
        "addresses are not sorted by client; `geo-proximity` sends clients to the nearest \
                  site, and `[[geoip.override]]` a network to the sites you say",
    ),
];

/// A zone statement that is a primary's.
struct Primary {
    name: WireName,
    place: Place,
    file: String,
    orders: Orders,
}

/// What named.conf says.
#[derive(Default)]
struct Found {
    directory: PathBuf,
    orders: Orders,
    zones: Vec<Primary>,
    views: usize,
}

/// Reads the zones and services of a file.
///
/// # Errors
/// When the file cannot be read or taken apart, or not one zone is left.
pub(super) fn read(
    path: &Path,
    files: &dyn Files,
    options: &Options,
    report: &mut Report,
) -> Result<Plan, ImportError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let places = |target: &str| candidates(folder, folder, Path::new(target));
    let mut includer = Includer {
        files,
        dialect: Dialect::Bind,
        places: &places,
        harmless: &["rndc.key"],
        report,
        depth: 0,
        count: 0,
    };
    let statements = includer.read(path)?;
    let mut found = Found::default();
    for statement in statements.iter().filter(|one| one.keyword() == "options") {
        self::options(statement, &mut found, report);
    }
    let orders = found.orders.clone();
    for statement in &statements {
        top_level(statement, &orders, &mut found, report);
    }
    let search = Search { folder, directory: &found.directory, files };
    let plan = plan(&found.zones, &search, options, report);
    if plan.zones.is_empty() {
        let message = "it has no primary zone whose file can be read".to_owned();
        return Err(ImportError::Nothing { file: path.to_owned(), message });
    }
    Ok(plan)
}

/// Where a file may be that named.conf calls `target`: as named finds it; or, where the
/// configuration has been copied, below its folder.
fn candidates(folder: &Path, directory: &Path, target: &Path) -> Vec<PathBuf> {
    let mut paths = vec![directory.join(target), folder.join(target)];
    let mut rest = target.components();
    while rest.next().is_some() {
        let rest = rest.as_path();
        if !rest.as_os_str().is_empty() {
            paths.extend([directory.join(rest), folder.join(rest)]);
        }
    }
    paths
}

/// Finds zone files and what they include.
struct Search<'f> {
    folder: &'f Path,
    directory: &'f Path,
    files: &'f dyn Files,
}

impl Search<'_> {
    fn find(&self, target: &Path) -> Option<PathBuf> {
        let paths = candidates(self.folder, self.directory, target);
        paths.into_iter().find(|path| self.files.read(path).is_ok())
    }
}

fn options(statement: &Statement, found: &mut Found, report: &mut Report) {
    for one in statement.inner() {
        match one.keyword().as_str() {
            "directory" => {
                found.directory = PathBuf::from(one.word(1));
                report.exact(&one.place, one.shown(), "where relative paths begin");
            }
            "rrset-order" => found.orders = Orders::read(one, report),
            _ => setting(one, report),
        }
    }
}

/// A statement of `options`, a view or a zone.
fn setting(statement: &Statement, report: &mut Report) {
    let (place, keyword) = (&statement.place, statement.keyword());
    if keyword == "recursion" {
        let says = "nothing is resolved for clients";
        return match statement.word(1) {
            "no" => report.exact(place, statement.shown(), says),
            _ => report.lost(place, statement.shown(), says),
        };
    }
    let inner: Vec<&str> = statement.inner().iter().map(|one| one.word(0)).collect();
    let is_query = keyword.starts_with("allow-query");
    let is_off = statement.word(1) == "none"
        || statement.block.is_some() && (inner.is_empty() || inner == ["none"]);
    match LOST.iter().find(|(word, _)| *word == keyword) {
        Some(_) if is_query && inner == ["any"] => {
            report.exact(place, keyword, "everybody's queries are taken");
        }
        Some(_) if is_off && !is_query => report.exact(place, keyword, "off, as it is here"),
        Some((_, says)) => report.lost(place, keyword, says),
        None => report.unrelated(place, keyword),
    }
}

fn top_level(statement: &Statement, orders: &Orders, found: &mut Found, report: &mut Report) {
    match statement.keyword().as_str() {
        "options" => {}
        "zone" => zone_statement(statement, orders, found, report),
        "view" => view(statement, orders, found, report),
        _ => setting(statement, report),
    }
}

/// A view: its zones, unless a view before it has a zone of that name.
fn view(statement: &Statement, orders: &Orders, found: &mut Found, report: &mut Report) {
    found.views += 1;
    let shown = format!("view {}", statement.word(1));
    let says = match found.views {
        1 => {
            "its zones are answered to everybody; `server.allow_query` says whose queries are taken"
        }
        _ => "there are no views: of zones with one name the first view's is kept",
    };
    report.lost(&statement.place, shown, says);
    let own = statement.inner().iter().find(|one| one.keyword() == "rrset-order");
    let orders = own.map_or_else(|| orders.clone(), |own| Orders::read(own, report));
    for one in statement.inner() {
        match one.keyword().as_str() {
            "zone" => zone_statement(one, &orders, found, report),
            "rrset-order" => {}
            "match-clients" | "match-destinations" | "match-recursive-only" => {
                report.lost(&one.place, one.shown(), "there are no views");
            }
            _ => setting(one, report),
        }
    }
}

fn zone_statement(statement: &Statement, orders: &Orders, found: &mut Found, report: &mut Report) {
    let (place, text) = (&statement.place, statement.word(1));
    let shown = format!("zone {text}");
    let value = |key: &str| {
        let one = statement.inner().iter().find(|one| one.keyword() == key);
        one.map(|one| one.word(1).to_owned())
    };
    let mut lose = |says: &str| report.lost(place, &shown, says);
    let class = statement.words.get(2).map(|class| class.to_ascii_lowercase());
    if class.is_some_and(|class| class != "in") {
        return lose("only class IN is served; CHAOS has `server.identity` and `server.version`");
    }
    let kind = value("type").unwrap_or_else(|| "primary".to_owned()).to_ascii_lowercase();
    match kind.as_str() {
        "primary" | "master" => {}
        "hint" => return report.unrelated(place, shown),
        "secondary" | "slave" | "mirror" => {
            return lose(
                "zones are not transferred from other servers: have the file here, as text",
            );
        }
        "forward" | "stub" | "static-stub" => {
            return lose("nothing is resolved for clients");
        }
        _ => return lose("a type of zone that is not known here"),
    }
    let Ok(name) = text.parse::<WireName>() else { return lose("no domain name") };
    let Some(file) = value("file") else {
        return lose("it has no file");
    };
    if found.zones.iter().any(|zone| zone.name == name) {
        return lose("a zone of this name is there already");
    }
    for one in statement.inner() {
        if !["type", "file"].contains(&one.keyword().as_str()) {
            setting(one, report);
        }
    }
    let place = place.clone();
    found.zones.push(Primary { name, place, file, orders: orders.clone() });
}

/// Reads the zone files, and makes services of what is in them.
fn plan(
    primaries: &[Primary],
    search: &Search<'_>,
    options: &Options,
    report: &mut Report,
) -> Plan {
    let sites = vec![options.site.clone()];
    let mut plan = Plan { zones: Vec::new(), sites, checks: vec![], services: vec![] };
    let mut keys = HashSet::new();
    let mut file_names = HashSet::new();
    let apexes: HashSet<&WireName> = primaries.iter().map(|primary| &primary.name).collect();
    for primary in primaries {
        let (place, shown) = (&primary.place, format!("zone {}", bare(&primary.name)));
        let Some(path) = search.find(Path::new(&primary.file)) else {
            report.lost(place, shown, format!("its file {} cannot be read", primary.file));
            continue;
        };
        // A name belongs to the deepest zone above it.
        let is_elsewhere = |name: &WireName| {
            let mut above = Some(name.clone());
            while let Some(one) = above.filter(|one| *one != primary.name) {
                if apexes.contains(&one) {
                    return true;
                }
                above = one.parent();
            }
            false
        };
        let Split { steered, text, is_rewritten } =
            match split(&primary.name, &path, search, &is_elsewhere) {
                Ok(split) => split,
                Err(error) => {
                    report.lost(place, shown, format!("not read: {error}"));
                    continue;
                }
            };
        match is_rewritten {
            true => report.near(
                place,
                &shown,
                "its file is written anew, record by record: includes, generated or folded records \
                 had to be taken apart",
            ),
            false => report.exact(place, &shown, "its file, with all static records"),
        }
        for one in steered {
            plan.services.push(service(one, &primary.orders, &mut keys, report));
        }
        let wanted = zone_file(&primary.name);
        let file = (1..).map(|n| if n == 1 { wanted.clone() } else { format!("{wanted}.{n}") });
        let file = file.into_iter().find(|file| file_names.insert(file.clone()));
        let file = file.unwrap_or(wanted);
        plan.zones.push(ZonePlan { name: primary.name.clone(), file, text, is_new: false });
    }
    plan
}

fn service(
    steered: Steered,
    orders: &Orders,
    keys: &mut HashSet<String>,
    report: &mut Report,
) -> ServicePlan {
    let Steered { name, ttl, addresses, place, has_two_ttls } = steered;
    let shown = format!("{} ({} addresses)", bare(&name), addresses.len());
    let order = orders.of(&name);
    let of_family = |v4: bool| addresses.iter().filter(|one| one.is_ipv4() == v4).count();
    let all = of_family(true).max(of_family(false));
    report.note(&place, order.fidelity(), &shown, order.says());
    if all > MAX_ANSWERS {
        let says = format!("an answer has at most {MAX_ANSWERS} of them");
        report.near(&place, &shown, says);
    }
    if has_two_ttls || ttl > MAX_TTL {
        let says = format!("all addresses share one TTL of at most a day: {} s", ttl.min(MAX_TTL));
        report.near(&place, &shown, says);
    }
    let endpoint = |address| EndpointPlan {
        site: 0,
        target: EndpointTarget::Address(address),
        weight: 1,
        tier: 0,
        probe: None,
        admin_state: AdminState::Enabled,
    };
    let key: String = bare(&name).replace('*', "any").replace('.', "-");
    ServicePlan {
        key: unique_key(&key, keys),
        place,
        names: vec![name],
        way: order.way(),
        ttl: Some(ttl.min(MAX_TTL)),
        max_answers: u8::try_from(all.min(MAX_ANSWERS)).unwrap_or(1),
        check: None,
        endpoints: addresses.into_iter().map(endpoint).collect(),
        sticky: None,
        affinity_group: None,
        hash_prefix: None,
    }
}
