//! What one probe saw.
//!
//! An outcome is a fact about one moment. What it means for the target's health is decided
//! by rise/fall, not here.

use std::time::Duration;

use thiserror::Error;

use super::Report;

/// The result of one probe and how long it took, waiting for its turn not counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Passed, or why not.
    pub result: Result<(), Failure>,
    /// From the first packet to the verdict.
    pub took: Duration,
    /// What the back end said of itself; empty unless it passed.
    pub report: Report,
    /// What will be a failure one day, or nearly was one; it changes no health.
    pub warning: Option<String>,
}

impl Outcome {
    /// A verdict alone.
    pub fn new(result: Result<(), Failure>, took: Duration) -> Self {
        Self { result, took, report: Report::default(), warning: None }
    }

    /// A pass.
    pub fn passed(took: Duration) -> Self {
        Self::new(Ok(()), took)
    }

    /// A failure.
    pub fn failed(failure: Failure, took: Duration) -> Self {
        Self::new(Err(failure), took)
    }

    /// Whether it passed.
    pub fn is_pass(&self) -> bool {
        self.result.is_ok()
    }
}

/// Why a probe failed, in words that can be shown as they are.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// Nobody listens there.
    #[error("connection refused")]
    Refused,
    /// The deadline of the whole probe passed.
    #[error("{} within {after:?}", stage.missed())]
    Timeout {
        /// What was being waited for.
        stage: Stage,
        /// The check's timeout.
        after: Duration,
    },
    /// No way to the address, or none from here.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// The handshake failed, or the certificate did not convince.
    #[error("TLS: {0}")]
    Tls(String),
    /// An HTTP answer with another status.
    #[error("status {got}, expected {expected}")]
    Status {
        /// What came.
        got: u16,
        /// The ranges that pass.
        expected: String,
    },
    /// An answer without the expected content.
    #[error("{expected} is not in the {octets} octets looked at")]
    Body {
        /// What was looked for.
        expected: String,
        /// How much came, up to the limit.
        octets: usize,
    },
    /// A DNS response with another code.
    #[error("rcode {got}, expected {expected}")]
    ResponseCode {
        /// What came.
        got: String,
        /// The codes that pass.
        expected: String,
    },
    /// A DNS response without the expected record.
    #[error("`{expected}` is not in the answer (records: {records})")]
    Answer {
        /// The RDATA that was looked for.
        expected: String,
        /// How many records came.
        records: usize,
    },
    /// A gRPC call that the other side refused or could not do.
    #[error("gRPC status {status}{}", after_colon(message))]
    Grpc {
        /// The code, in the words of gRPC where it is a known one.
        status: String,
        /// What the other side says about it.
        message: String,
    },
    /// A gRPC service that says it does not serve.
    #[error("{0}, expected SERVING")]
    NotServing(&'static str),
    /// A program that ended with another status than 0, or by a signal.
    #[error("{how}{}", after_colon(line))]
    Exit {
        /// `exit status 2`, `signal 9`.
        how: String,
        /// The first line it wrote.
        line: String,
    },
    /// Whoever looks after the target pushed that it is down.
    #[error("pushed down{}", after_colon(.0))]
    Pushed(String),
    /// Nobody pushed anything in time.
    #[error("nothing pushed within {0:?}")]
    Silence(Duration),
    /// The other side broke off, or does not speak the protocol.
    #[error("protocol: {0}")]
    Protocol(String),
    /// The probe itself failed: a defect or a bad setting here, not there.
    #[error("the probe failed: {0}")]
    Unexpected(String),
    /// This machine could not even try: out of descriptors, forbidden, no such family. It
    /// says nothing of the target, and never counts against it.
    #[error("on this machine: {0}")]
    Local(String),
}

impl Failure {
    /// A short word for labels and counters.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Timeout { .. } => "timeout",
            Self::Unreachable(_) => "unreachable",
            Self::Tls(_) => "tls",
            Self::Status { .. } => "status",
            Self::Body { .. } => "body",
            Self::ResponseCode { .. } => "rcode",
            Self::Answer { .. } => "answer",
            Self::Grpc { .. } => "grpc",
            Self::NotServing(_) => "not-serving",
            Self::Exit { .. } => "exit",
            Self::Pushed(_) => "pushed",
            Self::Silence(_) => "silence",
            Self::Protocol(_) => "protocol",
            Self::Unexpected(_) => "unexpected",
            Self::Local(_) => "local",
        }
    }
}

/// What was said, where anything was.
fn after_colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// How far a probe got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Waiting for the TCP connection, and for the TLS handshake if there is one.
    Connect,
    /// Connected, waiting for the answer's first part.
    Answer,
    /// The answer has begun, waiting for the rest of it.
    Body,
}

impl Stage {
    fn missed(self) -> &'static str {
        match self {
            Self::Connect => "no connection",
            Self::Answer => "no answer",
            Self::Body => "no complete answer",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_read_well() {
        let after = Duration::from_secs(2);
        for (failure, text) in [
            (Failure::Refused, "connection refused"),
            (Failure::Timeout { stage: Stage::Connect, after }, "no connection within 2s"),
            (Failure::Timeout { stage: Stage::Answer, after }, "no answer within 2s"),
            (
                Failure::Status { got: 503, expected: "200-299".into() },
                "status 503, expected 200-299",
            ),
            (
                Failure::Body { expected: "`ok`".into(), octets: 12 },
                "`ok` is not in the 12 octets looked at",
            ),
            (
                Failure::ResponseCode { got: "REFUSED".into(), expected: "NOERROR".into() },
                "rcode REFUSED, expected NOERROR",
            ),
            (
                Failure::Answer { expected: "192.0.2.1".into(), records: 2 },
                "`192.0.2.1` is not in the answer (records: 2)",
            ),
            (
                Failure::Grpc { status: "UNIMPLEMENTED".into(), message: "no".into() },
                "gRPC status UNIMPLEMENTED: no",
            ),
            (Failure::NotServing("NOT_SERVING"), "NOT_SERVING, expected SERVING"),
            (Failure::Exit { how: "exit status 2".into(), line: "".into() }, "exit status 2"),
            (Failure::Pushed("disk full".into()), "pushed down: disk full"),
            (Failure::Pushed(String::new()), "pushed down"),
            (Failure::Silence(Duration::from_secs(30)), "nothing pushed within 30s"),
        ] {
            assert_eq!(failure.to_string(), text);
        }
    }
}
