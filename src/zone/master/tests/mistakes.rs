//! Mistakes: where they are, that they hide none after them, and that none is fatal.

use proptest::prelude::*;

use super::*;

#[test]
fn all_mistakes_are_reported_at_their_lines() {
    check_mistakes(
        &[
            (
                "test.zone",
                "$TTL 1y\n$ORIGIN a..b\n$NOPE\n@ 60 CH A 192.0.2.1\na 60 A \"192.0.2.1\nb 60 A x\n\
                 c 60 TXT )\nd..e 60 A 192.0.2.1\n 60 A y\n$INCLUDE b.inc\ne 60 TXT ( \"a\"\n \"b\"\n\
                 f 60 A z\n",
            ),
            ("b.inc", "\n\n  60 A 1\ng 60 A 2\n"),
        ],
        &[
            "test.zone:1:6: `1y` is no duration",
            "test.zone:2:9: `a..b` is no domain name",
            "test.zone:3:1: `$NOPE` is no directive",
            "test.zone:4:6: class `CH` is not served",
            "test.zone:5:8: a quoted string is not closed",
            "test.zone:6:8: `x`: expected IPv4",
            "test.zone:7:10: `)` without",
            "test.zone:8:1: `d..e` is no domain name",
            // The line after it has the same owner, of which enough was said. So has the
            // first of the included file.
            "b.inc:4:8: `2`: expected IPv4",
            "test.zone:11:10: `(` is never closed",
            "test.zone:13:8: `z`: expected IPv4",
        ],
    );
}

#[test]
fn what_is_missing_is_said_once() {
    check_mistakes(
        &[("test.zone", "a A 192.0.2.1\nb A 192.0.2.1\nc A 192.0.2.1\n")],
        &["test.zone:1:3: the record has no TTL"],
    );
    check_mistakes(
        &[("test.zone", " 60 A 192.0.2.1\na\nb 60\nc 60 IN\nd 60 60 A 192.0.2.1\n")],
        &[
            "test.zone:1:2: no record before this one has a name",
            "test.zone:2:1: a record type is missing",
            "test.zone:3:1: a record type is missing",
            "test.zone:4:1: a record type is missing",
            "test.zone:5:6: `60` is no record type",
        ],
    );
}

#[test]
fn reading_stops_after_fifty() {
    let errors = read(&[("test.zone", &"a 60 A x\n".repeat(80))]).unwrap_err();
    assert_eq!(errors.len(), MAX_ERRORS);
    assert_eq!(errors[49].line, Some(50));
}

#[test]
fn advice_shows_what_to_write() {
    for (text, advice) in [
        ("a 60 MX m\n", "write `MX preference name`"),
        ("a 60 HIP x\n", "write the RDATA as `\\# <length> <hex>` (RFC 3597)"),
        ("a 60 CH A x\n", "only class IN is: leave the class out, or write IN"),
        ("a A 192.0.2.1\n", "write `$TTL 1h` before it"),
    ] {
        let errors = read(&[("test.zone", text)]).unwrap_err();
        assert_eq!(errors[0].advice.as_deref(), Some(advice), "{text}");
    }
}

#[test]
fn huge_and_odd_tokens_are_no_danger() {
    let long = "a".repeat(300);
    let huge = "a".repeat(400_000);
    for text in [
        format!("{huge} 60 A 192.0.2.1"),
        format!("a 60 TXT {huge}"),
        format!("a 60 TXT {long}"),
        format!("a 60 TXT \"{huge}\""),
        format!("a 60 {huge} x"),
        format!("a {} A 192.0.2.1", "9".repeat(400_000)),
        format!("a 60 A {}", "( ".repeat(100_000)),
        format!("$INCLUDE {huge}"),
        format!("$GENERATE 1-2 {huge}$ 60 A 192.0.2.1"),
        format!("a 60 TXT {}", "a ".repeat(60_000)),
        format!("a 60 HTTPS 1 . key700={}", "a".repeat(70_000)),
        format!("a 60 HTTPS 1 . key700={0} key701={0}", "a".repeat(40_000)),
        format!("a 60 HTTPS 1 . alpn={long}"),
        format!("a 60 HTTPS 1 . mandatory={}", "key9,".repeat(40_000)),
        format!("a 60 CAA 0 {long} x"),
        format!("a 60 CAA 0 issue {}", "a".repeat(70_000)),
        format!("a 60 HINFO {long} x"),
        format!("a 60 NAPTR 1 1 {long} x x ."),
        format!("a 60 TLSA 1 1 1 {}", "00".repeat(70_000)),
        format!("a 60 DNSKEY 256 3 8 {}", "AAAA".repeat(30_000)),
        format!("a 60 OPENPGPKEY {}", "AAAA".repeat(30_000)),
        format!("a 60 CERT 1 1 1 {}", "AAAA".repeat(21_845)),
        format!("a 60 DS 1 1 1 {}", "00".repeat(70_000)),
        format!("a 60 SSHFP 1 1 {}", "00".repeat(70_000)),
        format!("a 60 ZONEMD 1 1 1 {}", "00".repeat(70_000)),
        format!("a 60 NSEC3PARAM 1 0 0 {}", "00".repeat(300)),
        format!("a 60 NSEC3 1 0 0 - {} A", "0".repeat(800)),
        format!("a 60 IPSECKEY 1 0 1 . {}", "AAAA".repeat(30_000)),
        format!("a 60 RRSIG A 1 1 1 1 1 1 . {}", "AAAA".repeat(30_000)),
        format!("a 60 URI 1 1 {}", "a".repeat(65_532)),
        format!("a 60 APL {}", "1:1.1.1.1/32 ".repeat(10_000)),
        "a 60 TXT a\\".to_owned(),
        "a 60 TXT \"a\\\"".to_owned(),
        "a 60 A @".to_owned(),
        "a 60 HTTPS 1 . =".to_owned(),
        "a 60 HTTPS 1 . alpn=\"".to_owned(),
        "a 60 HTTPS 1 . alpn=\"\"".to_owned(),
        "a 60 HTTPS 1 . \"a\"=\"b\"\"c\"".to_owned(),
        "\"\" 60 A 192.0.2.1".to_owned(),
        "\0\0\0 \0".to_owned(),
    ] {
        assert!(read(&[("test.zone", &text)]).is_err(), "{}", &text[..text.len().min(50)]);
    }
    // What a TXT record of many strings may take.
    let full = format!("a 60 TXT {}", format!("{} ", "b".repeat(255)).repeat(255));
    assert_eq!(read(&[("test.zone", &full)]).unwrap().records[0].rdata.len(), 65_280);
}

/// Pieces from which lines are made that come close to being right.
fn fragment() -> impl Strategy<Value = String> {
    let words = [
        "@",
        "a",
        "a.example.",
        "60",
        "1h",
        "IN",
        "CLASS1",
        "A",
        "AAAA",
        "MX",
        "TXT",
        "SOA",
        "NSEC",
        "NSEC3",
        "RRSIG",
        "HTTPS",
        "SVCB",
        "CAA",
        "NAPTR",
        "LOC",
        "APL",
        "CERT",
        "URI",
        "DS",
        "DNSKEY",
        "IPSECKEY",
        "TLSA",
        "SSHFP",
        "CSYNC",
        "ZONEMD",
        "CDS",
        "OPENPGPKEY",
        "HINFO",
        "DHCID",
        "TYPE1",
        "TYPE99",
        "TYPE108",
        "\\#",
        "0",
        "1",
        "4",
        "255",
        "65536",
        "c0000201",
        "192.0.2.1",
        "::1",
        ".",
        "alpn=h2",
        "port=",
        "mandatory=",
        "ipv4hint=1",
        "key1=",
        "\"\"",
        "\"a b\"",
        "\"",
        "(",
        ")",
        ";",
        "\\",
        "\\0",
        "\\999",
        "\n",
        "\r\n",
        "\n ",
        " ",
        "$TTL",
        "$ORIGIN",
        "$INCLUDE",
        "test.zone",
        "$GENERATE",
        "1-3",
        "$",
        "${0,2,n}",
        "20300101000000",
        "AAEC",
        "AA=",
        "-",
        "N",
        "E",
        "!1:",
    ];
    proptest::sample::select(words.to_vec()).prop_map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        let files = MemoryFiles::default().with("test.zone", octets);
        let _ = read_master_file(&"example".parse().unwrap(), Path::new("test.zone"), &files);
    }

    #[test]
    fn no_words_make_it_panic(
        words in proptest::collection::vec(fragment(), 0..40),
        spaced in any::<bool>(),
    ) {
        let text = words.join(if spaced { " " } else { "" });
        let _ = read(&[("test.zone", &text)]);
    }

    #[test]
    fn no_rdata_makes_it_panic(
        rtype in 0_u16..300,
        fields in proptest::collection::vec(prop_oneof![fragment(), "[ -~]{0,12}"], 0..9),
    ) {
        let _ = read(&[("test.zone", &format!("a 60 TYPE{rtype} {}", fields.join(" ")))]);
    }

    #[test]
    fn no_generic_rdata_makes_it_panic(
        rtype in 0_u16..300,
        octets in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        let _ = read(&[("test.zone", &format!("a 60 TYPE{rtype} \\# {} {hex}", octets.len()))]);
    }
}
