//! `meridian demo`: an embedded world, real probes, and what to type.
//!
//! The zone, the configuration and the database are those of `zones/` and `geoip/`, held
//! in the program. It is the ordinary daemon that runs over them.

mod backend;
mod guide;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;

use crate::admin::token_file;
use crate::daemon::{Daemon, LedgerFiles};
use crate::model::MemoryFiles;

use super::{LogOptions, load};

/// Where the demo's configuration stands in its own file system.
const CONFIG_PATH: &str = "zones/demo.toml";

/// The DNS port; the back ends' ports follow it.
const PORT: u16 = 5300;

/// How far behind the DNS port the admin interface is.
const ADMIN_OFFSET: u16 = 80;

/// The demo's sites in the order of their back ends.
const SITES: [&str; 6] = ["virginia", "sao-paulo", "frankfurt", "cape-town", "tokyo", "sydney"];

/// Run an embedded world on 127.0.0.1:5300, with its dashboard, and say what to try.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Answer DNS here, with the back ends on the ports behind it and the dashboard 80 behind;
    /// port 0 takes free ones.
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = default_listen())]
    listen: SocketAddr,
    #[command(flatten)]
    log: LogOptions,
}

fn default_listen() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT)
}

impl Demo {
    pub(super) fn run(self) -> Result<(), anyhow::Error> {
        let runtime = crate::daemon::runtime()?;
        let mut backends = Vec::new();
        for (number, site) in (1_u16..).zip(SITES) {
            let address = backend::start(runtime.handle(), site, self.address_behind(number)?)?;
            backends.push((site, address));
        }
        let mut addresses =
            vec![(PORT, self.listen), (PORT + ADMIN_OFFSET, self.address_behind(ADMIN_OFFSET)?)];
        addresses.extend((PORT + 1..).zip(backends.iter().map(|(_, address)| *address)));
        let config = moved(include_str!("../../../zones/demo.toml"), &addresses);
        let files = files(config);
        let catalog = load(CONFIG_PATH.as_ref(), &files)?;
        self.log.start(&catalog);
        let daemon = Daemon::on(runtime, PathBuf::from(CONFIG_PATH), Arc::new(files), catalog);
        let daemon = match self.ledger() {
            Some(ledger) => daemon.keeping(ledger),
            None => daemon,
        };
        daemon.run(|addresses, admin| {
            let listen = addresses.first().copied().unwrap_or(self.listen);
            guide::print(listen, admin, &backends)
        })
    }
}

impl Demo {
    /// Where what is drained is kept for the next demo: beside the token of this machine. One on free
    /// ports forgets it.
    fn ledger(&self) -> Option<LedgerFiles> {
        let port = self.listen.port();
        let token = token_file::path(None, port.checked_add(ADMIN_OFFSET).filter(|_| port > 0)?);
        Some(LedgerFiles::in_folder(token.parent()?, &format!("demo-{port}")))
    }

    /// Where something listens that is so many ports behind the DNS port: from 1 on the back ends.
    fn address_behind(&self, offset: u16) -> Result<SocketAddr, anyhow::Error> {
        let port = match self.listen.port() {
            0 => 0,
            port => port.checked_add(offset).with_context(|| {
                format!(
                    "--listen: the back ends need the six ports behind it, and the dashboard the \
                     one {ADMIN_OFFSET} behind it"
                )
            })?,
        };
        Ok(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port))
    }
}

/// The configuration with every address of the demo in place of the written one, by its port.
/// In one pass, as the new ones may look like others of the old.
fn moved(config: &str, addresses: &[(u16, SocketAddr)]) -> String {
    let written = format!("{}:", default_listen().ip());
    let mut parts = config.split(&written);
    let mut moved = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let port: u16 = part[..digits].parse().expect("the demo's addresses have ports");
        let (_, address) = addresses
            .iter()
            .find(|(written, _)| *written == port)
            .expect("every port of the demo is moved");
        moved += &format!("{address}{}", &part[digits..]);
    }
    moved
}

/// The demo's files, with a configuration of one's own.
fn files(config: String) -> MemoryFiles {
    MemoryFiles::default()
        .with(CONFIG_PATH, config)
        .with("zones/demo.zone", include_bytes!("../../../zones/demo.zone").as_slice())
        .with(
            "zones/../geoip/country.mmdb",
            include_bytes!("../../../geoip/country.mmdb").as_slice(),
        )
}

/// The demo's world as it stands in the repository, for `explain --demo`.
pub(super) fn embedded() -> (PathBuf, MemoryFiles) {
    (PathBuf::from(CONFIG_PATH), files(include_str!("../../../zones/demo.toml").to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_move_even_onto_each_other() {
        let address = |port: u16| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
        let by = |offset: u16| {
            let ports = (PORT..PORT + 7).chain([PORT + ADMIN_OFFSET]);
            ports.map(|port| (port, address(port + offset))).collect::<Vec<_>>()
        };
        let text =
            "listen 127.0.0.1:5300 and 127.0.0.1:5380, probes 127.0.0.1:5301 and 127.0.0.1:5306.";
        assert_eq!(
            moved(text, &by(3)),
            "listen 127.0.0.1:5303 and 127.0.0.1:5383, probes 127.0.0.1:5304 and 127.0.0.1:5309."
        );
        let demo = include_str!("../../../zones/demo.toml");
        assert_eq!(moved(demo, &by(0)), demo);
    }
}
