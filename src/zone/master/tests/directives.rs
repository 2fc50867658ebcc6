//! What holds between entries: owners, TTLs, classes, and the four directives.

use super::*;

#[test]
fn owners_carry_over_and_names_are_completed() {
    check(
        "$TTL 60\n@ A 192.0.2.1\n A 192.0.2.2\n\n\tA 192.0.2.3\nWWW A 192.0.2.4\n\
         a.b.example. A 192.0.2.5\n* A 192.0.2.6\n\\065x A 192.0.2.7",
        &[
            "2 example. 60 A 192.0.2.1",
            "3 example. 60 A 192.0.2.2",
            "5 example. 60 A 192.0.2.3",
            "6 www.example. 60 A 192.0.2.4",
            "7 a.b.example. 60 A 192.0.2.5",
            "8 *.example. 60 A 192.0.2.6",
            "9 ax.example. 60 A 192.0.2.7",
        ],
    );
}

#[test]
fn ttl_and_class_come_in_any_order() {
    for head in ["1h IN A", "IN 1h A", "60m A", "3600 in a", "CLASS1 3600 TYPE1", "IN 1H a"] {
        check(&format!("w {head} 192.0.2.1\n"), &["1 w.example. 3600 A 192.0.2.1"]);
    }
    check("$TTL 1d\nw IN A 192.0.2.1\n", &["2 w.example. 86400 A 192.0.2.1"]);
    // A name that looks like a TTL, a class or a type is a name in the first place.
    check("60 60 A 192.0.2.1\n", &["1 60.example. 60 A 192.0.2.1"]);
    check("in 60 A 192.0.2.1\n", &["1 in.example. 60 A 192.0.2.1"]);
    check("a 60 A 192.0.2.1\n", &["1 a.example. 60 A 192.0.2.1"]);
}

#[test]
fn a_missing_ttl_is_found_as_the_rfcs_say() {
    // The SOA record's MINIMUM, then the last one written.
    check(
        "@ SOA . . 1 1h 1d 1w 5m\nb A 192.0.2.1\nc 60 A 192.0.2.2\nd A 192.0.2.3\n",
        &[
            "1 example. 300 SOA 00000000000100000e100001518000093a800000012c",
            "2 b.example. 300 A 192.0.2.1",
            "3 c.example. 60 A 192.0.2.2",
            "4 d.example. 60 A 192.0.2.3",
        ],
    );
    // $TTL goes before the last one written, and holds for what comes after it.
    check(
        "a 60 A 192.0.2.1\n$TTL 1w2d\nb A 192.0.2.2\nc 5 A 192.0.2.3\nd A 192.0.2.4\n",
        &[
            "1 a.example. 60 A 192.0.2.1",
            "3 b.example. 777600 A 192.0.2.2",
            "4 c.example. 5 A 192.0.2.3",
            "5 d.example. 777600 A 192.0.2.4",
        ],
    );
}

#[test]
fn soa_timers_take_units_and_parentheses() {
    check(
        "@ 1h IN SOA ns.example. h.example. ( ; comment (\n 2024010101 ; serial\n 1D\n 2h\n 4W\n 300 )\n",
        &["1 example. 3600 SOA 026e73076578616d706c65000168076578616d706c650078a3f17500015180\
           00001c200024ea000000012c"],
    );
}

#[test]
fn origin_changes_what_names_are_completed_with() {
    check(
        "$TTL 60\n$ORIGIN sub\na A 192.0.2.1\n$origin b.example.\n@ A 192.0.2.2\nc NS d\n",
        &[
            "3 a.sub.example. 60 A 192.0.2.1",
            "5 b.example. 60 A 192.0.2.2",
            "6 c.b.example. 60 NS 01640162076578616d706c6500",
        ],
    );
}

#[test]
fn windows_lines_and_a_missing_last_newline() {
    let lines = ["2 a.example. 60 A 192.0.2.1", "3 a.example. 60 TXT \\x01t"];
    check("$TTL 60\r\na A 192.0.2.1\r\n TXT \"t\"\r\n", &lines);
    check("$TTL 60\na A 192.0.2.1\n TXT t", &lines);
    check("\u{feff}$TTL 60\na A 192.0.2.1\n TXT t ; end", &lines);
    check("", &[]);
    check("; nothing", &[]);
}

#[test]
fn includes_are_read_in_place_and_leave_origin_and_owner_alone() {
    let files = [
        (
            "zones/a.zone",
            "a A 192.0.2.1\n$INCLUDE sub/b.inc b ; comment\n A 192.0.2.2\n$INCLUDE \"c.inc\"\nz A 192.0.2.8\n",
        ),
        (
            "zones/sub/b.inc",
            "$TTL 60\n$ORIGIN x.example.\n@ A 192.0.2.3\n$INCLUDE d.inc y.example.\nw A 192.0.2.4",
        ),
        ("zones/sub/d.inc", " A 192.0.2.5\n@ A 192.0.2.6\n"),
        ("zones/c.inc", "c A 192.0.2.7\n"),
    ];
    let memory =
        files.iter().fold(MemoryFiles::default(), |memory, (path, text)| memory.with(*path, *text));
    let first = format!("$TTL 5\n{}", files[0].1);
    let memory = memory.with("zones/a.zone", first);
    let read =
        read_master_file(&"example".parse().unwrap(), Path::new("zones/a.zone"), &memory).unwrap();
    assert_eq!(
        shown(&read.records),
        [
            "zones/a.zone:2 a.example. 5 A 192.0.2.1",
            "zones/sub/b.inc:3 x.example. 60 A 192.0.2.3",
            "zones/sub/d.inc:1 x.example. 60 A 192.0.2.5",
            "zones/sub/d.inc:2 y.example. 60 A 192.0.2.6",
            "zones/sub/b.inc:5 w.x.example. 60 A 192.0.2.4",
            // Origin and owner are as before; $TTL holds for what comes after it.
            "zones/a.zone:4 a.example. 60 A 192.0.2.2",
            "zones/c.inc:1 c.example. 60 A 192.0.2.7",
            "zones/a.zone:6 z.example. 60 A 192.0.2.8",
        ]
    );
    let watched: Vec<_> = read.files.iter().map(|file| file.path.to_str().unwrap()).collect();
    assert_eq!(watched, ["zones/a.zone", "zones/sub/b.inc", "zones/sub/d.inc", "zones/c.inc"]);
}

#[test]
fn includes_that_cannot_be_are_refused() {
    check_mistakes(
        &[("test.zone", "$INCLUDE none.inc\n$INCLUDE\n$INCLUDE a b c\n$INCLUDE \"\"\n")],
        &[
            "test.zone:1:10: cannot read none.inc: ",
            "test.zone:2:1: `$INCLUDE` has too few or too many",
            "test.zone:3:1: `$INCLUDE` has too few or too many",
            "test.zone:4:10: the path is empty",
        ],
    );
    check_mistakes(
        &[("test.zone", "$INCLUDE a.inc\n"), ("a.inc", "$INCLUDE ./x/../test.zone\n")],
        &["a.inc:1:10: ./x/../test.zone includes itself"],
    );
    check_mistakes(&[], &["test.zone: cannot be read: "]);
}

#[test]
fn includes_go_ten_deep_and_no_deeper() {
    let chain = |depth: usize| {
        let mut files: Vec<(String, String)> =
            (0..depth).map(|n| (format!("{n}.inc"), format!("$INCLUDE {}.inc\n", n + 1))).collect();
        files.push((format!("{depth}.inc"), "a 60 A 192.0.2.1\n".to_owned()));
        files[0].0 = "test.zone".to_owned();
        files
    };
    let as_text = |files: &[(String, String)]| {
        read(&files.iter().map(|(path, text)| (&**path, &**text)).collect::<Vec<_>>())
    };
    assert_eq!(as_text(&chain(10)).unwrap().records.len(), 1);
    let errors = as_text(&chain(11)).unwrap_err();
    assert_eq!(errors[0].to_string(), "10.inc:1:10: files include files 10 deep");
}

#[test]
fn includes_that_multiply_come_to_an_end() {
    let many = "$INCLUDE 1.inc\n".repeat(10_001);
    let errors = read(&[("test.zone", &many), ("1.inc", "")]).unwrap_err();
    let expected = "test.zone:10001:10: the zone includes over 10000 times";
    assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    // Ten files, but each is read eight times as often as the one before.
    let files: Vec<(String, String)> = (1..=9)
        .map(|n| (format!("{n}.inc"), format!("$INCLUDE {}.inc\n", n + 1).repeat(8)))
        .collect();
    let files: Vec<_> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
    let errors = read(&[&[("test.zone", "$INCLUDE 1.inc\n"), ("10.inc", "")], &*files].concat());
    assert!(errors.unwrap_err().iter().all(|error| error.message.ends_with("10000 times")));
}

#[test]
fn generate_makes_lines() {
    check(
        "$TTL 60\n$GENERATE 1-3 host$ A 192.0.2.$\nz A 192.0.2.9\n",
        &[
            "2 host1.example. 60 A 192.0.2.1",
            "2 host2.example. 60 A 192.0.2.2",
            "2 host3.example. 60 A 192.0.2.3",
            "3 z.example. 60 A 192.0.2.9",
        ],
    );
    check(
        "$GENERATE 0-10/5 ${1,3} 1h IN A 10.0.${-0}.1\n",
        &[
            "1 001.example. 3600 A 10.0.0.1",
            "1 006.example. 3600 A 10.0.5.1",
            "1 011.example. 3600 A 10.0.10.1",
        ],
    );
    check(
        "$GENERATE 10-10 ${0,0,x}-${0,2,o} 5 TXT \"n $\" \"$$ \\$ ${0,3,n}\"\n",
        &["1 a-12.example. 5 TXT \\x04n 10\\x07$ $ a.0"],
    );
    // A single quoted string is taken out of its quotes, as BIND does.
    check(
        "$generate 1-1 $ IN 5 MX \"10 m$\"\n",
        &["1 1.example. 5 MX 000a026d31076578616d706c6500"],
    );
}

#[test]
fn generate_is_bounded_and_its_mistakes_are_named_once() {
    let one = |line: &str, expected: &str| check_mistakes(&[("test.zone", line)], &[expected]);
    one(
        "$GENERATE 1-300 h$ 5 A 192.0.2.$\n",
        "test.zone:1: with $ = 256: `192.0.2.256`: expected IPv4",
    );
    one("$GENERATE 0-65536 h$ 5 A 192.0.2.1\n", "test.zone:1:11: `0-65536` makes more than 65536");
    one("$GENERATE 3-1 h$ 5 A 192.0.2.1\n", "test.zone:1:11: `3-1` ends before it starts");
    one("$GENERATE 1-3/0 h$ 5 A 192.0.2.1\n", "test.zone:1:11: `1-3/0` has a step of 0");
    one("$GENERATE 1..3 h$ 5 A 192.0.2.1\n", "test.zone:1:11: `1..3` is no range");
    one("$GENERATE 1-3\n", "test.zone:1:1: $GENERATE lacks a range or an owner");
    one("$GENERATE 1-3 h$ 5 IN\n", "test.zone:1:1: $GENERATE lacks a record type");
    one("$GENERATE 1-3 h$ 5 IN A\n", "test.zone:1:1: $GENERATE lacks RDATA");
    one("$GENERATE 1-3 h${q} 5 A 192.0.2.1\n", "test.zone:1:15: `${q}` is not ${offset");
    one("$GENERATE 1-3 h${-2} 5 A 192.0.2.1\n", "test.zone:1: with $ = 1: the offset makes");
    one("$GENERATE 1-3 h$..c 5 A 192.0.2.1\n", "test.zone:1: with $ = 1: `h1..c` is no domain");
    assert_eq!(
        read(&[("test.zone", "$GENERATE 1-65536 h$ 5 A 192.0.2.1")]).unwrap().records.len(),
        65_536
    );
}
