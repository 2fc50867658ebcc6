//! Tests of TCP from the client's side, over loopback.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::{TcpCounters, TcpLimits};
use crate::serve::testing::{PATIENCE, config, start};
use crate::serve::{ListenConfig, Serving};

/// Short enough for a test to wait for, long enough for a loaded machine to answer in.
const SHORT_IDLE: Duration = Duration::from_millis(600);

fn echo(limits: TcpLimits) -> (Serving, SocketAddr) {
    start(&ListenConfig { tcp: limits, ..config("127.0.0.1", 1) })
}

fn idle(idle_timeout: Duration) -> TcpLimits {
    TcpLimits { idle_timeout, ..TcpLimits::default() }
}

async fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn frame(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap();
    [&length.to_be_bytes()[..], message].concat()
}

async fn read_message(stream: &mut TcpStream) -> Vec<u8> {
    let read = async {
        let length = stream.read_u16().await.unwrap();
        let mut message = vec![0; length.into()];
        stream.read_exact(&mut message).await.unwrap();
        message
    };
    timeout(PATIENCE, read).await.expect("a reply comes in time")
}

async fn exchange(stream: &mut TcpStream, message: &[u8]) {
    stream.write_all(&frame(message)).await.unwrap();
    assert_eq!(read_message(stream).await, message);
}

/// Waits for the server to close the connection; a reset is a way to close too.
async fn assert_closes(stream: &mut TcpStream) {
    let mut octet = [0];
    match timeout(PATIENCE, stream.read(&mut octet)).await.expect("closed in time") {
        Ok(count) => assert_eq!(count, 0, "nothing was to come"),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
}

async fn stopped(serving: Serving) -> TcpCounters {
    serving.stop().await.tcp
}

#[tokio::test]
async fn answers_one_query_after_another() {
    let (serving, server) = echo(TcpLimits::default());
    let mut client = connect(server).await;
    exchange(&mut client, b"first").await;
    exchange(&mut client, b"second").await;
    drop(client);
    let tcp = stopped(serving).await;
    assert_eq!((tcp.connections, tcp.queries, tcp.replies, tcp.open), (1, 2, 2, 0));
}

#[tokio::test]
async fn a_hundred_queries_in_one_write_are_answered_in_order() {
    let (_serving, server) = echo(TcpLimits::default());
    let mut client = connect(server).await;
    let queries: Vec<_> = (0..100_u8).map(|number| vec![number; 40]).collect();
    let octets: Vec<u8> = queries.iter().flat_map(|query| frame(query)).collect();
    client.write_all(&octets).await.unwrap();
    for query in &queries {
        assert_eq!(&read_message(&mut client).await, query);
    }
}

#[tokio::test]
async fn queries_split_octet_by_octet_are_put_together() {
    let (_serving, server) = echo(TcpLimits::default());
    let mut client = connect(server).await;
    for query in [&b"first"[..], b"second"] {
        for octet in frame(query) {
            client.write_all(&[octet]).await.unwrap();
        }
        assert_eq!(read_message(&mut client).await, query);
    }
}

#[tokio::test]
async fn a_half_closed_connection_still_gets_all_answers() {
    let (serving, server) = echo(TcpLimits::default());
    let mut client = connect(server).await;
    let octets: Vec<u8> = (0..50_u8).flat_map(|number| frame(&[number; 900])).collect();
    client.write_all(&octets).await.unwrap();
    client.shutdown().await.unwrap();
    for number in 0..50 {
        assert_eq!(read_message(&mut client).await, [number; 900]);
    }
    assert_closes(&mut client).await;
    assert_eq!(stopped(serving).await.failed, 0);
}

#[tokio::test]
async fn the_longest_message_goes_both_ways() {
    let (_serving, server) = echo(TcpLimits::default());
    let mut client = connect(server).await;
    exchange(&mut client, &vec![7; 65_535]).await;
    exchange(&mut client, b"and another").await;
}

#[tokio::test]
async fn a_zero_length_ends_the_connection_at_once() {
    let (serving, server) = echo(idle(PATIENCE * 10));
    let mut client = connect(server).await;
    exchange(&mut client, b"first").await;
    client.write_all(&[0, 0]).await.unwrap();
    assert_closes(&mut client).await;
    assert_eq!(stopped(serving).await.failed, 1);
}

#[tokio::test]
async fn silence_ends_the_connection() {
    let (serving, server) = echo(idle(PATIENCE * 10));
    let mut client = connect(server).await;
    client.write_all(&frame(b"drop this")).await.unwrap();
    assert_closes(&mut client).await;
    let tcp = stopped(serving).await;
    assert_eq!((tcp.dropped, tcp.replies, tcp.open), (1, 0, 0));
}

#[tokio::test]
async fn a_panic_ends_only_its_connection() {
    let (serving, server) = echo(idle(PATIENCE * 10));
    let mut other = connect(server).await;
    let mut client = connect(server).await;
    client.write_all(&frame(b"panic")).await.unwrap();
    assert_closes(&mut client).await;
    exchange(&mut other, b"still here").await;
    drop(other);
    let tcp = stopped(serving).await;
    assert_eq!((tcp.open, tcp.failed, tcp.replies), (0, 1, 1));
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_the_timeout_and_not_before() {
    let (serving, server) = echo(idle(SHORT_IDLE));
    let mut client = connect(server).await;
    let mut last = Instant::now();
    for _ in 0..3 {
        last = Instant::now();
        exchange(&mut client, b"busy").await;
    }
    assert_closes(&mut client).await;
    assert!(last.elapsed() >= SHORT_IDLE, "closed after {:?}", last.elapsed());
    assert_eq!(stopped(serving).await.timed_out, 1);
}

#[tokio::test]
async fn octets_that_trickle_in_do_not_keep_a_connection() {
    let (serving, server) = echo(idle(SHORT_IDLE));
    let mut client = connect(server).await;
    let begun = Instant::now();
    let mut octet = [0];
    let mut trickled = 0;
    // An octet whenever a tenth of the timeout has passed without the server closing.
    loop {
        if client.write_all(&[1]).await.is_err() {
            break;
        }
        trickled += 1;
        if timeout(SHORT_IDLE / 10, client.read(&mut octet)).await.is_ok() {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "still open after {trickled} octets");
    }
    assert!(trickled > 1);
    assert_eq!(stopped(serving).await.timed_out, 1);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let (serving, server) = echo(idle(SHORT_IDLE));
    let mut client = connect(server).await;
    let query = frame(&[9; 65_535]);
    // Once the replies fill the buffers of both sides, the server takes no more queries, then
    // gives the connection up, and a write fails.
    let flood = async { while client.write_all(&query).await.is_ok() {} };
    timeout(PATIENCE, flood).await.expect("the server closes the connection");
    assert_eq!(stopped(serving).await.timed_out, 1);
}

#[tokio::test]
async fn at_a_cap_the_longest_idle_connection_is_closed_for_the_new_one() {
    let all = TcpLimits { max_connections: 2, ..idle(PATIENCE * 10) };
    let per_client = TcpLimits { max_per_client: 2, ..idle(PATIENCE * 10) };
    for (limits, closed) in [(all, (2, 0)), (per_client, (0, 2))] {
        let (serving, server) = echo(limits);
        let mut first = connect(server).await;
        let mut second = connect(server).await;
        exchange(&mut second, b"second").await;
        exchange(&mut first, b"first").await;
        let mut third = connect(server).await;
        exchange(&mut third, b"third").await;
        assert_closes(&mut second).await;
        exchange(&mut first, b"first again").await;
        exchange(&mut connect(server).await, b"fourth").await;
        assert_closes(&mut third).await;
        exchange(&mut first, b"and again").await;
        let tcp = stopped(serving).await;
        assert_eq!((tcp.closed_for_all, tcp.closed_for_client), closed);
        assert_eq!((tcp.connections, tcp.refused, tcp.failed, tcp.timed_out), (4, 0, 0, 0));
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_loses_its_place_to_a_new_one() {
    let (serving, server) = echo(TcpLimits { max_per_client: 2, ..idle(PATIENCE * 10) });
    let mut stuck = connect(server).await;
    let query = frame(&[9; 65_535]);
    // Until the replies fill the buffers of both sides and the server takes no more.
    while timeout(SHORT_IDLE, stuck.write_all(&query)).await.is_ok() {}
    let mut other = connect(server).await;
    exchange(&mut other, b"other").await;
    exchange(&mut connect(server).await, b"third").await;
    // What it did not take is thrown away with the connection.
    let drained = async {
        let mut octets = [0; 65_535];
        loop {
            match stuck.read(&mut octets).await {
                Ok(0) => panic!("closed as if all had been sent"),
                Ok(_) => {}
                Err(error) => return error.kind(),
            }
        }
    };
    let error = timeout(PATIENCE, drained).await.expect("the server closes the connection");
    assert_eq!(error, std::io::ErrorKind::ConnectionReset);
    exchange(&mut other, b"still here").await;
    assert_eq!(stopped(serving).await.closed_for_client, 1);
}

#[tokio::test]
async fn a_flood_of_connections_locks_nobody_out() {
    let limits = TcpLimits { max_connections: 40, max_per_client: 20, ..idle(PATIENCE * 10) };
    let (serving, server) = echo(limits);
    // Another loopback address is another client.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut patient = socket.connect(server).await.unwrap();
    exchange(&mut patient, b"patient").await;
    let mut flood = Vec::new();
    for round in 0..100 {
        let mut abuser = connect(server).await;
        abuser.write_all(&[0xff, 0xff, round]).await.unwrap();
        flood.push(abuser);
        exchange(&mut connect(server).await, b"same address").await;
    }
    exchange(&mut patient, b"still here").await;
    let tcp = stopped(serving).await;
    assert_eq!((tcp.replies, tcp.closed_for_all, tcp.refused), (102, 0, 0));
}

#[tokio::test]
async fn a_stop_answers_what_came_and_closes_idle_connections() {
    let (serving, server) = echo(idle(PATIENCE * 10));
    let mut idle = connect(server).await;
    exchange(&mut idle, b"hello").await;
    let mut busy = connect(server).await;
    exchange(&mut busy, b"hello").await;
    let octets: Vec<u8> = (0..50_u8).flat_map(|number| frame(&[number; 20])).collect();
    busy.write_all(&octets).await.unwrap();
    let begun = Instant::now();
    let tcp = stopped(serving).await;
    assert!(begun.elapsed() < PATIENCE, "took {:?}", begun.elapsed());
    for number in 0..50 {
        assert_eq!(read_message(&mut busy).await, [number; 20]);
    }
    assert_closes(&mut busy).await;
    assert_closes(&mut idle).await;
    assert_eq!((tcp.queries, tcp.open, tcp.timed_out), (52, 0, 0));
    assert!(TcpStream::connect(server).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_stop_waits_no_longer_than_its_grace() {
    let stop_grace = Duration::from_millis(300);
    let (serving, server) =
        start(&ListenConfig { stop_grace, tcp: idle(PATIENCE * 10), ..config("127.0.0.1", 1) });
    let mut client = connect(server).await;
    exchange(&mut client, b"hello").await;
    // A client that always has one more query.
    let chatter = tokio::spawn(async move {
        while client.write_all(&frame(b"more")).await.is_ok() && client.read_u16().await.is_ok() {
            if client.read_exact(&mut [0; 4]).await.is_err() {
                break;
            }
        }
    });
    let tcp = timeout(PATIENCE, stopped(serving)).await.expect("stops in time");
    assert_eq!(tcp.open, 0);
    timeout(PATIENCE, chatter).await.expect("the client is cut off").unwrap();
}
