//! How many responses a client's network may draw over UDP (response rate limiting).
//!
//! Responses are counted by what they say, not by what was asked: a flood repeats itself in
//! the answers, however the questions vary. Each combination of the client's network, the
//! [`Class`] of the response and the name it is about has a bucket of its own, and the
//! network may have one for all its responses together.
//!
//! | class | the name that is counted |
//! |---|---|
//! | positive | QNAME |
//! | NODATA, NXDOMAIN, referral | the zone's apex |
//! | error | none |
//!
//! Which class a response is of, and how a verdict looks on the wire, is the engine's.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::access::{AccessList, Point, fold_mapped, point};
use super::bucket::{Bucket, Moment, Rate, Taken};
use super::table::Table;
use crate::model::Prefix;

/// What a response says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Records.
    Positive,
    /// The name is there, the type is not.
    NoData,
    /// There is no such name.
    NxDomain,
    /// Somebody else knows.
    Referral,
    /// REFUSED, FORMERR, SERVFAIL and so on.
    Error,
}

impl Class {
    /// In the order of [`Limits::per_class`].
    pub const ALL: [Self; 5] =
        [Self::Positive, Self::NoData, Self::NxDomain, Self::Referral, Self::Error];
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Positive => "positive",
            Self::NoData => "nodata",
            Self::NxDomain => "nxdomain",
            Self::Referral => "referral",
            Self::Error => "error",
        })
    }
}

/// What limits are in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// By class, in the order of [`Class::ALL`].
    pub per_class: [Rate; 5],
    /// For all responses to one network; `None` is no limit.
    pub all: Option<Rate>,
    /// Every n-th limited response is a short one instead of none; 0 is never.
    pub slip: u8,
    /// How much of an IPv4 address makes a client's network.
    pub ipv4_prefix: u8,
    /// The same for IPv6.
    pub ipv6_prefix: u8,
    /// Who is never limited.
    pub exempt: AccessList,
    /// Whether limits are only counted and told, and everything is sent.
    pub log_only: bool,
}

/// What the DNS cookie of a query (RFC 7873) says of whoever sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// Nothing: there is none.
    Unproven,
    /// A client that can come back with a cookie of ours, and has shown none that is good.
    KnowsCookies,
    /// The source address is no forgery.
    Proven,
}

/// A response about to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response {
    /// To whom.
    pub peer: IpAddr,
    /// What it says.
    pub class: Class,
    /// A hash of the name it is about; 0 for errors.
    pub name: u64,
    /// Who asked, as far as is known.
    pub sender: Sender,
}

/// What to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Send it.
    Send,
    /// Send an empty one with TC, so that a client that is really there asks over TCP.
    Slip,
    /// Send BADCOOKIE, so that such a client asks again with the cookie it gets.
    BadCookie,
    /// Send nothing.
    Drop,
}

/// A verdict, and what is worth a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgement {
    /// What to do.
    pub verdict: Verdict,
    /// A limit that has just been reached.
    pub notice: Option<Notice>,
}

/// A limit that was reached for the first time since its bucket was full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    /// The client's network.
    pub client: Prefix,
    /// Whether it is the limit for all responses, not that of a class.
    pub of_all: bool,
    /// Such notices that were kept back since the last one.
    pub held_back: u64,
}

/// Counts what was limited, over reloads and for all workers.
#[derive(Debug, Default)]
pub struct LimitCounters {
    dropped: AtomicU64,
    slipped: AtomicU64,
    bad_cookies: AtomicU64,
    log_only: AtomicU64,
}

/// Limited responses since the start, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LimitCounts {
    /// Nothing was sent.
    pub dropped: u64,
    /// An empty response with TC was sent, or an error as it was.
    pub slipped: u64,
    /// BADCOOKIE was sent.
    pub bad_cookies: u64,
    /// All was sent, since limits are on trial.
    pub log_only: u64,
}

impl LimitCounters {
    /// The counts so far.
    pub fn read(&self) -> LimitCounts {
        LimitCounts {
            dropped: self.dropped.load(Relaxed),
            slipped: self.slipped.load(Relaxed),
            bad_cookies: self.bad_cookies.load(Relaxed),
            log_only: self.log_only.load(Relaxed),
        }
    }
}

/// Limits, and the memory they need.
#[derive(Debug)]
pub struct ResponseLimiter {
    limits: Limits,
    table: Arc<Table>,
    counters: Arc<LimitCounters>,
    notices: Bucket,
    held_back: AtomicU64,
}

/// Notices per second at most, and as many at once: a flood must not fill the log.
const NOTICES_PER_SECOND: std::num::NonZeroU32 = std::num::NonZeroU32::new(2).expect("not zero");

/// What a bucket is for. Names are hashed before, by a hash that is no secret: who finds two
/// names that are alike in it makes them share a bucket, which only limits him sooner.
struct Key {
    network: Point,
    /// `None` is the bucket of all responses.
    class: Option<Class>,
    name: u64,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let class = self.class.map_or(0, |class| class as u8 + 1);
        let (is_v6, network) = self.network;
        hasher.write_u64((network >> 64) as u64);
        hasher.write_u64(network as u64);
        hasher.write_u64(self.name);
        hasher.write_u16(u16::from_le_bytes([class, u8::from(is_v6)]));
    }
}

impl ResponseLimiter {
    /// Limits over a table, which may have been another limiter's, and so may the counters.
    pub fn new(limits: Limits, table: Arc<Table>, counters: Arc<LimitCounters>) -> Self {
        Self { limits, table, counters, notices: Bucket::default(), held_back: AtomicU64::new(0) }
    }

    /// The memory, for the limiter after this one.
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// Counts a response about to be sent, and says what to do with it. `now` tells the
    /// time since the start of the process, and is asked once, if at all.
    ///
    /// | network | sender | tokens | `log_only` | verdict | counted as |
    /// |---|---|---|---|---|---|
    /// | exempt | | | | send | |
    /// | | proven | | | send | |
    /// | | | of the class, and of all | | send | |
    /// | | | not | yes | send | log-only |
    /// | | unproven | not, the n-th time | no | slip | slip |
    /// | | knows cookies | not, the n-th time | no | bad cookie | badcookie |
    /// | | | not | no | drop | drop |
    ///
    /// A response that its class keeps back takes no token of all.
    pub fn judge(&self, response: &Response, now: impl FnOnce() -> Duration) -> Judgement {
        const SEND: Judgement = Judgement { verdict: Verdict::Send, notice: None };
        let limits = &self.limits;
        if response.sender == Sender::Proven || limits.exempt.allows(response.peer) {
            return SEND;
        }
        let now = Moment::after(now());
        let client = self.network(response.peer);
        let rate = limits.per_class[response.class as usize];
        let mut of_all = false;
        let mut taken = self.take(client, Some(response.class), response.name, rate, now);
        if let (Taken::Token, Some(rate)) = (taken, limits.all) {
            of_all = true;
            taken = self.take(client, None, 0, rate, now);
        }
        let Taken::Nothing { is_nth, is_first } = taken else { return SEND };
        let notice = is_first.then(|| self.notice(client, of_all, now)).flatten();
        let counters = &self.counters;
        let (verdict, counter) = match (limits.log_only, is_nth, response.sender) {
            (true, ..) => (Verdict::Send, &counters.log_only),
            (_, false, _) => (Verdict::Drop, &counters.dropped),
            (_, true, Sender::KnowsCookies) => (Verdict::BadCookie, &counters.bad_cookies),
            (_, true, _) => (Verdict::Slip, &counters.slipped),
        };
        counter.fetch_add(1, Relaxed);
        Judgement { verdict, notice }
    }

    /// Whether limits are on trial.
    pub fn is_log_only(&self) -> bool {
        self.limits.log_only
    }

    fn network(&self, peer: IpAddr) -> Prefix {
        let Limits { ipv4_prefix, ipv6_prefix, .. } = self.limits;
        Prefix::containing_by_family(fold_mapped(peer), ipv4_prefix, ipv6_prefix)
    }

    fn take(
        &self,
        client: Prefix,
        class: Option<Class>,
        name: u64,
        rate: Rate,
        now: Moment,
    ) -> Taken {
        let key = Key { network: point(client.address()), class, name };
        self.table.bucket(&key, now).take(now, rate, self.limits.slip)
    }

    /// What to tell, unless too much was told of late.
    fn notice(&self, client: Prefix, of_all: bool, now: Moment) -> Option<Notice> {
        let pace = Rate::new(NOTICES_PER_SECOND, Duration::from_secs(1));
        match self.notices.take(now, pace, 0) {
            Taken::Token => {
                let held_back = self.held_back.swap(0, Relaxed);
                Some(Notice { client, of_all, held_back })
            }
            Taken::Nothing { .. } => {
                self.held_back.fetch_add(1, Relaxed);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
