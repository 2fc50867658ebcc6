//! The differences that are meant, each with its reason. `docs/interop.md` tells of them, too.

use crate::common::peers::Software::{Knot, Nsd};
use crate::compare::{Difference, Field, Scene};
use crate::message::Entry;
use crate::name::Name;
use crate::queries::ANY;

/// A difference from the majority that is to be. One that covers nothing any more fails the
/// test, so the list holds no more than is true.
pub struct Exception {
    pub reason: &'static str,
    pub covers: fn(&Difference<'_>, &Scene<'_, '_>) -> bool,
}

/// SIG, KEY, RRSIG, NSEC, NSEC3: what stands at an alias, or seems to, in a signed zone.
const OF_SIGNED_ALIASES: [u16; 5] = [24, 25, 46, 47, 50];

/// What the longest record of an address takes: a pointer, the fixed part, an AAAA.
const ADDRESS_OCTETS: usize = 2 + 10 + 16;

const AT_SIGNED_ALIASES: Exception = Exception {
    reason: "where nothing is signed an alias has no RRSIG or NSEC, so the search goes on \
             at its target (RFC 1034, 4.3.2, step 3a); some peers stop at it, each for \
             other types, for in a signed zone these stand at an alias (RFC 4035, 2.5; RFC \
             2181, 10.1)",
    covers: |difference, scene| {
        let asks = OF_SIGNED_ALIASES.contains(&difference.case.rtype);
        asks && depends_on_chain(difference.field) && scene.has_alias()
    },
};

pub const OF_ANSWERS: &[Exception] = &[
    AT_SIGNED_ALIASES,
    Exception {
        reason: "after an alias the search starts again over all zones (RFC 1034, 4.3.2, steps \
                 1 to 3a; RFC 6604, 3), as in NSD; Knot and BIND stay in the zone of the \
                 question",
        covers: |difference, scene| {
            depends_on_chain(difference.field)
                && scene.leaves_zone()
                && scene.extends_peers()
                && (difference.field == Field::Additional || scene.is_as(difference, Nsd))
        },
    },
    Exception {
        reason: "ANY gets one RRset, and which one is the server's choice (RFC 8482, 4.1)",
        covers: |difference, scene| {
            let depends = [Field::Answer, Field::Chain, Field::Additional];
            let field = depends.contains(&difference.field);
            field && difference.case.rtype == ANY && scene.has_one_rrset()
        },
    },
    Exception {
        reason: "a DNAME that leads below itself has no end: 16 aliases are followed here, and \
                 how many elsewhere differs, and so does whether they fit; no limit is laid down \
                 (RFC 1034, 5.2.2; RFC 6672)",
        covers: |difference, _| {
            let endless = Name::absolute("dname-below.example");
            let depends = [Field::Answer, Field::Chain, Field::Flag("TC")];
            depends.contains(&difference.field) && difference.case.name.is_at_or_below(&endless)
        },
    },
    Exception {
        reason: "a referral that lacks one address of a host below the cut has TC (RFC 9471, \
                 3.1), as in Knot; NSD and BIND are content with some",
        covers: |difference, scene| {
            let truncated = difference.field == Field::Flag("TC") && scene.ours_is_truncated();
            truncated && !scene.ours_is_authoritative() && scene.is_as(difference, Knot)
        },
    },
    Exception {
        reason: "no pointer leads into the RDATA of a DNAME, so a long target is written twice \
                 and may not fit; compression is free (RFC 1035, 4.1.4), and NSD does the same",
        covers: |difference, scene| {
            let truncated = difference.field == Field::Flag("TC") && scene.ours_is_truncated();
            let long =
                [Name::absolute("dname-long.example"), Name::absolute("to-parent.long.test")];
            let is_long = long.iter().any(|name| difference.case.name.is_at_or_below(name));
            truncated && is_long && scene.is_as(difference, Nsd)
        },
    },
    Exception {
        reason: "with TC the reply ends where the room does, and the rcode is that of the part \
                 that fitted, as in Knot; the client ignores it and asks over TCP (RFC 2181, 9)",
        covers: |difference, scene| {
            difference.field == Field::Rcode
                && scene.ours_is_truncated()
                && scene.is_as(difference, Knot)
        },
    },
    Exception {
        reason: "addresses of a host in another zone are added from that zone: local data is \
                 what there is to add (RFC 1034, 4.3.2, step 6); the peers keep to one zone",
        covers: |difference, scene| {
            let foreign = |record: &&Entry| scene.is_in_other_zone(&record.owner);
            difference.field == Field::Additional
                && scene.lacking().iter().all(foreign)
                && scene.invented().iter().all(foreign)
        },
    },
    Exception {
        reason: "no address is made from a wildcard to be added to an answer or a referral: \
                 adding is free (RFC 1034, 4.3.2, step 6), as in BIND for referrals",
        covers: |difference, scene| {
            let wild = Name::absolute("wild.example");
            let lacking = scene.lacking();
            difference.field == Field::Additional
                && scene.invented().is_empty()
                && lacking.iter().all(|record| record.owner.is_at_or_below(&wild))
        },
    },
    Exception {
        reason: "in a message that is full, which addresses are left out is free (RFC 2181, 9)",
        covers: |difference, scene| {
            let is_full = !difference.case.tcp && scene.room_left() < ADDRESS_OCTETS;
            difference.field == Field::Additional && is_full
        },
    },
];

pub const OF_SERVICES: &[Exception] = &[
    AT_SIGNED_ALIASES,
    Exception {
        reason: "a service's addresses are chosen for whoever asks for them, and not added to \
                 an answer about something else: adding is free (RFC 1034, 4.3.2, step 6)",
        covers: |difference, scene| {
            let www = Name::absolute("www.services.test");
            difference.field == Field::Additional
                && scene.invented().is_empty()
                && scene.lacking().iter().all(|record| record.owner == www)
        },
    },
];

pub const OF_ODD_MESSAGES: &[Exception] = &[
    Exception {
        reason: "NOTIFY and UPDATE are not implemented: nothing is a secondary, nothing is \
                 changed over the wire. So NOTIMP, whatever they hold (RFC 1035, 4.1.1; RFC \
                 2136, 2.2)",
        covers: |difference, _| is_about(difference, &["opcode 4", "opcode 5"]),
    },
    Exception {
        reason: "class ANY has no authoritative answer (RFC 1035, 6.2): REFUSED; BIND gives \
                 FORMERR, NSD and Knot answer from class IN",
        covers: |difference, _| is_about(difference, &["class 255"]),
    },
    Exception {
        reason: "type 0 is reserved and no type to ask for (RFC 6895, 3.1): FORMERR; Knot \
                 gives NOTIMP, others look it up",
        covers: |difference, _| is_about(difference, &["type 0"]),
    },
    Exception {
        reason: "OPT is no data (RFC 6891, 6.1.1): FORMERR, as in BIND",
        covers: |difference, _| is_about(difference, &["type 41"]),
    },
    Exception {
        reason: "TKEY, TSIG, MAILB and MAILA are not types of data but operations (RFC 6895, \
                 3.1) that are not implemented: NOTIMP; no two peers do the same for all",
        covers: |difference, _| {
            is_about(difference, &["type 249", "type 250", "type 253", "type 254"])
        },
    },
    Exception {
        reason: "there are no transfers from here, of whatever name: REFUSED by policy (RFC \
                 5936, 2.2.1 and 5); the peers say first that a name is no zone of theirs, or \
                 that UDP is no way to ask",
        covers: |difference, _| is_about(difference, &["type 251", "type 252"]),
    },
    Exception {
        reason: "a query has nothing in its answer and authority sections (RFC 1035, 4.1.1), \
                 but for IXFR: FORMERR, as in NSD",
        covers: |difference, _| {
            let sections = ["a record in the answer section", "a record in the authority section"];
            is_about(difference, &sections)
        },
    },
    Exception {
        reason: "a message ends with the last record its header counts (RFC 1035, 4.1): \
                 FORMERR for more, as in Knot",
        covers: |difference, _| {
            let behind = [
                "an octet behind the end",
                "a record behind the end",
                "an OPT behind the end",
                "an octet behind the OPT",
            ];
            is_about(difference, &behind)
        },
    },
    Exception {
        reason: "a Client Subnet option with more octets or bits than its prefix, or a scope \
                 in a query, is malformed: FORMERR (RFC 7871, 6 and 7.1), as in BIND",
        covers: |difference, _| {
            let malformed = [
                "ECS with an octet too many",
                "ECS with bits beyond the prefix",
                "ECS with a scope",
            ];
            is_about(difference, &malformed)
        },
    },
];

/// Whether an odd message is called so, or so and more words.
fn is_about(difference: &Difference<'_>, beginnings: &[&str]) -> bool {
    let rest = |beginning: &&str| difference.case.what.strip_prefix(*beginning);
    let mut rests = beginnings.iter().filter_map(rest);
    rests.any(|rest| rest.is_empty() || rest.starts_with([' ', ',']))
}

/// Whether a field follows from how far a chain of aliases was followed.
fn depends_on_chain(field: Field) -> bool {
    let header = [Field::Rcode, Field::Flag("TC")].contains(&field);
    header || (Field::Answer..=Field::Additional).contains(&field)
}
