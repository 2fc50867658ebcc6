//! `meridian demo`: an embedded world, real probes, and what to type.
//!
//! The zone, the configuration and the database are those of `zones/` and `geoip/`, held
//! in the program. It is the ordinary daemon that runs over them.

mod backend;
mod guide;

use std::iter;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;

use crate::daemon::Daemon;
use crate::model::MemoryFiles;

use super::{LogOptions, load};

/// Where the demo's configuration stands in its own file system.
const CONFIG_PATH: &str = "zones/demo.toml";

/// The DNS port; the back ends' ports follow it.
const PORT: u16 = 5300;

/// The demo's sites in the order of their back ends.
const SITES: [&str; 6] = ["virginia", "sao-paulo", "frankfurt", "cape-town", "tokyo", "sydney"];

/// Run an embedded world on 127.0.0.1:5300 and say what to try.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Answer DNS here, with the back ends on the ports behind it; port 0 takes free ones.
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
            let address = backend::start(runtime.handle(), site, self.backend_address(number)?)?;
            backends.push((site, address));
        }
        let addresses: Vec<SocketAddr> =
            iter::once(self.listen).chain(backends.iter().map(|(_, address)| *address)).collect();
        let config = moved(include_str!("../../../zones/demo.toml"), &addresses);
        let files = files(config);
        let catalog = load(CONFIG_PATH.as_ref(), &files)?;
        self.log.start(&catalog);
        Daemon::on(runtime, PathBuf::from(CONFIG_PATH), Arc::new(files), catalog).run(|addresses| {
            let listen = addresses.first().copied().unwrap_or(self.listen);
            guide::print(listen, &backends)
        })
    }
}

impl Demo {
    /// Where the back end of a number from 1 listens: behind the DNS port.
    fn backend_address(&self, number: u16) -> Result<SocketAddr, anyhow::Error> {
        let port = match self.listen.port() {
            0 => 0,
            port => port
                .checked_add(number)
                .context("--listen: the back ends need the six ports behind it")?,
        };
        Ok(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port))
    }
}

/// The configuration with every address of the demo in place of the written one: first DNS,
/// then the back ends. In one pass, as the new ones may look like others of the old.
fn moved(config: &str, addresses: &[SocketAddr]) -> String {
    let written = format!("{}:", default_listen().ip());
    let mut parts = config.split(&written);
    let mut moved = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let port: u16 = part[..digits].parse().expect("the demo's addresses have ports");
        let address = addresses[usize::from(port - PORT)];
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
        let addresses: Vec<_> = (0..7).map(|n| address(5303 + n)).collect();
        let text = "listen 127.0.0.1:5300, probes 127.0.0.1:5301 and 127.0.0.1:5306.";
        assert_eq!(
            moved(text, &addresses),
            "listen 127.0.0.1:5303, probes 127.0.0.1:5304 and 127.0.0.1:5309."
        );
        let demo = include_str!("../../../zones/demo.toml");
        let here: Vec<_> = (0..7).map(|n| address(PORT + n)).collect();
        assert_eq!(moved(demo, &here), demo);
    }
}
