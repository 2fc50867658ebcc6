//! Queries over TCP: one per connection, or pipelined over connections that stay.
//!
//! The load is closed: each client waits for an answer before it asks again. Clients come from
//! addresses of their own in 127.1.0.0/16, so that neither a cap per client nor the ports of
//! closed connections in TIME_WAIT are what is measured. The server has to be on loopback.

use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::LocalSet;
use tokio::time::{timeout, timeout_at};

use crate::is_answer;
use crate::queries::Queries;

/// A connection that gets no answer for so long is given up.
const PATIENCE: Duration = Duration::from_secs(1);

/// So many source addresses: times 28,000 ports, more than close in the minute of TIME_WAIT.
const SOURCES: u32 = 500;

pub struct Load {
    pub clients: u32,
    pub queries: Per,
}

/// How connections are used.
#[derive(Clone, Copy)]
pub enum Per {
    /// One query each.
    Connection,
    /// For all the time, with so many queries under way.
    Kept { in_flight: u16 },
}

/// What all clients share; they take turns on one thread.
struct Shared {
    server: SocketAddr,
    deadline: Instant,
    queries: RefCell<Queries>,
    next_source: Cell<u32>,
    connections: Cell<u64>,
    answered: Cell<u64>,
    lost: Cell<u64>,
}

impl Load {
    pub fn run(&self, server: SocketAddr, queries: Queries, time: Duration) -> Result<String> {
        ensure!(server.ip().is_loopback() && server.is_ipv4(), "clients come from 127.1.0.0/16");
        let started = Instant::now();
        let shared = Rc::new(Shared {
            server,
            deadline: started + time,
            queries: RefCell::new(queries),
            next_source: Cell::new(0),
            connections: Cell::new(0),
            answered: Cell::new(0),
            lost: Cell::new(0),
        });
        let clients = LocalSet::new();
        for _ in 0..self.clients {
            clients.spawn_local(client(Rc::clone(&shared), self.queries));
        }
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(clients);
        Ok(format!(
            "connections={} answered={} lost={} seconds={:.3}",
            shared.connections.get(),
            shared.answered.get(),
            shared.lost.get(),
            started.elapsed().as_secs_f64(),
        ))
    }
}

async fn client(shared: Rc<Shared>, per: Per) {
    while Instant::now() < shared.deadline {
        let done = match per {
            Per::Connection => timeout(PATIENCE, one_query(&shared)).await.is_ok_and(|r| r.is_ok()),
            Per::Kept { in_flight } => kept(&shared, in_flight).await.is_ok(),
        };
        if !done {
            add(&shared.lost, 1);
            // So that a server that refuses does not turn this into a loop of failures.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn connect(shared: &Shared) -> Result<TcpStream> {
    let number = shared.next_source.replace((shared.next_source.get() + 1) % SOURCES);
    let source = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 1)) + number);
    let socket = TcpSocket::new_v4()?;
    socket.bind((source, 0).into())?;
    let stream = socket.connect(shared.server).await?;
    stream.set_nodelay(true)?;
    add(&shared.connections, 1);
    Ok(stream)
}

async fn one_query(shared: &Shared) -> Result<()> {
    let mut stream = connect(shared).await?;
    let mut octets = Vec::with_capacity(512);
    shared.queries.borrow_mut().append_next(&mut octets, 1);
    stream.write_all(&octets).await?;
    octets.clear();
    while whole(&octets).is_none() {
        ensure!(stream.read_buf(&mut octets).await? > 0, "closed");
    }
    ensure!(is_answer(&octets[2..], 1), "no answer");
    add(&shared.answered, 1);
    Ok(())
}

/// Asks until the time is over. IDs follow each other and answers may come in any order, so an
/// answer is believed by its form alone.
async fn kept(shared: &Shared, in_flight: u16) -> Result<()> {
    let mut stream = timeout(PATIENCE, connect(shared)).await??;
    let mut out = Vec::new();
    let mut octets = Vec::with_capacity(64 << 10);
    let mut next_id = 0_u16;
    let mut due = in_flight;
    loop {
        out.clear();
        for _ in 0..due {
            shared.queries.borrow_mut().append_next(&mut out, next_id);
            next_id = next_id.wrapping_add(1);
        }
        stream.write_all(&out).await?;
        due = 0;
        while due == 0 {
            let patience = (Instant::now() + PATIENCE).min(shared.deadline);
            match timeout_at(patience.into(), stream.read_buf(&mut octets)).await {
                Ok(read) => ensure!(read? > 0, "closed"),
                Err(_) if Instant::now() >= shared.deadline => return Ok(()),
                Err(silence) => return Err(silence.into()),
            }
            let mut start = 0;
            while let Some(length) = whole(&octets[start..]) {
                let reply = &octets[start + 2..start + 2 + length];
                let id = reply.first_chunk().map_or(0, |id| u16::from_be_bytes(*id));
                ensure!(is_answer(reply, id), "no answer");
                start += 2 + length;
                due += 1;
            }
            octets.drain(..start);
        }
        add(&shared.answered, due.into());
        if Instant::now() >= shared.deadline {
            return Ok(());
        }
    }
}

/// The length of the first message, if all of it is there.
fn whole(stream: &[u8]) -> Option<usize> {
    let length = usize::from(u16::from_be_bytes(*stream.first_chunk()?));
    (stream.len() >= 2 + length).then_some(length)
}

fn add(counter: &Cell<u64>, more: u64) {
    counter.set(counter.get() + more);
}
