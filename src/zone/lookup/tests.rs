//! Lookups against zones of RFCs, against a plain zone, and against a slow reference.

mod reference;

use super::*;
use crate::zone::tree::testing::zone;

/// What was found, as one short text.
fn shown(found: Found<'_>) -> String {
    let texts = |rrset: &Rrset| {
        let shorten = |rdata: &[u8]| rdata.escape_ascii().to_string();
        rrset.rdatas().map(shorten).collect::<Vec<_>>().join(",")
    };
    match found {
        Found::Data(rrset) => format!("{} {}", rrset.rtype(), texts(rrset)),
        Found::Service { service } => format!("service {}", service.0),
        Found::Cname(rrset) => format!("alias {}", texts(rrset)),
        Found::Dname { rrset, labels } => format!("dname@{labels} {}", texts(rrset)),
        Found::Referral { cut, labels } => format!("referral@{labels} {}", texts(cut.ns())),
        Found::NoData => "nodata".to_owned(),
        Found::NxDomain => "nxdomain".to_owned(),
    }
}

fn check(zone: &Zone, cases: &[(&str, &str, &str)]) {
    for (name, qtype, expected) in cases {
        let name = LookupName::of(&name.parse().unwrap());
        let found = shown(zone.lookup(&name, qtype.parse().unwrap()));
        assert_eq!(found, *expected, "{name:?} {qtype}");
    }
}

#[test]
fn the_wildcards_of_rfc_4592_section_2_2_1() {
    let text = "$ORIGIN example.\n\
        example.                 3600 IN  SOA   ns.example.com. h.example. 1 1 1 1 1\n\
        example.                 3600     NS    ns.example.com.\n\
        example.                 3600     NS    ns.example.net.\n\
        *.example.               3600     TXT   \"wildcard\"\n\
        *.example.               3600     MX    10 host1.example.\n\
        sub.*.example.           3600     TXT   \"not\"\n\
        host1.example.           3600     A     192.0.2.1\n\
        _ssh._tcp.host1.example. 3600     SRV   0 0 22 host1.example.\n\
        _ssh._tcp.host2.example. 3600     SRV   0 0 22 host2.example.\n\
        subdel.example.          3600     NS    n.\n\
        subdel.example.          3600     NS    o.\n";
    let mx = r"MX \x00\n\x05host1\x07example\x00";
    check(
        &zone("example", text, &[]),
        &[
            // Synthesized from the wildcard.
            ("host3.example", "MX", mx),
            ("host3.example", "A", "nodata"),
            ("foo.bar.example", "TXT", r"TXT \x08wildcard"),
            // Not synthesized: the name exists ...
            ("host1.example", "MX", "nodata"),
            ("sub.*.example", "MX", "nodata"),
            ("sub.*.example", "TXT", r"TXT \x03not"),
            // ... or a name above it does, even an empty one ...
            ("_telnet._tcp.host1.example", "SRV", "nxdomain"),
            ("_tcp.host2.example", "SRV", "nodata"),
            ("host2.example", "MX", "nodata"),
            // ... or it is delegated ...
            ("host.subdel.example", "A", r"referral@2 \x01n\x00,\x01o\x00"),
            // ... or the closest encloser is the wildcard itself.
            ("ghost.*.example", "MX", "nxdomain"),
            ("*.example", "MX", mx),
            ("*.example", "A", "nodata"),
        ],
    );
}

/// A zone with one of everything.
fn plain() -> Zone {
    let text = "@ SOA . . 1 1 1 1 1\n@ NS ns\n@ TXT apex\nns A 192.0.2.1\n\
        a.b.c TXT t\nalias CNAME target.\nalias NSEC b CNAME NSEC\n*.wa CNAME w.\n\
        cut NS ns.cut\ncut DS 1 8 2 00\ncut A 192.0.2.9\nns.cut A 192.0.2.2\nns.cut AAAA ::1\n\
        ns.cut TXT hidden\n*.cut TXT hidden\nbare NS n.\n\
        d DNAME other.\nd TXT own\nx.d A 192.0.2.3\n*.d TXT hidden\n\
        www TXT static\n*.apps TXT wild\nhost.apps TXT host\n";
    let services = ["www.example", "example", "*.apps.example", "d.example", "deep.er.example"];
    zone("example", text, &services)
}

#[test]
fn plain_names_and_empty_non_terminals() {
    check(
        &plain(),
        &[
            ("example", "TXT", r"TXT \x04apex"),
            ("EXAMPLE", "NS", r"NS \x02ns\x07example\x00"),
            ("a.b.c.example", "TXT", r"TXT \x01t"),
            ("a.b.c.example", "A", "nodata"),
            ("b.c.example", "TXT", "nodata"),
            ("c.example", "ANY", "nodata"),
            ("x.c.example", "TXT", "nxdomain"),
            ("x.y.z.example", "A", "nxdomain"),
            ("ns.example", "ANY", r"A \xc0\x00\x02\x01"),
            ("ns.example", "TYPE65280", "nodata"),
        ],
    );
}

#[test]
fn aliases() {
    check(
        &plain(),
        &[
            ("alias.example", "A", r"alias \x06target\x00"),
            ("alias.example", "DS", r"alias \x06target\x00"),
            ("alias.example", "CNAME", r"CNAME \x06target\x00"),
            ("alias.example", "ANY", r"CNAME \x06target\x00"),
            ("alias.example", "NSEC", r"NSEC \x01b\x07example\x00\x00\x06\x04\x00\x00\x00\x00\x01"),
            ("alias.example", "RRSIG", r"alias \x06target\x00"),
            ("x.alias.example", "A", "nxdomain"),
            ("x.y.wa.example", "A", r"alias \x01w\x00"),
            ("x.wa.example", "CNAME", r"CNAME \x01w\x00"),
        ],
    );
}

#[test]
fn cuts() {
    let referral = r"referral@2 \x02ns\x03cut\x07example\x00";
    check(
        &plain(),
        &[
            ("cut.example", "NS", referral),
            ("cut.example", "A", referral),
            ("cut.example", "ANY", referral),
            ("cut.example", "DS", r"DS \x00\x01\x08\x02\x00"),
            ("bare.example", "DS", "nodata"),
            ("ns.cut.example", "A", referral),
            ("ns.cut.example", "DS", referral),
            ("x.y.cut.example", "TXT", referral),
            ("x.bare.example", "TXT", r"referral@2 \x01n\x00"),
        ],
    );
    let zone = plain();
    let Found::Referral { cut, .. } =
        zone.lookup(&LookupName::of(&"cut.example".parse().unwrap()), RecordType::NS)
    else {
        panic!("a cut refers");
    };
    assert_eq!(cut.ds().unwrap().rtype(), RecordType::DS);
}

#[test]
fn redirections() {
    check(
        &plain(),
        &[
            ("d.example", "TXT", r"TXT \x03own"),
            ("d.example", "DNAME", r"DNAME \x05other\x00"),
            ("d.example", "A", "service 3"),
            ("x.d.example", "A", r"dname@2 \x05other\x00"),
            ("y.d.example", "TXT", r"dname@2 \x05other\x00"),
            ("a.b.c.d.example", "DNAME", r"dname@2 \x05other\x00"),
        ],
    );
    let at_apex =
        zone("example", "@ SOA . . 1 1 1 1 1\n@ NS ns.\n@ DNAME o.\na A 192.0.2.1\n", &[]);
    check(
        &at_apex,
        &[
            ("example", "NS", r"NS \x02ns\x00"),
            ("example", "A", "nodata"),
            ("a.example", "A", r"dname@1 \x01o\x00"),
        ],
    );
    let alone = zone("example", "@ SOA . . 1 1 1 1 1\n@ NS ns.\nd DNAME o.\n", &[]);
    check(&alone, &[("d.example", "ANY", r"DNAME \x01o\x00"), ("d.example", "A", "nodata")]);
}

/// RFC 4592, sections 4.2 and 4.4: at a wildcard NS and DNAME are data for the names it
/// stands for, and do their work only at and below the wildcard's own name.
#[test]
fn wildcards_neither_delegate_nor_redirect_other_names() {
    let text = "@ SOA . . 1 1 1 1 1\n@ NS ns.\n\
        *.c NS n.\n*.c DS 1 8 2 00\n*.c TXT t\na.*.c A 192.0.2.1\n\
        *.bare NS n.\nown.bare TXT own\n\
        *.d DNAME o.\n*.d TXT t\n*.both NS n.\n*.both DNAME o.\n";
    let referral = r"referral@3 \x01n\x00";
    check(
        &zone("example", text, &[]),
        &[
            ("x.c.example", "NS", r"NS \x01n\x00"),
            ("x.c.example", "DS", r"DS \x00\x01\x08\x02\x00"),
            ("x.y.c.example", "TXT", r"TXT \x01t"),
            ("x.c.example", "A", "nodata"),
            ("x.c.example", "ANY", r"TXT \x01t"),
            ("*.c.example", "A", referral),
            ("*.c.example", "NS", referral),
            ("*.c.example", "DS", r"DS \x00\x01\x08\x02\x00"),
            ("a.*.c.example", "A", referral),
            ("b.*.c.example", "DS", referral),
            ("x.bare.example", "NS", r"NS \x01n\x00"),
            ("x.bare.example", "ANY", r"NS \x01n\x00"),
            ("x.bare.example", "DS", "nodata"),
            ("own.bare.example", "NS", "nodata"),
            ("x.own.bare.example", "NS", "nxdomain"),
            ("x.d.example", "DNAME", r"DNAME \x01o\x00"),
            ("x.y.d.example", "TXT", r"TXT \x01t"),
            ("x.y.d.example", "A", "nodata"),
            ("*.d.example", "DNAME", r"DNAME \x01o\x00"),
            ("x.*.d.example", "A", r"dname@3 \x01o\x00"),
            ("x.both.example", "NS", r"NS \x01n\x00"),
            ("x.both.example", "DNAME", r"DNAME \x01o\x00"),
            ("*.both.example", "DNAME", referral),
            ("x.*.both.example", "A", referral),
        ],
    );
}

/// Below a name both delegated and redirected, the child's word counts.
#[test]
fn a_delegation_hides_a_dname() {
    let text = "@ SOA . . 1 1 1 1 1\n@ NS ns.\na NS n.\na DNAME o.\na DS 1 8 2 00\n";
    let referral = r"referral@2 \x01n\x00";
    check(
        &zone("example", text, &[]),
        &[
            ("a.example", "DNAME", referral),
            ("a.example", "DS", r"DS \x00\x01\x08\x02\x00"),
            ("x.a.example", "A", referral),
        ],
    );
}

#[test]
fn services() {
    check(
        &plain(),
        &[
            ("www.example", "A", "service 0"),
            ("www.example", "AAAA", "service 0"),
            ("www.example", "MX", "service 0"),
            ("www.example", "ANY", "service 0"),
            ("www.example", "TXT", r"TXT \x06static"),
            ("x.www.example", "A", "nxdomain"),
            ("example", "A", "service 1"),
            ("example", "TXT", r"TXT \x04apex"),
            ("x.apps.example", "A", "service 2"),
            ("x.y.apps.example", "AAAA", "service 2"),
            ("x.apps.example", "TXT", r"TXT \x04wild"),
            ("host.apps.example", "A", "nodata"),
            ("apps.example", "A", "nodata"),
            ("er.example", "A", "nodata"),
            ("deep.er.example", "A", "service 4"),
        ],
    );
}

#[test]
fn addresses_are_glue_too() {
    let zone = plain();
    for (name, expected) in [
        ("ns.example", [true, false]),
        ("ns.cut.example", [true, true]),
        ("cut.example", [true, false]),
        // Not there, an alias, below a DNAME, only at a wildcard, a service's.
        ("none.example", [false, false]),
        ("alias.example", [false, false]),
        ("x.d.example", [false, false]),
        ("x.apps.example", [false, false]),
        ("www.example", [false, false]),
    ] {
        let found = zone.addresses(&LookupName::of(&name.parse().unwrap()));
        assert_eq!(found.map(|rrset| rrset.is_some()), expected, "{name}");
    }
}

#[test]
fn any_answers_with_the_smallest() {
    let text = "@ SOA . . 1 1 1 1 1\n@ NS ns.\na TXT 0123456789\na A 192.0.2.1\na A 192.0.2.2\n\
        a HINFO a b\ns NSEC a TXT\ns TXT 0123456789\n";
    check(
        &zone("example", text, &[]),
        &[
            ("a.example", "ANY", r"HINFO \x01a\x01b"),
            ("s.example", "ANY", r"TXT \n0123456789"),
            ("example", "ANY", r"NS \x02ns\x00"),
        ],
    );
}

#[test]
fn the_root_may_be_a_zone() {
    let root = zone(".", "@ SOA . . 1 1 1 1 1\n@ NS ns.\nns A 192.0.2.1\n*.w TXT t\n", &[]);
    check(
        &root,
        &[
            (".", "NS", r"NS \x02ns\x00"),
            (".", "A", "nodata"),
            ("ns", "A", r"A \xc0\x00\x02\x01"),
            ("x.y.w", "TXT", r"TXT \x01t"),
            ("none", "A", "nxdomain"),
        ],
    );
}
