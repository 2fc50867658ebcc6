//! An HTTP server that takes webhooks, in the mood it is told to be in.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver as Channel, channel};
use std::thread;

use serde_json::Value;

use super::common::PATIENCE;

/// A request that came.
pub struct Request {
    /// Field names in lowercase.
    pub fields: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// The server.
pub struct Receiver {
    pub address: SocketAddr,
    requests: Channel<Request>,
}

impl Receiver {
    /// Answers the first requests with these heads, one each, and all others with the last. An
    /// empty one is no answer at all.
    pub fn start(heads: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = channel();
        let heads: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
        thread::spawn(move || {
            let mut asleep = Vec::new();
            for (number, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                let Some(request) = read(&stream) else { continue };
                let head = &heads[number.min(heads.len() - 1)];
                if head.is_empty() {
                    asleep.push(stream);
                } else {
                    let fields = "Content-Length: 0\r\nConnection: close\r\n\r\n";
                    let _ = write!(stream, "HTTP/1.1 {head}\r\n{fields}");
                }
                if sender.send(request).is_err() {
                    return;
                }
            }
        });
        Self { address, requests }
    }

    /// Waits for the next request.
    pub fn next(&self) -> Request {
        self.requests.recv_timeout(PATIENCE).expect("a request")
    }

    /// The requests nobody waited for.
    pub fn rest(&self) -> usize {
        self.requests.try_iter().count()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut fields = HashMap::new();
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|_| line.starts_with("POST /hook "))?;
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        fields.insert(name.to_lowercase(), value.to_owned());
    }
    let mut body = vec![0; fields.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some(Request { fields, body })
}
