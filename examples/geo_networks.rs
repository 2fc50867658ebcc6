//! The map of a service as a list of networks, for servers that cannot read its database.
//!
//! ```text
//! geo_networks MERIDIAN.TOML [SITES]
//! ```
//!
//! One line for each network of IPv4: `192.0.2.0/24 nearest next ...`, with as many sites as
//! asked for, by default all. The networks follow each other over the whole address space, as
//! few as those sites allow, so a server that matches networks has to prefer for every client
//! the sites that Meridian prefers. The first map of the configuration is taken; IPv6 is left
//! out. `benches/peers` gives the lists to gdnsd and Knot.

use std::io::{BufWriter, StdoutLock, Write};
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use meridian::daemon::DiskFiles;
use meridian::model::SiteId;

const END: u64 = 1 << 32;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let config = arguments.next().context("which configuration?")?;
    let count: usize = arguments.next().map_or(Ok(usize::MAX), |count| count.parse())?;
    let catalog = meridian::config::load(Path::new(&config), &DiskFiles, None)
        .map_err(|refused| anyhow!("{config}: {:?}", refused.diagnostics))?;
    let map = catalog.geo.maps.values().next().context("no service asks where clients are")?;
    // From which address on, which sites; and from where on the next are not known yet.
    let preferred = |at: u64| {
        let answer = map.lookup(Ipv4Addr::from(at as u32).into());
        let mut sites = answer.ranking.whole().sites().to_vec();
        sites.truncate(count);
        (sites, at + (1 << (32 - answer.scope)))
    };
    let name = |site: &SiteId| catalog.sites[usize::from(site.0)].name.as_str();
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut start = 0;
    while start < END {
        let (sites, mut end) = preferred(start);
        while end < END {
            let (next_sites, next_end) = preferred(end);
            if next_sites != sites {
                break;
            }
            end = next_end;
        }
        let names: Vec<&str> = sites.iter().map(name).collect();
        write_range(&mut out, start, end, &names.join(" "))?;
        start = end;
    }
    out.flush()?;
    Ok(())
}

/// A range as the networks it is made of.
fn write_range(
    out: &mut BufWriter<StdoutLock<'_>>,
    mut start: u64,
    end: u64,
    sites: &str,
) -> Result<()> {
    while start < end {
        let aligned = start.trailing_zeros().min(32);
        let fitting = (end - start).ilog2();
        let host_bits = aligned.min(fitting);
        writeln!(out, "{}/{} {sites}", Ipv4Addr::from(start as u32), 32 - host_bits)?;
        start += 1 << host_bits;
    }
    Ok(())
}
