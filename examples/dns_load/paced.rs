//! Queries over UDP at a fixed rate, and how long their answers take.
//!
//! The load is open: when a query is due does not depend on answers. Latency counts from that
//! moment, even if the query is sent later, so a server that stalls cannot hide it by holding
//! the generator up (coordinated omission). One thread sends and receives without sleeping and
//! wants a core for itself; `sent_late_p99_us` tells how far it was behind its own timetable.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use socket2::SockRef;

use crate::queries::Queries;
use crate::{is_answer, percentile};

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(1);

/// Queries under way, by ID.
struct UnderWay {
    due: Vec<Option<Instant>>,
    next_id: u16,
}

impl UnderWay {
    /// An ID that no query has; one that has waited too long gives up its own.
    fn claim(&mut self, due: Instant) -> Option<u16> {
        for _ in 0..self.due.len() {
            let id = self.next_id;
            self.next_id = id.wrapping_add(1);
            let slot = &mut self.due[usize::from(id)];
            if slot.is_none_or(|earlier| due.duration_since(earlier) > PATIENCE) {
                *slot = Some(due);
                return Some(id);
            }
        }
        None
    }

    fn resolve(&mut self, reply: &[u8], now: Instant) -> Option<Duration> {
        let id = u16::from_be_bytes([*reply.first()?, *reply.get(1)?]);
        let due = self.due[usize::from(id)]?;
        let taken = now.duration_since(due);
        if !is_answer(reply, id) || taken > PATIENCE {
            return None;
        }
        self.due[usize::from(id)] = None;
        Some(taken)
    }
}

/// Sends for a time at a rate per second, and says what came back.
pub fn run(server: SocketAddr, queries: &Queries, rate: f64, time: Duration) -> Result<String> {
    let total = (rate * time.as_secs_f64()) as usize;
    if total == 0 {
        bail!("nothing to send");
    }
    let socket = UdpSocket::bind(if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
    socket.connect(server)?;
    socket.set_nonblocking(true)?;
    SockRef::from(&socket).set_recv_buffer_size(4 << 20)?;

    let mut under_way = UnderWay { due: vec![None; 1 << 16], next_id: 0 };
    let mut taken = Vec::with_capacity(total);
    let mut late = Vec::with_capacity(total);
    let mut packet = Vec::new();
    let mut reply = [0; 4096];
    let started = Instant::now();
    let due_at = |number: usize| started + Duration::from_secs_f64(number as f64 / rate);
    let mut sent = 0;
    loop {
        let now = Instant::now();
        if sent < total {
            let due = due_at(sent);
            if due <= now {
                late.push(now - due);
                // Without an ID left, or with a full queue, it is a loss like any other.
                if let Some(id) = under_way.claim(due) {
                    packet.clear();
                    packet.extend_from_slice(queries.get(sent % queries.len()));
                    packet[..2].copy_from_slice(&id.to_be_bytes());
                    let _ = socket.send(&packet);
                }
                sent += 1;
            }
        } else if taken.len() == total || now > due_at(total) + PATIENCE {
            break;
        }
        match socket.recv(&mut reply) {
            Ok(length) => taken.extend(under_way.resolve(&reply[..length], Instant::now())),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
    taken.sort_unstable();
    late.sort_unstable();
    Ok(format!(
        "sent={sent} answered={} lost={} p50_us={:.1} p99_us={:.1} p999_us={:.1} max_us={:.1} \
         sent_late_p99_us={:.1}",
        taken.len(),
        sent - taken.len(),
        percentile(&taken, 0.5),
        percentile(&taken, 0.99),
        percentile(&taken, 0.999),
        percentile(&taken, 1.0),
        percentile(&late, 0.99),
    ))
}
