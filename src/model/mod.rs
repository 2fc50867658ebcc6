//! The words every room shares: names, networks, coordinates, sites, endpoints, TTLs.
//!
//! Types here are parsed once and cannot hold nonsense afterwards. Nothing in this
//! room decides anything, and nothing here knows a file, a socket or a clock.

mod client;
mod endpoint;
mod exchange;
mod files;
mod glob;
mod lookup_name;
mod name;
mod place;
mod prefix;
mod record_type;
mod transport;
mod ttl;

pub use client::{ClientNet, fold_embedded_v4, is_unroutable};
pub use endpoint::{
    AdminState, EndpointTarget, Family, NestedService, Server, ServiceId, Site, SiteId, TargetId,
    Weight, WeightError,
};
pub use exchange::Exchange;
pub use files::{Files, MemoryFiles, ReadFile, digest};
pub use glob::{Glob, GlobError};
pub use lookup_name::{LookupName, name_hash};
pub use name::{MAX_NAME_OCTETS, NameError, WireName, ascii_lowercase, labels, name_octets};
pub use place::{Coordinates, CoordinatesError, EARTH_RADIUS_KM};
pub use prefix::{Prefix, PrefixError};
pub use record_type::{RecordType, RecordTypeError};
pub use transport::Transport;
pub use ttl::{MAX_TTL_SECONDS, TtlRange};
