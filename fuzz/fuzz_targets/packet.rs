//! Any octets as a packet: the engine over a world with every kind of name and service.
//!
//! Asked over UDP and over TCP, from a peer that the message ID chooses; `reply::check` says
//! what must hold. What the records are is not looked at.

#![no_main]

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use meridian::engine::Engine;
use meridian::model::Transport;
use meridian_fuzz::{every_kind, reply};

/// Known to the database, told by an override, from nowhere, and embedded IPv4.
static PEERS: LazyLock<[SocketAddr; 7]> = LazyLock::new(|| {
    [
        "8.8.8.8:53",
        "192.0.2.77:5353",
        "127.0.0.1:1",
        "[2001:4860:4860::8888]:53",
        "[2001:db8:ff00::1]:53",
        "[::ffff:193.0.0.1]:53",
        "[fe80::1]:53",
    ]
    .map(|address| address.parse().expect("these are addresses"))
});

struct Bench {
    engine: Engine,
    max_udp: u16,
    reply: Vec<u8>,
}

thread_local! {
    static BENCH: RefCell<Bench> = {
        let world = std::sync::Arc::clone(every_kind().world());
        let max_udp = world.load().catalog.settings.max_udp_payload;
        RefCell::new(Bench { engine: Engine::new(world, Arc::default(), ([127, 0, 0, 1], 53).into()), max_udp, reply: Vec::new() })
    };
}

fuzz_target!(|packet: &[u8]| {
    let peer = PEERS[packet.get(1).map_or(0, |&octet| usize::from(octet)) % PEERS.len()];
    BENCH.with_borrow_mut(|Bench { engine, max_udp, reply }| {
        for transport in [Transport::Udp, Transport::Tcp] {
            let answered = engine.answer(packet, peer, transport, reply);
            reply::check(packet, transport, *max_udp, answered, reply);
            if answered && transport == Transport::Tcp {
                assert!(!reply::is_truncated(reply), "TC over TCP");
            }
        }
    });
});
