//! Packets: octets to a [`Message`], an answer to octets. Strict, minimal, and blind to zones.
//!
//! The query parser accepts exactly what an authoritative server has to (RFC 1035, RFC
//! 6891, RFC 7871); the writer puts whole RRsets or nothing, never beyond its limit, and
//! compresses names. Neither allocates per message.

mod binding;
mod cookie;
mod edns;
mod extended_error;
mod flags;
mod query;
mod reply_opt;
mod response;
mod tsig;

pub use binding::{Binding, BindingParameters, BindingTarget, MandatoryKey};
pub use cookie::{CheckedCookie, Cookie, CookieSecrets, Proof};
pub use edns::{ClientSubnet, Edns};
pub use extended_error::ExtendedError;
pub use flags::{HEADER_OCTETS, Opcode, Rcode};
pub use query::{CLASS_CHAOS, CLASS_IN, Message, Query, parse};
pub use reply_opt::ReplyOpt;
pub use response::{Answered, Compressor, Mark, ResponseWriter, Section};
pub use tsig::UnknownKey;
