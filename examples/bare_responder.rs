//! The floor of our benchmarks: Meridian's own sockets with no engine behind them.
//!
//! Every query gets itself back as a response of one A record. What `dnsperf` measures here is
//! what the network stack and `serve` cost; the engine's share is what comes on top.
//!
//! `bare_responder [ADDRESS:PORT [UDP_WORKERS]]`, by default 127.0.0.1:5399 and one per core.

use std::error::Error;
use std::net::SocketAddr;

use meridian::model::Transport;
use meridian::serve::{Answer, ListenConfig, Listeners};

/// Compressed owner, type A, class IN, TTL 30, 192.0.2.1.
const RECORD: [u8; 16] = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 192, 0, 2, 1];

struct Bare;

impl Answer for Bare {
    fn answer(
        &mut self,
        query: &[u8],
        _peer: SocketAddr,
        _transport: Transport,
        reply: &mut Vec<u8>,
    ) -> bool {
        let Some(question_end) = question_end(query) else { return false };
        reply.extend_from_slice(&query[..2]);
        // QR, AA and RD copied; one question, one answer, nothing else.
        reply.extend_from_slice(&[0x84 | query[2] & 1, 0, 0, 1, 0, 1, 0, 0, 0, 0]);
        reply.extend_from_slice(&query[12..question_end]);
        reply.extend_from_slice(&RECORD);
        true
    }
}

/// Where the question of a plain query ends.
fn question_end(query: &[u8]) -> Option<usize> {
    let mut at = 12;
    loop {
        match usize::from(*query.get(at)?) {
            0 => break,
            length => at += 1 + length,
        }
    }
    let end = at + 5;
    (query[2] & 0x80 == 0 && end <= query.len()).then_some(end)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().as_deref().unwrap_or("127.0.0.1:5399").parse()?;
    let udp_workers = arguments.next().as_deref().unwrap_or("0").parse()?;
    let mut config = ListenConfig { udp_workers, ..ListenConfig::new(vec![address]) };
    config.tcp.max_per_client = config.tcp.max_connections;
    let serving = Listeners::bind(&config)?.start(|_| Bare, &tokio::runtime::Handle::current())?;
    println!("answering on {address}; ^C prints the counts");
    tokio::signal::ctrl_c().await?;
    println!("{:#?}", serving.stop().await);
    Ok(())
}
