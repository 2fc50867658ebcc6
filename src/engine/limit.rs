//! Limits on replies over UDP: asks the guard about a reply, tells the log of it, and makes
//! the reply what the verdict says. What is limited is the guard's.

use std::net::IpAddr;
use std::time::Duration;

use tracing::{debug, warn};

use crate::guard::{Class, Judgement, Notice, Response, ResponseLimiter, Sender, Verdict};
use crate::model::LookupName;
use crate::wire::{Answered, Mark, Proof, Rcode, ResponseWriter};

use super::chase::Subject;

/// What becomes of a reply to `peer`. `question` is that of the query, empty where there is
/// none; `proof` is that of its cookie.
pub(super) fn judge(
    limiter: &ResponseLimiter,
    peer: IpAddr,
    subject: Subject,
    proof: Option<Proof>,
    question: &[u8],
    now: impl FnOnce() -> Duration,
) -> Verdict {
    let (class, name) = class_of(subject);
    let sender = match proof {
        None => Sender::Unproven,
        Some(Proof::Unknown | Proof::Wrong) => Sender::KnowsCookies,
        Some(Proof::Valid) => Sender::Proven,
    };
    let Judgement { verdict, notice } = limiter.judge(&Response { peer, class, name, sender }, now);
    if let Some(notice) = notice {
        tell(limiter, &notice, class, question);
    }
    if verdict != Verdict::Send {
        debug!(client = %peer, %class, ?verdict, "reply limited");
    }
    verdict
}

/// Makes of a reply what it is to be, in place: what was written since `start` is taken back
/// where that is not itself. Returns what belongs into the header, or `None` for silence.
///
/// | verdict | the reply |
/// |---|---|
/// | send | as it is |
/// | slip | empty, with TC; an error as it is, for it has no records to come back for |
/// | bad cookie | empty, BADCOOKIE |
/// | drop | none |
pub(super) fn apply(
    verdict: Verdict,
    answered: Answered,
    subject: Subject,
    writer: &mut ResponseWriter<'_>,
    start: Mark,
) -> Option<Answered> {
    match verdict {
        Verdict::Send => Some(answered),
        Verdict::Slip if subject == Subject::Error => Some(answered),
        Verdict::Slip => {
            writer.undo(start);
            writer.set_truncated();
            Some(Answered { scope: answered.scope, ..Answered::code(Rcode::NoError, None) })
        }
        Verdict::BadCookie => {
            writer.undo(start);
            Some(Answered::code(Rcode::BadCookie, None))
        }
        Verdict::Drop => None,
    }
}

/// Where there is no name to count, it is 0.
fn class_of(subject: Subject) -> (Class, u64) {
    match subject {
        Subject::Name(name) => (Class::Positive, name),
        Subject::NoData(apex) => (Class::NoData, apex),
        Subject::NxDomain(apex) => (Class::NxDomain, apex),
        Subject::Referral(apex) => (Class::Referral, apex),
        Subject::Error => (Class::Error, 0),
    }
}

/// Says that a limit was reached; the guard sees to it that this is not too often.
#[cold]
fn tell(limiter: &ResponseLimiter, notice: &Notice, class: Class, question: &[u8]) {
    let mut qname = LookupName::default();
    let has_name = qname.fill(question).is_some();
    let limit = if notice.of_all { "all_per_second".to_owned() } else { class.to_string() };
    warn!(
        client = %notice.client,
        limit,
        %class,
        qname = has_name.then(|| tracing::field::display(&qname)),
        log_only = limiter.is_log_only(),
        held_back = notice.held_back,
        "a limit on responses is reached"
    );
}
