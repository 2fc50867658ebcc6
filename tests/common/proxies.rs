//! HAProxy and NGINX as back ends that know how busy they are, each in a folder of its own.
//! Whether they are installed is asked with [`has`](super::has).

use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use super::{Folder, eventually, find};

/// A proxy that runs, killed with the value.
pub struct Proxy {
    /// Where it says that it is well, at `/up`.
    pub up: SocketAddr,
    child: Child,
    folder: Folder,
    held: Vec<TcpStream>,
}

/// In a folder of its own a port stands for each of these words.
const HAPROXY: &str = "
global
  stats socket DIRECTORY/control level admin
defaults
  mode http
  timeout connect 10s
  timeout client 5m
  timeout server 5m
frontend up
  bind HOST:UP
  monitor-uri /up
frontend statistics
  bind HOST:STATISTICS
  stats enable
  stats uri /stats
listen www
  mode tcp
  bind HOST:WWW
  fullconn 20
  server s1 SINK
";

const NGINX: &str = "
daemon off;
worker_processes 1;
pid DIRECTORY/pid;
error_log stderr;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path DIRECTORY/body;
  proxy_temp_path DIRECTORY/proxy;
  fastcgi_temp_path DIRECTORY/fastcgi;
  uwsgi_temp_path DIRECTORY/uwsgi;
  scgi_temp_path DIRECTORY/scgi;
  client_header_timeout 5m;
  server {
    listen HOST:UP;
    location = /up { return 200; }
    LOCATION
  }
}
";

/// The part of NGINX's configuration that has it say how busy it is.
const STUB_STATUS: &str = "location = /nginx_status { stub_status; }";

impl Proxy {
    /// HAProxy with sessions to `sink`, of which it takes 20; `ports` are those of `/up`, of its
    /// statistics and of what it proxies.
    pub fn haproxy(host: IpAddr, ports: [u16; 3], sink: SocketAddr) -> Self {
        let text = HAPROXY
            .replace("STATISTICS", &ports[1].to_string())
            .replace("WWW", &ports[2].to_string())
            .replace("SINK", &sink.to_string());
        Self::start("haproxy", &["-db", "-f"], &text, SocketAddr::new(host, ports[0]))
    }

    /// NGINX with a status page at `/nginx_status`.
    pub fn nginx(host: IpAddr, port: u16) -> Self {
        let text = NGINX.replace("LOCATION", STUB_STATUS);
        Self::start("nginx", &["-c"], &text, SocketAddr::new(host, port))
    }

    fn start(program: &str, arguments: &[&str], config: &str, up: SocketAddr) -> Self {
        let folder = Folder::new(&[]);
        let text = config
            .replace("DIRECTORY", folder.directory().to_str().unwrap())
            .replace("HOST:UP", &up.to_string())
            .replace("HOST", &up.ip().to_string());
        folder.write("config", &text);
        let log = File::create(folder.path("log")).unwrap();
        let mut child = Command::new(find(program).expect("asked before, it was there"))
            .args(arguments)
            .arg(folder.path("config"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        eventually(&format!("{program} is ready"), || {
            let has_ended = child.try_wait().unwrap().is_some();
            assert!(!has_ended, "{program} has ended:\n{}", folder.read("log"));
            TcpStream::connect(up).is_ok()
        });
        Self { up, child, folder, held: Vec::new() }
    }

    /// Holds so many connections open at a port of it, in place of those held before.
    pub fn hold(&mut self, port: u16, count: usize) {
        let address = SocketAddr::new(self.up.ip(), port);
        self.held.clear();
        self.held = (0..count).map(|_| TcpStream::connect(address).unwrap()).collect();
    }

    /// Gives an order to HAProxy.
    pub fn order(&self, order: &str) {
        let mut control = UnixStream::connect(self.folder.path("control")).unwrap();
        control.write_all(format!("{order}\n").as_bytes()).unwrap();
        let mut reply = String::new();
        control.read_to_string(&mut reply).unwrap();
        assert_eq!(reply.trim(), "", "{order}");
    }

    /// Has NGINX offer its status page, or no more.
    pub fn offer_status(&self, offered: bool) {
        let config = self.folder.read("config");
        let (from, to) = match offered {
            true => ("#LOCATION", STUB_STATUS),
            false => (STUB_STATUS, "#LOCATION"),
        };
        assert!(config.contains(from));
        self.folder.write("config", &config.replace(from, to));
        let kill = format!("kill -HUP {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // In good order, so that NGINX ends its workers, and then at once.
        let kill = |signal: &str| {
            let kill = format!("kill -{signal} {}", self.child.id());
            let _ = Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status();
        };
        kill("TERM");
        let _ = self.child.wait();
    }
}
