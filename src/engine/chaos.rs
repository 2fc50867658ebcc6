//! Class CHAOS: who and what answers (RFC 4892).
//!
//! | name | TXT, ANY |
//! |---|---|
//! | `version.bind`, `version.server` | `server.version` |
//! | `id.server`, `hostname.bind` | `server.identity`, else the host's name |
//! | any other; one of these if it is hidden | REFUSED |

use crate::model::{LookupName, RecordType};
use crate::wire::{Answered, ExtendedError, Query, Rcode, ResponseWriter};

use super::Visit;
use super::chase::{Chased, Subject};
use super::reception::identity;

/// Answers a query of class CHAOS for `name`.
pub(super) fn answer(
    query: &Query<'_>,
    name: &LookupName,
    visit: &Visit<'_>,
    writer: &mut ResponseWriter<'_>,
) -> Chased {
    let text = match name.as_wire() {
        b"\x07version\x04bind\0" | b"\x07version\x06server\0" => {
            Some(visit.settings().version.as_bytes()).filter(|version| !version.is_empty())
        }
        b"\x02id\x06server\0" | b"\x08hostname\x04bind\0" => identity(visit),
        _ => None,
    };
    match (text, query.qtype) {
        (Some(text), RecordType::TXT | RecordType::ANY) => {
            if !writer.chaos_text(text) {
                writer.set_truncated();
            }
            let answered = Answered { authoritative: true, ..Answered::code(Rcode::NoError, None) };
            let subject = Subject::Name(name.full_hash());
            Chased { answered, subject, ..Chased::code(Rcode::NoError, None) }
        }
        _ => Chased::code(Rcode::Refused, Some(ExtendedError::NOT_SUPPORTED)),
    }
}
