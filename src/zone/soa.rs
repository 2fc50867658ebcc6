//! The SOA record as a negative answer carries it: its names compressed when the zone is made,
//! so that "no" costs no more than an answer.

use crate::model::{WireName, name_octets};

/// SOA RDATA (RFC 1035, section 3.3.13), its names compressed against the apex, wherever that
/// will stand in a message, and against each other.
#[derive(Debug)]
pub struct CompressedSoa {
    /// Two octets lie free for each pointer.
    rdata: Box<[u8]>,
    pointers: [Option<Pointer>; 2],
}

/// A pointer that is known but for where things will stand.
#[derive(Debug, Clone, Copy)]
struct Pointer {
    /// Where it stands in the RDATA.
    place: usize,
    to: Target,
}

/// What a pointer points at: so many octets behind the start of the apex, or of the RDATA.
#[derive(Debug, Clone, Copy)]
enum Target {
    Apex(usize),
    Rdata(usize),
}

impl CompressedSoa {
    /// Compresses `rdata`, two uncompressed names and what follows them.
    pub(super) fn of(apex: &WireName, rdata: &[u8]) -> Self {
        let mut known: Vec<(Vec<u8>, Target)> = suffixes(apex.as_wire())
            .map(|(at, suffix)| (suffix.to_vec(), Target::Apex(at)))
            .collect();
        let mut out = Vec::with_capacity(rdata.len());
        let mut rest = rdata;
        let pointers = [(); 2].map(|()| {
            let (name, after) = rest.split_at(name_octets(rest));
            rest = after;
            let start = out.len();
            let found = suffixes(name).find_map(|(at, suffix)| {
                let same = |(other, _): &&(Vec<u8>, _)| other.eq_ignore_ascii_case(suffix);
                known.iter().find(same).map(|(_, to)| (at, *to))
            });
            let written = found.map_or(name.len(), |(at, _)| at);
            out.extend_from_slice(&name[..written]);
            let own = suffixes(name).take_while(|(at, _)| *at < written);
            known.extend(own.map(|(at, suffix)| (suffix.to_vec(), Target::Rdata(start + at))));
            found.map(|(_, to)| {
                out.extend_from_slice(&[0, 0]);
                Pointer { place: start + written, to }
            })
        });
        out.extend_from_slice(rest);
        Self { rdata: out.into(), pointers }
    }

    /// How many octets it takes.
    pub fn octets(&self) -> usize {
        self.rdata.len()
    }

    /// Appends it to a message in which the apex stands at `apex_at`, uncompressed.
    pub fn write(&self, apex_at: usize, message: &mut Vec<u8>) {
        let start = message.len();
        message.extend_from_slice(&self.rdata);
        for Pointer { place, to } in self.pointers.into_iter().flatten() {
            let at = match to {
                Target::Apex(offset) => apex_at + offset,
                Target::Rdata(offset) => start + offset,
            };
            let pointer = 0xc000 | at as u16;
            message[start + place..start + place + 2].copy_from_slice(&pointer.to_be_bytes());
        }
    }
}

/// The suffixes of an uncompressed name from the whole of it to its last label, each with
/// where it starts.
fn suffixes(name: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let next = |at: &usize| Some(at + 1 + usize::from(*name.get(*at)?));
    let starts = std::iter::successors(Some(0), next);
    starts.map(|at| (at, &name[at..])).take_while(|(_, suffix)| suffix.first() > Some(&0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_lead_to_the_apex_or_to_the_first_name() {
        let name = |text: &str| text.parse::<WireName>().unwrap();
        for (mname, rname, expected) in [
            // The message has the apex at 20, and the RDATA at 50.
            ("ns1.a.example", "host.a.example", &b"\x03ns1\xc0\x14\x04host\xc0\x14"[..]),
            ("a.example", "example", b"\xc0\x14\xc0\x16"),
            ("ns.b.test", "h.b.test", b"\x02ns\x01b\x04test\0\x01h\xc0\x35"),
            ("ns.b.test", "ns.b.test", b"\x02ns\x01b\x04test\0\xc0\x32"),
            ("x.a.example", "y.x.a.example", b"\x01x\xc0\x14\x01y\xc0\x32"),
            ("b.example", "c.test", b"\x01b\xc0\x16\x01c\x04test\0"),
            (".", ".", b"\0\0"),
        ] {
            let rdata = [name(mname).as_wire(), name(rname).as_wire(), b"12345"].concat();
            let upper = rdata.to_ascii_uppercase();
            for rdata in [rdata, upper] {
                let soa = CompressedSoa::of(&name("a.example"), &rdata);
                let mut message = vec![9; 50];
                soa.write(20, &mut message);
                assert_eq!(message.len(), 50 + soa.octets());
                let expected = [expected, b"12345"].concat();
                assert!(message[50..].eq_ignore_ascii_case(&expected), "{mname} {rname} {soa:?}");
            }
        }
    }
}
