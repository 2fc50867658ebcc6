//! What is told to others: the query log, dnstap read by its own tools, webhooks that have to be
//! tried again, and where clients are.

#[path = "../common/mod.rs"]
mod common;

mod clients;
mod dnstap;
mod query_log;
mod receiver;
mod webhooks;

use std::net::{SocketAddr, UdpSocket};

use common::PATIENCE;
use common::dns::packet;

/// Two sites, and a service that goes by where clients are.
const WORLD: &str = "
[site.frankfurt]
location = [50.11, 8.68]
[site.tokyo]
location = [35.68, 139.69]
[geoip]
databases = [\"country.mmdb\"]
[service.www]
names = [\"www.example.com\"]
policy = \"geo-proximity\"
endpoints = [
  { site = \"frankfurt\", address = \"192.0.2.1\" },
  { site = \"tokyo\", address = \"192.0.2.2\" },
]
";

/// A folder with [`WORLD`] and more.
fn folder(keys: &str) -> common::Folder {
    let folder = common::Folder::with_config(&format!("{WORLD}{keys}"));
    let countries = concat!(env!("CARGO_MANIFEST_DIR"), "/geoip/country.mmdb");
    std::fs::copy(countries, folder.path("country.mmdb")).unwrap();
    folder
}

/// Waits until the server has said something, be it before it listened.
fn wait_until_said(server: &mut common::Server, text: &str) {
    common::eventually(text, || server.count_lines(text) > 0);
}

/// Asks so often from one socket, which always reaches the same worker; each gets its reply.
fn ask_often(server: SocketAddr, name: &str, times: usize) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reply = [0; 4096];
    for id in 0..times {
        socket.send(&packet(id as u16, name, 1, None)).unwrap();
        let octets = socket.recv(&mut reply).expect("a reply to each query");
        assert_eq!(reply[..2], (id as u16).to_be_bytes(), "{octets}");
    }
}
