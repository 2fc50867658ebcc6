//! Whatever a file holds, there is an answer: an error, or a configuration that is accepted.

use proptest::prelude::*;

use super::*;

/// Words that mean something to a reader, put where they do not belong.
const WORDS: &[&str] = &[
    "\"",
    "'",
    "\\",
    "{",
    "}",
    ";",
    "(",
    ")",
    "\n",
    "\t",
    "#",
    "//",
    "/*",
    "%",
    "$",
    "\u{feff}",
    "\0",
    "é",
    "-A ",
    "-a ",
    "-r ",
    "-p ",
    "-6 ",
    "-s lblc ",
    "-M 300",
    "stick on src,ipmask(40)\n",
    "-w 0",
    "-w 99999999999",
    "-f 1",
    "server ",
    "backup",
    "weight=0",
    "weight 0",
    "weight 9999999",
    "down",
    "[::1]:0",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255:80",
    "::ffff:192.0.2.1",
    "name.example.com:80",
    "localhost:80",
    "www.example.com",
    "*.example.com",
    "a..b",
    ".",
    "example.com",
    "$ORIGIN x.\n",
    "$INCLUDE x\n",
    "$GENERATE 1-3 a A 192.0.2.$\n",
    "@ A 192.0.2.1\n @ A 192.0.2.2\n",
    "* CNAME www\n",
    "NS ns\n",
    "zone \"www.example.com\" { type primary; file \"zones/plain.db\"; };",
    "upstream ",
    "listen ",
    "backend ",
    "frontend ",
    "default_backend shop\n",
    "balance random\n",
    "check port 1",
    "interval=0",
    "inter 0",
    "uri=x",
    "max_fails=0",
    "hash ",
    "server_name ",
    "match ",
];

/// Imports what is there; what comes of it must be shown, written and accepted.
fn answers(format: Format, first: &str, files: &MemoryFiles) {
    let Ok(imported) = import(format, Path::new(first), files, &Options::default()) else { return };
    assert!(imported.report.to_string().lines().count() > 1);
    let table = imported.configuration.parse::<toml::Table>();
    assert!(table.is_ok(), "{table:?}\n{}", imported.configuration);
    let checked = check(&imported);
    assert!(checked.is_ok(), "{}\n{}", checked.unwrap_err(), imported.configuration);
}

fn text_of(format: Format) -> &'static str {
    match format {
        Format::Bind => BIND[0].1,
        Format::Nginx => include_str!("../../../tests/import/nginx.conf"),
        Format::Haproxy => concat!(
            include_str!("../../../tests/import/haproxy.cfg"),
            include_str!("../../../tests/import/sticky.haproxy.cfg"),
        ),
        Format::Ipvs => concat!(
            include_str!("../../../tests/import/ipvs.rules"),
            include_str!("../../../tests/import/marks.ipvs.rules"),
        ),
    }
}

/// A text with pieces cut out and words put in.
fn mutated(text: &str, edits: &[(usize, usize, usize)]) -> Vec<u8> {
    let mut octets = text.as_bytes().to_vec();
    for (at, removed, word) in edits {
        let at = at % (octets.len() + 1);
        let end = (at + removed).min(octets.len());
        octets.splice(at..end, WORDS[word % WORDS.len()].bytes());
    }
    octets
}

proptest! {
    #[test]
    fn with_words_in_wrong_places(
        format in 0..Format::ALL.len(),
        edits in proptest::collection::vec((any::<usize>(), 0..30usize, any::<usize>()), 1..6),
    ) {
        let format = Format::ALL[format];
        let text = mutated(text_of(format), &edits);
        answers(format, "named.conf", &files(BIND).with("named.conf", text));
    }

    #[test]
    fn with_words_in_zones(
        file in 1..BIND.len(),
        edits in proptest::collection::vec((any::<usize>(), 0..30usize, any::<usize>()), 1..6),
    ) {
        let (path, text) = BIND[file];
        answers(Format::Bind, "named.conf", &files(BIND).with(path, mutated(text, &edits)));
    }

    #[test]
    fn with_lines_left_out(
        format in 0..Format::ALL.len(),
        lines in proptest::collection::vec(any::<bool>(), 140),
    ) {
        let format = Format::ALL[format];
        let kept = text_of(format).lines().zip(lines).filter(|(_, keep)| *keep);
        let text = kept.map(|(line, _)| format!("{line}\n")).collect::<String>();
        answers(format, "named.conf", &files(BIND).with("named.conf", text));
    }

    #[test]
    fn with_any_octets(
        format in 0..Format::ALL.len(),
        octets in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        answers(Format::ALL[format], "x", &files(&[]).with("x", octets));
    }

    #[test]
    fn with_words_alone(
        format in 0..Format::ALL.len(),
        words in proptest::collection::vec(any::<usize>(), 0..40),
    ) {
        let text: Vec<&str> = words.into_iter().map(|word| WORDS[word % WORDS.len()]).collect();
        answers(Format::ALL[format], "x", &files(&[]).with("x", text.join(" ")));
    }
}
