//! Health: what a check is, what a probe saw, and what the two make of a target.
//!
//! ```text
//! Check + address + host ─► Target ─► (a probe, elsewhere) ─► Outcome, with a Report perhaps
//!                                                               │ rise / fall, smoothing
//! Saved (state file) ◄──► HealthTable, one TargetHealth each ◄──┘
//!                              │
//!                              └─► TargetStatus { health, near_flip, load, weight },
//!                                  what steering reads
//! ```
//!
//! The room is pure: it opens no socket, reads no file and asks no clock; the time comes in
//! as an argument. It does not know when or how a probe is made (`probe` does), nor what an
//! administrator said about an endpoint: that word stands above health and is kept elsewhere.
//!
//! Invariant: only an [`Outcome`] of the target's own probe changes its health, or one that was
//! pushed for it. Silence changes nothing, so a prober that stalls leaves the last known state;
//! where an external check says that pushes must come, that none came is an outcome of the
//! schedule. A person who fails a target back only lets its next pass count. What a target says of
//! itself is another matter: its load and weight grow too old to go by.

mod authorities;
mod check;
mod condition;
mod damping;
mod dns_check;
mod error;
mod exec_check;
mod external_check;
mod grpc_check;
mod host;
mod http_check;
mod outcome;
mod pattern;
mod report;
mod saved;
mod state;
mod stated;
mod table;
mod target;
mod tls_check;

pub use authorities::authorities;
pub use check::{Check, CheckKind, Jitter, RiseFall, Schedule, TcpCheck};
pub use condition::Condition;
pub use damping::{Caution, Damping, Failback, Restraint};
pub use dns_check::{DnsCheck, ResponseCode};
pub use error::HealthError;
pub use exec_check::ExecCheck;
pub use external_check::{ExternalCheck, OnSilence, Push};
pub use grpc_check::GrpcCheck;
pub use host::{HostHeader, HostName};
pub use http_check::{
    BodyMatch, BodyRegex, Header, HttpCheck, MAX_ANSWER_OCTETS, Method, RequestPath, Scheme,
    StatusRange, show_status_ranges,
};
pub use outcome::{Failure, Outcome, Stage};
pub use pattern::TargetPattern;
pub use report::{
    FieldName, Found, Full, HaproxyCell, JsonPointer, LoadSource, NoNumber, NumberRequest,
    NumberSource, Place, RawLoad, Report, Reports, Sample, Smoothing, WeightSource,
};
pub use saved::{Saved, SavedTarget};
pub use state::{Health, LastFailure, Seen, TargetHealth, Transition};
pub use stated::{Lapse, Load, Silence, Stated, StatedNumber};
pub use table::{
    Applied, Expired, HealthTable, MAX_TRANSITIONS, PastTransition, TargetStatus, WarningChange,
};
pub use target::{Target, TargetKey};
pub use tls_check::TlsCheck;
