//! A named check: what is asked, how often, and how many outcomes change a mind.
//!
//! It says nothing about who is probed (that is a [`Target`](super::Target)) and makes no
//! probe. Checks compare by value, so that a reload can tell one that did not change.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use super::{
    Caution, DnsCheck, ExecCheck, ExternalCheck, GrpcCheck, HealthError, HttpCheck, Reports,
    TlsCheck,
};

/// A health check as the configuration names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name in the configuration.
    pub name: String,
    /// What is asked.
    pub kind: CheckKind,
    /// The port to probe where the endpoint does not say; see [`Check::default_port`].
    pub port: Option<u16>,
    /// When it is asked.
    pub schedule: Schedule,
    /// How many outcomes in a row change the health.
    pub rise_fall: RiseFall,
    /// What else that takes.
    pub caution: Caution,
}

impl Check {
    /// A check with the defaults of every other key.
    pub fn new(name: impl Into<String>, kind: CheckKind) -> Self {
        let (schedule, rise_fall) = (Schedule::default(), RiseFall::default());
        let caution = Caution::default();
        Self { name: name.into(), kind, port: None, schedule, rise_fall, caution }
    }

    /// The port of this check: its own, else that of the scheme or of DNS, and 0 for checks that
    /// need none; others have none but their own.
    pub fn default_port(&self) -> Option<u16> {
        self.port.or_else(|| self.kind.default_port())
    }
}

/// The port of name servers (RFC 1035, section 4.2).
const DNS_PORT: u16 = 53;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckKind {
    /// An HTTP request.
    Http(HttpCheck),
    /// A connection, and what may be said over it.
    Tcp(TcpCheck),
    /// A TLS handshake.
    Tls(TlsCheck),
    /// A DNS query.
    Dns(DnsCheck),
    /// A call of gRPC's health protocol.
    Grpc(GrpcCheck),
    /// An ICMP echo request.
    Icmp,
    /// A program of the operator's.
    Exec(ExecCheck),
    /// Nothing: somebody else says how it is.
    External(ExternalCheck),
}

impl CheckKind {
    /// The port where neither the check nor the endpoint says one; 0 where none is needed.
    pub fn default_port(&self) -> Option<u16> {
        match self {
            Self::Http(http) => Some(http.scheme.default_port()),
            Self::Tcp(_) | Self::Tls(_) | Self::Grpc(_) => None,
            Self::Dns(_) => Some(DNS_PORT),
            Self::Exec(exec) if exec.needs_port() => None,
            Self::Icmp | Self::Exec(_) | Self::External(_) => Some(0),
        }
    }

    /// What the back end is to say of itself, if anything.
    pub fn reports(&self) -> Option<&Reports> {
        match self {
            Self::Http(http) => http.reports.as_deref(),
            _ => None,
        }
    }
}

/// A TCP check; with neither text, a connection alone passes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TcpCheck {
    /// Sent as soon as the connection stands.
    pub send: Option<Arc<[u8]>>,
    /// Must be among the first [`MAX_ANSWER_OCTETS`](super::MAX_ANSWER_OCTETS) received.
    pub expect: Option<Arc<[u8]>>,
}

/// When probes start and how long each may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    interval: Duration,
    timeout: Duration,
    jitter: Jitter,
}

impl Schedule {
    /// The shortest interval; a target probed more often is under attack.
    pub const MIN_INTERVAL: Duration = Duration::from_millis(10);
    /// The longest interval.
    pub const MAX_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
    /// The shortest timeout.
    pub const MIN_TIMEOUT: Duration = Duration::from_millis(1);
    /// The longest timeout; with the shortest interval it bounds how many probes overlap.
    pub const MAX_TIMEOUT: Duration = Duration::from_secs(60);

    /// A schedule. The timeout may be longer than the interval: probes then overlap.
    ///
    /// # Errors
    /// When a duration is out of its bounds.
    pub fn new(interval: Duration, timeout: Duration, jitter: Jitter) -> Result<Self, HealthError> {
        if !(Self::MIN_INTERVAL..=Self::MAX_INTERVAL).contains(&interval) {
            return Err(HealthError::Interval(interval));
        }
        if !(Self::MIN_TIMEOUT..=Self::MAX_TIMEOUT).contains(&timeout) {
            return Err(HealthError::Timeout(timeout));
        }
        Ok(Self { interval, timeout, jitter })
    }

    /// The longest time from the start of one probe to the start of the next.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// How long one probe may take, from the first packet to the last.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// By how much a probe may start early.
    pub fn jitter(&self) -> Jitter {
        self.jitter
    }

    /// How many probes of one target may be under way: enough that one may start each
    /// interval although every one of them times out.
    pub fn max_overlap(&self) -> usize {
        let intervals = self.timeout.as_nanos().div_ceil(self.interval.as_nanos());
        usize::try_from(intervals + 1).unwrap_or(usize::MAX)
    }
}

impl Default for Schedule {
    /// Every 5 seconds with 2 to answer, and the default jitter.
    fn default() -> Self {
        let (interval, timeout) = (Duration::from_secs(5), Duration::from_secs(2));
        Self { interval, timeout, jitter: Jitter::default() }
    }
}

/// A fraction of the interval, 0 to 0.5, by which a probe may start early; never late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jitter {
    per_mille: u16,
}

impl Jitter {
    /// Probes keep the interval to the dot.
    pub const NONE: Self = Self { per_mille: 0 };

    /// A jitter, kept to a thousandth.
    ///
    /// # Errors
    /// When `fraction` is not within 0 to 0.5.
    pub fn new(fraction: f64) -> Result<Self, HealthError> {
        if !(0.0..=0.5).contains(&fraction) {
            return Err(HealthError::Jitter(fraction.to_string()));
        }
        Ok(Self { per_mille: (fraction * 1000.0).round() as u16 })
    }

    /// The longest time a probe may start before its interval is over.
    pub fn of(self, interval: Duration) -> Duration {
        interval * u32::from(self.per_mille) / 1000
    }
}

impl Default for Jitter {
    /// A tenth.
    fn default() -> Self {
        Self { per_mille: 100 }
    }
}

/// How many outcomes in a row turn a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RiseFall {
    /// Passes that turn Down into Up.
    pub rise: NonZeroU16,
    /// Failures that turn Up into Down.
    pub fall: NonZeroU16,
}

impl RiseFall {
    /// Both counts, as the configuration writes them.
    ///
    /// # Errors
    /// When one is not within 1 to 65535.
    pub fn new(rise: i64, fall: i64) -> Result<Self, HealthError> {
        let count = |name, value| {
            let count = u16::try_from(value).ok().and_then(NonZeroU16::new);
            count.ok_or(HealthError::Count { name, value })
        };
        Ok(Self { rise: count("rise", rise)?, fall: count("fall", fall)? })
    }
}

impl Default for RiseFall {
    /// Two passes up, three failures down.
    fn default() -> Self {
        const TWO: NonZeroU16 = NonZeroU16::new(2).expect("2 is not 0");
        const THREE: NonZeroU16 = NonZeroU16::new(3).expect("3 is not 0");
        Self { rise: TWO, fall: THREE }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Scheme;
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn schedules_have_bounds() {
        let make = |interval, timeout| Schedule::new(interval, timeout, Jitter::NONE);
        assert!(make(ms(10), ms(1)).is_ok());
        assert_eq!(make(ms(9), ms(1)), Err(HealthError::Interval(ms(9))));
        assert_eq!(make(ms(10), ms(0)), Err(HealthError::Timeout(ms(0))));
        assert!(make(Duration::MAX, ms(1)).is_err());
        assert!(RiseFall::new(1, 65_535).is_ok());
        for (rise, fall) in [(0, 1), (1, 0), (-1, 1), (1, 65_536)] {
            assert!(RiseFall::new(rise, fall).is_err(), "{rise} {fall}");
        }
        for fraction in [-0.1, 0.51, f64::NAN] {
            assert!(Jitter::new(fraction).is_err(), "{fraction}");
        }
        assert_eq!(Jitter::new(0.1).map(|jitter| jitter.of(ms(5000))), Ok(ms(500)));
    }

    #[test]
    fn probes_overlap_only_as_far_as_the_timeout_needs() {
        for (interval, timeout, overlap) in
            [(1000, 500, 2), (1000, 1000, 2), (1000, 1001, 3), (1000, 5000, 6), (10, 1, 2)]
        {
            let schedule = Schedule::new(ms(interval), ms(timeout), Jitter::NONE);
            assert_eq!(schedule.map(|s| s.max_overlap()), Ok(overlap), "{interval} {timeout}");
        }
    }

    #[test]
    fn the_port_is_the_check_s_or_the_scheme_s() {
        let web = Check::new("web", CheckKind::Http(HttpCheck::new(Scheme::Https)));
        assert_eq!(web.default_port(), Some(443));
        assert_eq!(Check { port: Some(8443), ..web }.default_port(), Some(8443));
        assert_eq!(Check::new("db", CheckKind::Tcp(TcpCheck::default())).default_port(), None);
        let dns = DnsCheck::new("example.com".parse().expect("this is a name"));
        assert_eq!(Check::new("ns", CheckKind::Dns(dns)).default_port(), Some(53));
    }
}
