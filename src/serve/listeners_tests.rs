//! Tests of a server from its start to its stop, and of two that follow each other.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;
use crate::model::Transport;
use crate::serve::testing::{Echo, PATIENCE, config, receive, start, udp_client};

#[test]
fn no_address_is_an_error() {
    let error = Listeners::bind(&ListenConfig::new(Vec::new())).unwrap_err();
    assert_eq!(error.to_string(), "no address to listen on");
}

#[test]
fn workers_take_the_cores_in_turn() {
    let cores = |worker: Option<usize>| {
        let on_thread = move || {
            if let Some(worker) = worker {
                stay_on_a_core(worker);
            }
            let set = rustix::thread::sched_getaffinity(None).unwrap();
            (0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect::<Vec<_>>()
        };
        thread::spawn(on_thread).join().unwrap()
    };
    let allowed = cores(None);
    for worker in 0..allowed.len() + 2 {
        assert_eq!(cores(Some(worker)), [allowed[worker % allowed.len()]]);
    }
}

#[tokio::test]
async fn serves_every_address_of_the_list() {
    let addresses = ["127.0.0.1:0", "[::1]:0"].map(|address| address.parse().unwrap());
    let config = ListenConfig { addresses: addresses.to_vec(), ..config("127.0.0.1", 2) };
    let listeners = Listeners::bind(&config).unwrap();
    let local = listeners.local_addresses();
    assert_eq!(local.len(), 2);
    let serving = listeners.start(|_| Echo, &Handle::current()).unwrap();
    for (address, host) in local.iter().zip(["127.0.0.1", "::1"]) {
        let client = udp_client(host);
        client.send_to(b"hello", address).unwrap();
        assert_eq!(receive(&client), (b"hello".to_vec(), *address));
    }
    let counters = serving.stop().await;
    let per_worker: Vec<_> = counters.udp_workers.iter().map(|w| w.address).collect();
    assert_eq!(per_worker, [local[0], local[0], local[1], local[1]]);
}

#[tokio::test]
async fn a_stop_frees_the_address() {
    let config = config("127.0.0.1", 2);
    let (serving, address) = start(&config);
    serving.stop().await;
    let again = ListenConfig { addresses: vec![address], ..config };
    assert_eq!(Listeners::bind(&again).unwrap().local_addresses(), [address]);
}

/// Sends a message over a connection and reads the same back.
async fn echo(connection: &mut TcpStream, message: &[u8]) {
    let length = u16::try_from(message.len()).unwrap();
    let framed = [&length.to_be_bytes()[..], message].concat();
    connection.write_all(&framed).await.unwrap();
    let mut reply = vec![0; framed.len()];
    timeout(PATIENCE, connection.read_exact(&mut reply)).await.unwrap().unwrap();
    assert_eq!(reply, framed);
}

#[tokio::test]
async fn another_server_takes_over_and_open_connections_stay() {
    let config = config("127.0.0.1", 2);
    let (mut before, address) = start(&config);
    let mut kept = TcpStream::connect(address).await.unwrap();
    echo(&mut kept, b"before").await;
    let mut given = GivenSockets::default();
    for (configured, socket) in before.sockets().unwrap() {
        given.add(socket, Some(configured)).unwrap();
    }
    assert_eq!(given.left().len(), 3);
    let listeners = Listeners::bind_beside(&config, &mut given).unwrap();
    assert_eq!((listeners.local_addresses(), given.left().len()), (vec![address], 0));
    // What comes between the two waits in the sockets.
    before.let_go();
    let clients: Vec<_> = (0..64).map(|_| udp_client("127.0.0.1")).collect();
    for client in &clients {
        client.send_to(b"hello", address).unwrap();
    }
    let after = listeners.start(|_| Echo, &Handle::current()).unwrap();
    for client in &clients {
        assert_eq!(receive(client), (b"hello".to_vec(), address));
    }
    echo(&mut TcpStream::connect(address).await.unwrap(), b"new").await;
    echo(&mut kept, b"kept").await;
    drop(kept);
    timeout(PATIENCE, before.connections_ended()).await.expect("the client has gone");
    let [before, after] = [before.stop().await, after.stop().await];
    assert_eq!([before.tcp.connections, after.tcp.connections], [1, 1]);
    assert_eq!(before.udp().replies + after.udp().replies, 64);
}

#[tokio::test]
async fn a_stop_ends_connections_of_a_server_that_has_let_go() {
    let (serving, address) = start(&config("127.0.0.1", 1));
    let mut idle = TcpStream::connect(address).await.unwrap();
    echo(&mut idle, b"before").await;
    serving.let_go();
    assert_eq!(timeout(PATIENCE, serving.stop()).await.unwrap().tcp.open, 0);
}

/// Does not come back before it is told to.
struct Stuck(std::sync::mpsc::Receiver<()>);

impl Answer for Stuck {
    fn answer(
        &mut self,
        _query: &[u8],
        _peer: SocketAddr,
        _transport: Transport,
        _reply: &mut Vec<u8>,
    ) -> bool {
        self.0.recv().is_ok()
    }
}

#[tokio::test]
async fn workers_that_stand_still_are_noticed() {
    let listeners = Listeners::bind(&config("127.0.0.1", 2)).unwrap();
    let address = listeners.local_addresses()[0];
    let (sender, receiver) = std::sync::mpsc::channel();
    let receivers = std::sync::Mutex::new(vec![Stuck(receiver)]);
    // The worker that starts last finds nobody to answer, and is gone.
    let answer = move |_| receivers.lock().unwrap().pop().expect("one for one worker");
    let mut serving = listeners.start(answer, &Handle::current()).unwrap();
    let mut until = async |stuck: usize| {
        let look = async {
            while serving.stuck_workers() != stuck {
                // Longer than a worker that has nothing to do takes for a lap.
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        };
        timeout(PATIENCE, look).await.unwrap_or_else(|_| panic!("{stuck} workers are stuck"));
    };
    until(1).await;
    // Only the one that lives has its socket, and gets every query.
    udp_client("127.0.0.1").send_to(b"hello", address).unwrap();
    until(2).await;
    sender.send(()).unwrap();
    until(1).await;
    serving.stop().await;
}

#[tokio::test]
async fn one_address_that_fails_fails_all_before_anything_starts() {
    let holder = Listeners::bind(&config("127.0.0.1", 1)).unwrap();
    let taken = holder.local_addresses()[0];
    let free = "127.0.0.1:0".parse().unwrap();
    let both = ListenConfig { addresses: vec![free, taken], ..config("127.0.0.1", 1) };
    let error = Listeners::bind(&both).unwrap_err().to_string();
    assert!(error.contains(&taken.to_string()), "{error}");
}
