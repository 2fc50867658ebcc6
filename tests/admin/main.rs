//! The admin interface from outside: who gets what, and what trouble it can be.

#[path = "../common/mod.rs"]
mod common;

mod abuse;
mod access;
mod events;
mod looks;
mod orders;
mod overrides;
mod tls;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use common::backend::Backend;
use common::{ADMIN, Folder, PATIENCE, Server, http, http_status};
use serde_json::Value;

const JSON: &str = "Content-Type: application/json\r\n";

/// A server with a service over two sites, and one that nobody checks.
struct World {
    backends: [Backend; 2],
    server: Server,
    admin: SocketAddr,
    folder: Folder,
}

impl World {
    fn start() -> Self {
        Self::with("")
    }

    /// With more in `[admin]`, or behind it.
    fn with(admin: &str) -> Self {
        let backends = [(); 2].map(|()| Backend::start());
        let folder = Folder::with_config("");
        folder.write("meridian.toml", &config(&backends, &format!("{ADMIN}{admin}")));
        Self::over(backends, folder)
    }

    /// Over a configuration that is written already.
    fn over(backends: [Backend; 2], folder: Folder) -> Self {
        let mut server = Server::start(&folder);
        let admin = server.wait_for_address("admin listens");
        (0..2).for_each(|_| drop(server.wait_for("to=up")));
        Self { backends, server, admin, folder }
    }

    /// What is at a path, for whoever is on this machine.
    fn get(&self, path: &str) -> Value {
        let (head, body) = http(self.admin, &format!("GET {path}"), "", "");
        assert_eq!(http_status(&head), 200, "{path}: {body}");
        assert!(head.contains("content-type: application/json"), "{head}");
        serde_json::from_str(&body).unwrap()
    }

    /// What comes of an order with the token of this machine.
    fn order(&self, path: &str, body: &str) -> (u16, Value) {
        let fields = self.folder.bearer() + JSON;
        let (head, body) = http(self.admin, &format!("POST {path}"), &fields, body);
        (http_status(&head), serde_json::from_str(&body).unwrap())
    }
}

/// The whole configuration.
fn config(backends: &[Backend; 2], admin: &str) -> String {
    let server = Folder::with_config("").read("meridian.toml");
    let server = server.replace("workers = 2", "workers = 2\nwatch_files = false");
    let [a, b] = backends.each_ref().map(|backend| backend.address);
    format!(
        "{server}{admin}
[site.seoul]
location = [37.57, 126.98]
[site.frankfurt]
[check.web]
type = \"http\"
interval = \"100ms\"
timeout = \"200ms\"
port = 1
[service.www]
names = [\"www.example.com\", \"web.example.com\"]
policy = \"round-robin\"
ttl = {{ min = 5, max = 30 }}
check = \"web\"
endpoints = [
  {{ site = \"seoul\", address = \"192.0.2.1\", probe = \"{a}\" }},
  {{ site = \"frankfurt\", address = \"192.0.2.2\", probe = \"{b}\", weight = 3 }},
]
[service.api]
names = [\"api.example.com\"]
policy = \"round-robin\"
endpoints = [{{ site = \"seoul\", address = \"192.0.2.9\" }}]
"
    )
}

/// Sends octets as they are, and returns all that comes until the connection is closed.
fn raw(address: SocketAddr, octets: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(octets).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    String::from_utf8(response).unwrap()
}
