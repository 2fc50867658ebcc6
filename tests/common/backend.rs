//! Real HTTP back ends that can be made to fail in several ways.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How a back end answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Well,
    /// Answers, with a status that does not pass.
    WrongStatus,
    /// Accepts and says nothing.
    Hangs,
    /// Closes the connection at once.
    Dies,
}

/// An HTTP server on a loopback port.
pub struct Backend {
    pub address: SocketAddr,
    mood: Arc<Mutex<Mood>>,
    /// Header lines of its responses, besides those every one has.
    fields: Arc<Mutex<String>>,
    requests: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Backend {
    pub fn start() -> Self {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    pub fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let mood = Arc::new(Mutex::new(Mood::Well));
        let fields = Arc::new(Mutex::new(String::new()));
        let requests = Arc::new(AtomicUsize::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let (mood, requests, stop) = (mood.clone(), requests.clone(), stop.clone());
            let fields = fields.clone();
            move || {
                for connection in listener.incoming() {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let mood = *mood.lock().unwrap();
                    requests.fetch_add(1, Ordering::Relaxed);
                    let fields = fields.lock().unwrap().clone();
                    thread::spawn(move || serve(connection.unwrap(), mood, &fields));
                }
            }
        });
        Self { address, mood, fields, requests, stop, thread: Some(thread) }
    }

    pub fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// Has it send these header lines, each with its `\r\n`.
    pub fn say(&self, fields: &str) {
        *self.fields.lock().unwrap() = fields.to_owned();
    }

    /// Connections so far.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Closes the port: connections are refused from now on.
    pub fn refuse(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.stop.store(true, Ordering::Relaxed);
            let _ = TcpStream::connect(self.address);
            thread.join().unwrap();
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.refuse();
    }
}

fn serve(connection: TcpStream, mood: Mood, fields: &str) {
    let status = match mood {
        Mood::Dies => return,
        Mood::Hangs => {
            thread::sleep(Duration::from_secs(60));
            return;
        }
        Mood::Well => "200 OK",
        Mood::WrongStatus => "503 Service Unavailable",
    };
    let mut reader = BufReader::new(&connection);
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|octets| octets > 2) {
        line.clear();
    }
    let _ = write!(
        &connection,
        "HTTP/1.1 {status}\r\n{fields}Content-Length: 3\r\nConnection: close\r\n\r\nok\n"
    );
}
