//! From master files to a tree of names, and from a question to what the tree has for it.
//!
//! Text becomes [`Record`]s in `master`; records and the names of services become an
//! immutable [`Zone`] in `tree`; `lookup` finds what a zone has for a name and a type; a
//! [`ZoneTable`] finds the zone. Everything is checked while it is built, so that a
//! lookup has no error to report: it cannot meet two SOA records or a CNAME beside an
//! address.
//!
//! The room is pure. It reads files only through [`Files`](crate::model::Files), knows no
//! socket and no clock, and never chooses among endpoints: a name of a service is found
//! as its [`ServiceId`](crate::model::ServiceId) and the engine asks `steer`.

mod build;
mod error;
mod index;
mod lookup;
mod master;
mod node;
mod record;
mod soa;
mod table;
mod tree;

pub use error::ZoneError;
pub use lookup::Found;
pub use master::{MasterFile, read_master_file};
pub use node::Cut;
pub use record::{Place, Record, Rrset};
pub use soa::CompressedSoa;
pub use table::ZoneTable;
pub use tree::Zone;
