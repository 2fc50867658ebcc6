//! Tests of the batched socket calls, over loopback.

use std::net::UdpSocket as StdUdpSocket;
use std::os::fd::AsFd;

use super::*;
use crate::serve::testing::{receive, udp_client};
use crate::serve::udp::UdpSocket;

fn server(address: &str) -> (UdpSocket, SocketAddr) {
    let (socket, _) = UdpSocket::bind(address.parse().unwrap()).unwrap();
    let local = socket.local_addr().unwrap();
    (socket, local)
}

/// Receives until `count` datagrams of `peer` came, echoing each, and returns what each call sent.
fn echo(socket: &UdpSocket, batch: &mut Batch, peer: SocketAddr, count: usize) -> Vec<Sent> {
    let mut results = Vec::new();
    let mut seen = 0;
    while seen < count {
        seen += batch.receive(socket.as_fd(), Wait::ForFirst).unwrap();
        for datagram in batch.datagrams() {
            assert!(datagram.reply.is_empty());
            assert_eq!(datagram.peer, peer);
            datagram.reply.extend_from_slice(datagram.query);
        }
        results.push(batch.send(socket.as_fd()));
    }
    assert_eq!(seen, count);
    results
}

/// Asks a server bound to `bound` at `asked`, several times over one batch, and checks that the
/// replies come from there.
fn check_reply_comes_from(bound: &str, asked: &str, client: &str) {
    let (socket, local) = server(bound);
    let asked = SocketAddr::new(asked.parse().unwrap(), local.port());
    let client = udp_client(client);
    let mut batch = Batch::new(512);
    for round in 0..3_u8 {
        // One datagram goes through sendmsg, several through sendmmsg.
        for length in 1..=(1 + usize::from(round) * 5) {
            client.send_to(&vec![round; length], asked).unwrap();
        }
        let count = 1 + usize::from(round) * 5;
        let sent = echo(&socket, &mut batch, client.local_addr().unwrap(), count);
        assert_eq!(sent.iter().map(|sent| sent.sent).sum::<usize>(), count, "{sent:?}");
        for length in 1..=count {
            assert_eq!(receive(&client), (vec![round; length], asked), "{bound} {asked}");
        }
    }
}

#[test]
fn replies_leave_from_the_address_asked() {
    check_reply_comes_from("127.0.0.1:0", "127.0.0.1", "127.0.0.1");
    check_reply_comes_from("0.0.0.0:0", "127.0.0.1", "127.0.0.1");
    // The routing table alone would choose 127.0.0.1 here.
    check_reply_comes_from("0.0.0.0:0", "127.0.0.2", "127.0.0.1");
    check_reply_comes_from("[::1]:0", "::1", "::1");
    check_reply_comes_from("[::]:0", "::1", "::1");
}

#[test]
fn a_batch_holds_no_more_than_its_slots() {
    let (socket, local) = server("127.0.0.1:0");
    let client = udp_client("127.0.0.1");
    for number in 0..(BATCH as u8 + 3) {
        client.send_to(&[number], local).unwrap();
    }
    let mut batch = Batch::new(512);
    // A busy kernel may have only some of them queued yet.
    let mut queries = Vec::new();
    while queries.len() < BATCH + 3 {
        assert!(batch.receive(socket.as_fd(), Wait::ForFirst).unwrap() <= BATCH);
        queries.extend(batch.datagrams().map(|datagram| datagram.query.to_vec()));
    }
    let sent: Vec<_> = (0..BATCH as u8 + 3).map(|number| vec![number]).collect();
    assert_eq!(queries, sent);
}

#[test]
fn each_datagram_keeps_its_own_peer_and_length() {
    let (socket, local) = server("127.0.0.1:0");
    let clients: Vec<_> = (0..5).map(|_| udp_client("127.0.0.1")).collect();
    let mut batch = Batch::new(512);
    // The second round is shorter: nothing of the first may show through.
    for length in [300, 7] {
        for (number, client) in clients.iter().enumerate() {
            client.send_to(&vec![number as u8; length + number], local).unwrap();
        }
        let mut number = 0;
        while number < clients.len() {
            batch.receive(socket.as_fd(), Wait::ForFirst).unwrap();
            for datagram in batch.datagrams() {
                assert_eq!(datagram.peer, clients[number].local_addr().unwrap());
                assert_eq!(datagram.query, vec![number as u8; length + number]);
                assert!(!datagram.truncated);
                number += 1;
            }
        }
    }
}

#[test]
fn the_last_octet_fits_and_one_more_is_truncation() {
    let (socket, local) = server("127.0.0.1:0");
    let client = udp_client("127.0.0.1");
    for length in [QUERY_OCTETS, QUERY_OCTETS + 1, 0] {
        client.send_to(&vec![1; length], local).unwrap();
    }
    let mut batch = Batch::new(512);
    assert_eq!(batch.receive(socket.as_fd(), Wait::ForFirst).unwrap(), 3);
    let seen: Vec<_> = batch.datagrams().map(|d| (d.query.len(), d.truncated)).collect();
    assert_eq!(seen, [(QUERY_OCTETS, false), (QUERY_OCTETS, true), (0, false)]);
}

#[test]
fn a_refused_reply_does_not_hold_back_the_others() {
    let (socket, local) = server("127.0.0.1:0");
    let client = udp_client("127.0.0.1");
    let mut batch = Batch::new(512);
    // Longer than any datagram can be, so the kernel refuses it: EMSGSIZE. At the beginning,
    // in the middle, at the end, two together, and all.
    for refused in [&[0][..], &[2], &[4], &[1, 2], &[0, 1, 2, 3, 4]] {
        for number in 0..5 {
            client.send_to(&[number], local).unwrap();
        }
        assert_eq!(batch.receive(socket.as_fd(), Wait::ForFirst).unwrap(), 5);
        for (number, datagram) in batch.datagrams().enumerate() {
            let length = if refused.contains(&number) { 65_535 } else { 1 };
            datagram.reply.resize(length, number as u8);
        }
        let sent = batch.send(socket.as_fd());
        assert_eq!((sent.sent, sent.failed), (5 - refused.len(), refused.len()));
        assert_eq!(sent.first_error.unwrap().raw_os_error(), Some(libc::EMSGSIZE));
        for number in (0..5).filter(|number| !refused.contains(number)) {
            assert_eq!(receive(&client).0, [number as u8]);
        }
    }
}

#[test]
fn silence_is_not_sent_and_nothing_is_sent_twice() {
    let (socket, local) = server("127.0.0.1:0");
    let client = udp_client("127.0.0.1");
    for number in 0..4 {
        client.send_to(&[number], local).unwrap();
    }
    let mut batch = Batch::new(512);
    assert_eq!(batch.receive(socket.as_fd(), Wait::ForFirst).unwrap(), 4);
    for (number, datagram) in batch.datagrams().enumerate() {
        if number % 2 == 1 {
            datagram.reply.extend_from_slice(datagram.query);
        }
    }
    assert_eq!(batch.send(socket.as_fd()).sent, 2);
    assert_eq!(batch.send(socket.as_fd()).sent, 0);
    assert_eq!((receive(&client).0, receive(&client).0), (vec![1], vec![3]));
}

#[test]
fn receiving_without_waiting_or_after_the_timeout_brings_nothing() {
    let (socket, _) = server("127.0.0.1:0");
    let mut batch = Batch::new(512);
    for wait in [Wait::No, Wait::ForFirst] {
        assert_eq!(batch.receive(socket.as_fd(), wait).unwrap(), 0);
        assert_eq!(batch.datagrams().count(), 0);
    }
}

#[test]
fn a_descriptor_that_is_no_socket_is_an_error() {
    let file = std::fs::File::open("/dev/null").unwrap();
    let error = Batch::new(512).receive(file.as_fd(), Wait::No).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOTSOCK));
    assert!(set_option(file.as_fd(), IntOption::PacketInfoV4, 1).is_err());
}

#[test]
fn an_address_of_no_family_has_port_zero() {
    // SAFETY: all zeros is a valid sockaddr_storage.
    let name: sockaddr_storage = unsafe { zeroed() };
    assert_eq!(socket_address(&name, 0).port(), 0);
}

#[test]
fn packet_information_survives_writing_and_reading() {
    for from in [
        ReplyFrom::Any,
        ReplyFrom::V4(Ipv4Addr::new(192, 0, 2, 1)),
        ReplyFrom::V6 { address: "2001:db8::1".parse().unwrap(), interface: 0 },
        ReplyFrom::V6 { address: "fe80::1".parse().unwrap(), interface: 7 },
    ] {
        let mut control = Control([0xff; 64]);
        // SAFETY: msghdr is integers and pointers; all zeros is a valid value.
        let mut header: msghdr = unsafe { zeroed() };
        write_reply_from(&mut header, &mut control, from);
        assert_eq!(reply_from(&header), from);
    }
}

#[test]
fn the_interface_is_kept_for_link_local_addresses_only() {
    for (address, kept) in [("fe80::1", Some(7)), ("2001:db8::1", Some(0)), ("ff02::1", None)] {
        let address: Ipv6Addr = address.parse().unwrap();
        let mut control = Control([0; 64]);
        // SAFETY: msghdr is integers and pointers; all zeros is a valid value.
        let mut header: msghdr = unsafe { zeroed() };
        let from = ReplyFrom::V6 { address, interface: 7 };
        write_reply_from(&mut header, &mut control, from);
        let expected =
            kept.map_or(ReplyFrom::Any, |interface| ReplyFrom::V6 { address, interface });
        assert_eq!(reply_from(&header), expected);
    }
}

#[test]
fn a_plain_socket_needs_no_packet_information() {
    let socket = StdUdpSocket::bind("127.0.0.1:0").unwrap();
    let client = udp_client("127.0.0.1");
    client.send_to(b"hello", socket.local_addr().unwrap()).unwrap();
    let mut batch = Batch::new(512);
    assert_eq!(batch.receive(socket.as_fd(), Wait::ForFirst).unwrap(), 1);
    assert_eq!(batch.slots[0].reply_from, ReplyFrom::Any);
}
