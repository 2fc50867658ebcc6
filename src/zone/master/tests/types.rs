//! RDATA of every type that can be written, against octets.

use super::*;

/// The RDATA of one record, in hexadecimal.
fn check_rdata(text: &str, hex: &str) {
    match read(&[("test.zone", &format!("a 60 {text}\n"))]) {
        Ok(read) => {
            let shown: String =
                read.records[0].rdata.iter().map(|octet| format!("{octet:02x}")).collect();
            assert_eq!(shown, hex.replace(' ', ""), "{text}");
        }
        Err(errors) => panic!("{errors:#?}"),
    }
}

#[test]
fn the_types_of_every_zone() {
    for (text, hex) in [
        ("A 192.0.2.1", "c0000201"),
        ("AAAA 2001:DB8::1", "20010db8000000000000000000000001"),
        // The case of names in RDATA is kept; `@` and the root are names.
        ("NS Ns", "024e73 076578616d706c65 00"),
        ("CNAME @", "076578616d706c65 00"),
        ("PTR .", "00"),
        ("DNAME other.", "056f74686572 00"),
        ("MX 10 @", "000a 076578616d706c65 00"),
        ("MX 0 .", "0000 00"),
        ("SRV 1 2 53 a\\.b.", "0001 0002 0035 03612e62 00"),
        ("TXT \"a b\" c \"\"", "03612062 0163 00"),
        ("TXT @", "0140"),
        ("TXT a\\\"b\\;\\200", "05 61 22 62 3b c8"),
        ("TXT \"caf\u{e9};(\"", "07 636166c3a9 3b28"),
        ("TXT (\n \"a\" ; one\n \"b\"\n)", "0161 0162"),
        ("CAA 0 issue \"ca.example; x=1\"", "00 05 6973737565 63612e6578616d706c653b20783d31"),
        ("HINFO \"a b\" c", "03612062 0163"),
        ("RP m .", "016d076578616d706c6500 00"),
        (
            "NAPTR 1 2 \"u\" \"E2U+sip\" \"!^.*$!sip:a@b!\" .",
            "0001 0002 0175 07453255 2b736970 0e215e2e2a24217369703a61406221 00",
        ),
        ("SSHFP 4 2 00ff", "04 02 00ff"),
        ("TLSA 3 1 1 00 ff", "03 01 01 00ff"),
        ("SMIMEA 3 1 1 00ff", "03 01 01 00ff"),
        ("OPENPGPKEY AAEC AwQ=", "0001020304"),
        ("IPSECKEY 1 3 0 gw", "01 03 00 026777 076578616d706c65 00"),
    ] {
        check_rdata(text, hex);
    }
}

#[test]
fn svcb_and_https() {
    for (text, hex) in [
        ("HTTPS 0 @", "0000 076578616d706c65 00"),
        ("HTTPS 1 . alpn=h2,h3", "0001 00 0001 0006 026832 026833"),
        ("HTTPS 1 . alpn=\"h2,h3\" port=443", "0001 00 0001 0006 026832 026833 0003 0002 01bb"),
        ("SVCB 1 svc ipv4hint=192.0.2.1", "0001 03737663 076578616d706c65 00 0004 0004 c0000201"),
        ("HTTPS 1 . key667=\"a b\"", "0001 00 029b 0003 612062"),
    ] {
        check_rdata(text, hex);
    }
}

#[test]
fn dnssec() {
    for (text, hex) in [
        ("DS 60485 5 1 2BB1 83AF", "ec45 05 01 2bb183af"),
        ("CDS 0 0 0 00", "0000 00 00 00"),
        ("DNSKEY 257 3 13 AAEC", "0101 03 0d 000102"),
        ("NSEC b A MX", "0162 076578616d706c65 00 0002 4001"),
        ("NSEC3PARAM 1 0 0 -", "01 00 0000 00"),
        (
            "NSEC3 1 0 0 - 00000000000000000000000000000000 A",
            "01 00 0000 00 14 0000000000000000000000000000000000000000 0001 40",
        ),
        (
            "RRSIG A 13 2 60 20300101000000 20200101000000 1 @ AAEC",
            "0001 0d 02 0000003c 70db d880 5e0be100 0001 076578616d706c65 00 000102",
        ),
        ("CSYNC 66 3 A NS AAAA", "00000042 0003 0004 60000008"),
        (
            "ZONEMD 1 1 1 00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
            "00000001 01 01 00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
        ),
    ] {
        check_rdata(text, hex);
    }
}

#[test]
fn types_that_domain_does_not_read() {
    for (text, hex) in [
        ("SPF \"v=spf1 -all\"", "0b763d73706631202d616c6c"),
        ("AFSDB 1 @", "0001 076578616d706c65 00"),
        ("KX 1 a.", "0001 016100"),
        ("TYPE21 1 a.", "0001 016100"),
        ("URI 10 1 \"ftp://a/\\\"b\"", "000a 0001 6674703a2f2f612f2262"),
        ("CERT PGP 0 0 AAEC", "0003 0000 00 000102"),
        ("CERT 1 2 13 AA EC", "0001 0002 0d 000102"),
        ("APL 1:192.0.2.0/24 !2:2001:db8::/32", "0001 18 03 c00002 0002 20 84 20010db8"),
        ("TYPE108 00-00-5e-00-53-2A", "00005e00532a"),
        ("DHCID AAEC", "000102"),
        // RFC 1876, section 4: the examples of the document, and its defaults.
        ("LOC 42 21 54 N 71 06 18 W -24m 30m", "00 33 16 13 89172dd0 70be15f0 00988d20"),
        (
            "LOC 42 21 43.952 N 71 5 6.344 W -24m 1m 200m",
            "00 12 24 13 89 17 06 90 70 bf 2d d8 00988d20",
        ),
        ("LOC 52 14 05 N 00 08 50 E 10m", "00 12 16 13 8b3556c8 80081650 00989a68"),
        ("LOC 32 S 116 E 10", "00 12 16 13 79223000 98e41200 00989a68"),
    ] {
        check_rdata(text, hex);
    }
}

#[test]
fn unknown_types_and_unknown_forms() {
    for (text, hex) in [
        ("TYPE65280 \\# 3 010203", "010203"),
        ("TYPE65280 \\# 4 0102 03 04", "01020304"),
        ("TYPE65280 \\# 0", ""),
        ("A \\# 4 C0000201", "c0000201"),
        ("TYPE1 192.0.2.1", "c0000201"),
        ("MX \\# 5 000a016100", "000a 016100"),
        ("HIP \\# 1 00", "00"),
    ] {
        check_rdata(text, hex);
    }
}

#[test]
fn malformed_rdata_is_named_with_its_place() {
    let one = |text: &str, expected: &str| {
        check_mistakes(&[("test.zone", &format!("a 60 {text}\n"))], &[expected]);
    };
    one("A 192.0.2", "test.zone:1:8: `192.0.2`: expected IPv4 address");
    one("A x 2", "test.zone:1:8: `x`: expected IPv4 address");
    one("A", "test.zone:1:6: the A record has no data");
    one("A 192.0.2.1 2", "test.zone:1:18: `2` is one field too many");
    one("AAAA 1::2::3", "test.zone:1:11: `1::2::3`: expected IPv6 address");
    one("MX 10", "test.zone:1:9: the record ends too early");
    one("MX ten m", "test.zone:1:9: `ten`: ");
    one("MX 70000 m", "test.zone:1:9: `70000`: ");
    one("MX 10 a..b", "test.zone:1:12: `a..b` is no domain name: an empty label");
    one("MX 10 m m", "test.zone:1:14: `m` is one field too many");
    one("TXT \\300", "test.zone:1:10: `\\300`: ");
    one("SOA . . 1 2 3 4", "test.zone:1:20: the record ends too early");
    one("SOA . . 1 2 3y 4 5", "test.zone:1:18: `3y` is no duration");
    one("SOA . . ( 1\n2\n3\n4y 5 )", "test.zone:4:1: `4y` is no duration");
    one("SOA . . ( x\n2\n3\n4 5 )", "test.zone:1:16: `x`: ");
    one("SRV 1 2 x t", "test.zone:1:14: `x`: ");
    one("DS 1 8 2 0g", "test.zone:1:15: `0g`: ");
    one("NOPE x", "test.zone:1:6: `NOPE` is no record type");
    one("HIP 2 200100107B1A74DF365639CC39F1D578 AwEA", "test.zone:1:6: the form of `HIP` records");
    one("TYPE65280 x", "test.zone:1:6: the form of `TYPE65280` records");
    one("ANY x", "test.zone:1:6: ANY is no type that a zone holds");
    one("OPT \\# 0", "test.zone:1:6: OPT is no type that a zone holds");
    one("TYPE65280 \\# 3 0102", "test.zone:1:19: 3 octets are announced, 4 digits follow");
    one("TYPE65280 \\# 1 0x", "test.zone:1:21: `0x` is not hexadecimal");
    one("TYPE65280 \\#", "test.zone:1:16: the length is missing");
    one("A \\# 3 C00002", "test.zone:1:11: these octets are no RDATA of type A");
    one("NS \\# 2 C000", "test.zone:1:12: these octets are no RDATA of type NS");
    one("AFSDB \\# 1 00", "test.zone:1:15: these octets are no RDATA of type AFSDB");
    one("LOC 91 N 0 E 0", "test.zone:1:10: more than 90 degrees");
    one("LOC 1 N 0 E", "test.zone:1:6: the record ends too early");
    one("LOC 1 60 N 0 E 0", "test.zone:1:12: 60 or more");
    one("LOC N 0 E 0", "test.zone:1:10: degrees and N or S");
    one("URI 1 2", "test.zone:1:6: a URI record has three fields");
    one("CAA 0 is-sue x", "test.zone:1:12: `is-sue`: CAA tag");
    one("HTTPS 1 . alpn=h2 alpn=h3", "test.zone:1:24: ");
}
