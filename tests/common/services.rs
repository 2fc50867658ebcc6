//! Services over sites and back ends, as configurations have them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::dns::ask;
use super::{Folder, Server, ZONE_HEAD};

/// Five sites, and a check that looks often.
const SITES: &str = "
[site.one]
[site.two]
[site.three]
[site.four]
[site.five]

[check.web]
type = \"http\"
path = \"/healthz\"
interval = \"100ms\"
timeout = \"200ms\"
fall = 2
rise = 2
";

/// A service for `NAME.example.com`.
pub fn service(name: &str, keys: &str, endpoints: &[&str]) -> String {
    let endpoints: String = endpoints.iter().map(|e| format!("  {{ {e} }},\n")).collect();
    format!(
        "[service.{name}]\nnames = [\"{name}.example.com\"]\n{keys}\nendpoints = [\n{endpoints}]\n"
    )
}

/// A server with these services, over a zone with these records.
pub fn serve(services: &str, records: &str) -> (Folder, Server) {
    let folder = Folder::with_config(&format!("{SITES}\n{services}"));
    folder.write("example.com.zone", &format!("{ZONE_HEAD}{records}"));
    let server = Server::start(&folder);
    (folder, server)
}

/// The address 192.0.2.`n`.
pub fn host(n: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, n).into()
}

/// How often each single address is answered.
pub fn count(server: SocketAddr, name: &str, times: usize) -> BTreeMap<IpAddr, usize> {
    let question = ask(server, name);
    let mut counts = BTreeMap::new();
    for _ in 0..times {
        *counts.entry(question.udp().address()).or_default() += 1;
    }
    counts
}
