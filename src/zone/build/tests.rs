//! Which zones are refused, and for which records and services.

use crate::zone::tree::testing::{try_zone, zone};

use super::*;

const APEX: &str = "@ SOA ns h 7 1h 1m 1w 60\n@ NS ns\n";

/// Mistakes as `line: message` or `service n: message`. The line counts from the first
/// one of `text`, which follows a good apex.
fn check(text: &str, services: &[&str], expected: &[&str]) {
    // One line of `$TTL` and those of the apex come before.
    let before = 1 + APEX.lines().count();
    let errors = match try_zone("example", &format!("{APEX}{text}"), services) {
        Ok(_) => Vec::new(),
        Err(errors) => errors,
    };
    let shown: Vec<_> = errors
        .iter()
        .map(|error| match (error.line, error.service) {
            (Some(line), None) => format!("{}: {}", line - before, error.message),
            (None, Some(ServiceId(n))) => format!("service {n}: {}", error.message),
            _ => error.message.clone(),
        })
        .collect();
    assert_eq!(shown, expected, "{text:?} {services:?}");
}

#[test]
fn a_zone_has_one_soa_and_name_servers_at_its_apex() {
    let check = |text: &str, expected: &[&str]| {
        let errors = try_zone("example", text, &[]).unwrap_err();
        let shown: Vec<_> = errors.iter().map(|error| &error.message).collect();
        assert_eq!(shown, expected, "{text:?}");
    };
    let no_soa = "the zone example. has no SOA record at its apex";
    let no_ns = "the zone example. has no NS record at its apex";
    check("", &[no_soa, no_ns]);
    check("@ NS ns\n", &[no_soa]);
    check("@ SOA ns h 7 1 1 1 1\n", &[no_ns]);
    check(
        "@ SOA ns h 7 1 1 1 1\n@ NS ns\n@ SOA ns h 8 1 1 1 1\n",
        &["example. has a second SOA record"],
    );
    check(
        "a SOA ns h 7 1 1 1 1\n@ NS ns\n",
        &[no_soa, "an SOA record at a.example., which is not the apex"],
    );
}

#[test]
fn an_alias_stands_alone() {
    check("a CNAME b\n RRSIG CNAME 8 2 60 20300101000000 20200101000000 1 @ AA==\n", &[], &[]);
    check("a CNAME b\na CNAME b\n", &[], &[]);
    check("a CNAME b\na CNAME B\n", &[], &[]);
    check("a CNAME b\na CNAME B\na CNAME c\n", &[], &["3: a.example. has a second CNAME record"]);
    check("a CNAME b\na CNAME c\n", &[], &["2: a.example. has a second CNAME record"]);
    check("a TXT t\na CNAME b\n", &[], &["2: a.example. has a CNAME record beside TXT"]);
    check("a CNAME b\na NS b\n", &[], &["1: a.example. has a CNAME record beside NS"]);
    check("a CNAME b\na DNAME b\n", &[], &["1: a.example. has a CNAME record beside DNAME"]);
    check("@ CNAME b\n", &[], &["1: example. has a CNAME record beside NS"]);
}

#[test]
fn redirections_and_delegations_are_kept_apart() {
    check("a DNAME b\na TXT t\na A 192.0.2.1\nb.a TXT t\n@ DNAME c\n", &[], &[]);
    check("a DNAME b\na DNAME c\n", &[], &["2: a.example. has a second DNAME record"]);
    check("a DNAME b\na DNAME B\n", &[], &[]);
    check("a NS b\na DNAME b\na DNAME c\n", &[], &["3: a.example. has a second DNAME record"]);
}

#[test]
fn what_is_served_otherwise_than_written_is_warned_of() {
    for (text, expected) in [
        ("a A 192.0.2.1\n* TXT t\n@ DNAME b\n", &[][..]),
        ("www. A 192.0.2.1\n", &["1: www. is outside the zone example.: not served"]),
        (
            "evilexample. SOA . . 1 1 1 1 1\nb NS c\n",
            &["1: evilexample. is outside the zone example.: not served"],
        ),
        ("a DNAME b\na NS c\n", &["1: the DNAME record of a.example. is hidden by its NS records"]),
        ("*.a NS b\n", &["1: NS at the wildcard *.a.example. delegates no name it stands for"]),
        ("* DNAME b\n", &["1: DNAME at the wildcard *.example. redirects no name it stands for"]),
    ] {
        let zone = zone("example", &format!("{APEX}{text}"), &[]);
        let before = 1 + APEX.lines().count();
        let shown: Vec<_> = zone
            .warnings()
            .iter()
            .map(|warning| format!("{}: {}", warning.line.unwrap() - before, warning.message))
            .collect();
        assert_eq!(shown, expected, "{text:?}");
    }
    let many: String = (0..60).map(|n| format!("n{n}. A 192.0.2.1\n")).collect();
    let zone = zone("example", &format!("{APEX}{many}"), &[]);
    assert_eq!((zone.warnings().len(), zone.record_count()), (50, 2));
}

#[test]
fn a_service_owns_the_addresses_of_its_names() {
    check(
        "a TXT t\n@ MX 10 m\nb DNAME c\n",
        &["a.example", "example", "*.w.example", "b.example"],
        &[],
    );
    check(
        "a A 192.0.2.1\n",
        &["a.example"],
        &["1: a.example. is the name of a service, which owns its A"],
    );
    check(
        "a AAAA ::1\n",
        &["a.example"],
        &["1: a.example. is the name of a service, which owns its AAAA"],
    );
    check(
        "a CNAME b\n",
        &["a.example"],
        &["1: a.example. is the name of a service, which owns its CNAME"],
    );
    check(
        "a NS b\n",
        &["a.example"],
        &["service 0: the service name a.example. is delegated away by its NS records"],
    );
    check(
        "a NS b\n",
        &["c.d.a.example"],
        &["service 0: the service name c.d.a.example. lies below a delegation"],
    );
    check(
        "a DNAME b\n",
        &["c.a.example"],
        &["service 0: the service name c.a.example. lies below a DNAME"],
    );
    check(
        "",
        &["a.example", "A.example"],
        &["service 1: a.example. is a name of two services, or of one twice"],
    );
    check("", &["a.evilexample"], &["service 0: a.evilexample. is outside the zone example."]);
}

#[test]
fn all_mistakes_are_reported_in_canonical_order() {
    check(
        "z CNAME a\nz TXT t\na CNAME b\na CNAME c\nm A 192.0.2.1\n",
        &["m.example"],
        &[
            "4: a.example. has a second CNAME record",
            "5: m.example. is the name of a service, which owns its A",
            "1: z.example. has a CNAME record beside TXT",
        ],
    );
}

#[test]
fn what_a_zone_tells_about_itself() {
    let text = "@ 30 SOA ns h 7 1h 1m 1w 60\n@ NS ns\n@ NS ns\na.b A 192.0.2.1\n\
        c NS a.b\nA.c A 192.0.2.2\n* TXT t";
    let zone = zone("Example", text, &["s.example"]);
    assert_eq!((zone.apex().to_string().as_str(), zone.apex_labels()), ("example.", 1));
    assert_eq!((zone.serial(), zone.negative_ttl(), zone.soa().ttl()), (7, 30, 30));
    let all: Vec<_> =
        zone.rrsets().map(|(owner, set)| format!("{owner} {}", set.rtype())).collect();
    assert_eq!(
        all,
        [
            "example. NS",
            "example. SOA",
            "*.example. TXT",
            "a.b.example. A",
            "c.example. NS",
            "a.c.example. A"
        ]
    );
    // Beside the owners there are b.example. and the name of the service.
    assert_eq!((zone.node_count(), zone.record_count()), (7, 6));
    let services: Vec<_> = zone.services().map(|(name, id)| (name.to_string(), id)).collect();
    assert_eq!(services, [("s.example.".to_owned(), ServiceId(0))]);
}

#[test]
fn names_sort_as_rfc_4034_section_6_1_says() {
    let names = ["example", "a.example", "yljkjljk.a.example", "Z.a.example", "zABC.a.EXAMPLE"];
    let names = names.into_iter().chain([
        "z.example",
        r"\000.z.example",
        r"\000a.z.example",
        r"\001.z.example",
        "*.z.example",
        r"\200.z.example",
    ]);
    let sorted: Vec<WireName> = names.map(|name| name.parse().unwrap()).collect();
    let mut shuffled: Vec<_> = sorted.iter().rev().cloned().collect();
    shuffled.sort_by_key(canonical_key);
    assert_eq!(shuffled, sorted);
}
