//! No memory is allocated per query over UDP.
//!
//! Alone in its program, since it counts what the global allocator does for any thread.

#[path = "common/allocations.rs"]
mod allocations;

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use meridian::model::Transport;
use meridian::serve::{Answer, ListenConfig, Listeners};
use tokio::runtime::Handle;

use allocations::{ALLOCATIONS, Counting};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A reply of the largest size there is room for.
struct Fill;

impl Answer for Fill {
    fn answer(
        &mut self,
        query: &[u8],
        _peer: SocketAddr,
        transport: Transport,
        reply: &mut Vec<u8>,
    ) -> bool {
        reply.extend_from_slice(query);
        reply.resize(transport.reply_limit(), 0);
        true
    }
}

/// Asks `count` times, ten at a time, without allocating anything here either.
fn ask(client: &UdpSocket, count: usize) {
    let mut reply = [0; 8192];
    for _ in 0..count / 10 {
        for number in 0..10 {
            client.send(&[number; 40]).unwrap();
        }
        for _ in 0..10 {
            assert_eq!(client.recv(&mut reply).expect("a reply comes in time"), 4096);
        }
    }
}

#[tokio::test]
async fn answering_over_udp_allocates_nothing() {
    let address = "0.0.0.0:0".parse().unwrap();
    let config = ListenConfig { udp_workers: 2, ..ListenConfig::new(vec![address]) };
    let listeners = Listeners::bind(&config).unwrap();
    let port = listeners.local_addresses()[0].port();
    let serving = listeners.start(|_| Fill, &Handle::current()).unwrap();
    let clients = [0; 16].map(|_| {
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(("127.0.0.1", port)).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        client
    });
    // The first round is for what is made once per worker.
    clients.iter().for_each(|client| ask(client, 100));
    let before = ALLOCATIONS.load(SeqCst);
    clients.iter().for_each(|client| ask(client, 100));
    assert_eq!(ALLOCATIONS.load(SeqCst) - before, 0, "allocations for 1600 queries");
    assert_eq!(serving.stop().await.udp().replies, 3200);
}
