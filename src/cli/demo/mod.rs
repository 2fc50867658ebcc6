//! `meridian demo`: an embedded world, real probes, and what to type.
//!
//! The zone, the configuration and the database are those of `zones/` and `geoip/`, held
//! in the program. It is the ordinary daemon that runs over them.

mod backend;
mod guide;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

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
        let mut config = include_str!("../../../zones/demo.toml").to_owned();
        let mut backends = Vec::new();
        for (number, site) in (1_u16..).zip(SITES) {
            let port = if self.listen.port() == 0 { 0 } else { self.listen.port() + number };
            let wished = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
            let address = backend::start(runtime.handle(), site, wished)?;
            config = config.replace(&format!("127.0.0.1:{}", PORT + number), &address.to_string());
            backends.push((site, address));
        }
        let config = config.replace(&default_listen().to_string(), &self.listen.to_string());
        let files = files(config);
        let catalog = load(CONFIG_PATH.as_ref(), &files)?;
        self.log.start(&catalog);
        Daemon::on(runtime, PathBuf::from(CONFIG_PATH), Arc::new(files), catalog).run(|addresses| {
            let listen = addresses.first().copied().unwrap_or(self.listen);
            guide::print(listen, &backends)
        })
    }
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
