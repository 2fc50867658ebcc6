//! Guards: who may ask, and how many responses a client may draw.
//!
//! An [`AccessList`] says whose queries are taken. A [`ResponseLimiter`] keeps this server
//! from being used to flood somebody else: responses go where a query's source address
//! points, and over UDP anybody can write any address there.
//!
//! The room is pure: the time and the key of the hash come in as arguments, and what a
//! verdict means for a packet is the engine's. It bounds nothing but responses: sockets
//! and connections have limits of their own.
//!
//! All of it is shared by every worker without a lock, and what it remembers has the size
//! the configuration gave it, whatever arrives.

mod access;
mod bucket;
mod limiter;
mod table;

pub use access::{AccessList, QueryAccess};
pub use bucket::Rate;
pub use limiter::{
    Class, Judgement, LimitCounters, LimitCounts, Limits, Notice, Response, ResponseLimiter,
    Sender, Verdict,
};
pub use table::Table;
