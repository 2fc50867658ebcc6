//! UDP: blocking worker threads, each with its own socket of one `SO_REUSEPORT` group.
//!
//! The kernel spreads clients over the group by their address and port, so workers share
//! nothing. No async here: a blocking thread that takes its queries in batches spends less per
//! query than a reactor would.

mod counters;
mod mmsg;
mod pulse;
mod socket;
mod worker;

pub use counters::{UdpCounters, UdpWorkerCounters};

pub(super) use counters::WorkerCounters;
pub(super) use pulse::Pulse;
pub(super) use socket::{BufferSizes, UdpSocket};
pub(super) use worker::Worker;
