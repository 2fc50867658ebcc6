//! Load for the comparison in `benches/peers`: what dnsperf does not measure.
//!
//! ```text
//! dns_load encode QUERIES
//! dns_load paced ADDRESS:PORT QUERIES RATE SECONDS
//! dns_load connections ADDRESS:PORT QUERIES SECONDS CLIENTS
//! dns_load kept ADDRESS:PORT QUERIES SECONDS CONNECTIONS IN_FLIGHT
//! ```
//!
//! `encode` writes the queries as a TCP stream has them, which is what `dnsperf -B` reads: so
//! everybody sends the same octets. `paced` sends over UDP at a fixed rate and tells latency;
//! `connections` asks one query over each TCP connection; `kept` asks pipelined queries over
//! connections that stay. Each prints one line of `key=value`.

mod paced;
mod queries;
mod tcp;

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use queries::Queries;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["encode", queries] => {
            std::io::stdout().write_all(&Queries::read(queries)?.as_stream())?;
        }
        ["paced", server, queries, rate, seconds] => {
            let queries = Queries::read(queries)?;
            println!("{}", paced::run(server.parse()?, &queries, rate.parse()?, time(seconds)?)?);
        }
        ["connections", server, queries, seconds, clients] => {
            let load = tcp::Load { clients: clients.parse()?, queries: tcp::Per::Connection };
            println!("{}", load.run(server.parse()?, Queries::read(queries)?, time(seconds)?)?);
        }
        ["kept", server, queries, seconds, clients, in_flight] => {
            let in_flight = in_flight.parse()?;
            let load =
                tcp::Load { clients: clients.parse()?, queries: tcp::Per::Kept { in_flight } };
            println!("{}", load.run(server.parse()?, Queries::read(queries)?, time(seconds)?)?);
        }
        _ => bail!("encode, paced, connections or kept; see the head of examples/dns_load/main.rs"),
    }
    Ok(())
}

fn time(seconds: &str) -> Result<Duration> {
    let seconds = seconds.parse().with_context(|| format!("`{seconds}` is no time"))?;
    Ok(Duration::try_from_secs_f64(seconds)?)
}

/// The value below which a share of the sorted values lies, in microseconds.
fn percentile(sorted: &[Duration], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    let value = sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default();
    value.as_secs_f64() * 1e6
}

/// Whether it is a reply to that query which says something about its name.
fn is_answer(reply: &[u8], id: u16) -> bool {
    let rcode_is_fine = |flags: &u8| matches!(flags & 0xf, 0 | 3);
    reply.len() >= 12
        && reply[..2] == id.to_be_bytes()
        && reply[2] & 0x80 != 0
        && reply.get(3).is_some_and(rcode_is_fine)
}
