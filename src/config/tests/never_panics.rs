//! Whatever the file holds, there is an answer: a spec, or errors that can be shown.

use proptest::prelude::*;

use super::*;

const TEMPLATE: &str = include_str!("../../../meridian.toml");

/// Words that mean something to the reader, put where they do not belong.
const WORDS: [&str; 24] = [
    "\"",
    "'''",
    "[",
    "]",
    "[[",
    "{",
    "}",
    "=",
    "\n",
    "#",
    ",",
    ".",
    "5s",
    "-1",
    "nan",
    "99999999999999999999",
    "1e999",
    "[service.www]",
    "[[zone]]",
    "endpoints",
    "\u{feff}",
    "é\t",
    "\r\n",
    "\0",
];

fn answers(octets: Vec<u8>) {
    if let Err(errors) = read_octets(octets) {
        assert!(!errors.is_empty());
        let report = errors.render(Dress::Plain);
        assert!(report.matches("error: ").count() >= errors.len());
        let _ = errors.render(Dress::Ansi);
        assert_eq!(errors.to_string().lines().count(), errors.len());
    }
}

proptest! {
    #[test]
    fn with_words_in_wrong_places(
        edits in proptest::collection::vec((0..TEMPLATE.len(), 0..40usize, 0..WORDS.len()), 1..6),
    ) {
        let mut octets = TEMPLATE.as_bytes().to_vec();
        for (at, removed, word) in edits {
            let at = at.min(octets.len());
            let end = (at + removed).min(octets.len());
            octets.splice(at..end, WORDS[word].bytes());
        }
        answers(octets);
    }

    #[test]
    fn with_values_of_wrong_types(at in 0..140usize, value in 0..8usize) {
        let value = ["5", "\"\"", "1.5", "true", "[]", "{}", "[[1], {a = 2}]", "07:32:00"][value];
        let line = TEMPLATE.lines().filter(|line| line.contains(" = ")).nth(at);
        if let Some((key, _)) = line.and_then(|line| line.split_once(" = ")) {
            let line = line.unwrap_or_default();
            answers(TEMPLATE.replace(line, &format!("{key} = {value}")).into_bytes());
        }
    }

    #[test]
    fn with_lines_left_out(lines in proptest::collection::vec(any::<bool>(), 200)) {
        let kept = TEMPLATE.lines().zip(lines).filter(|(_, keep)| *keep);
        answers(kept.map(|(line, _)| format!("{line}\n")).collect::<String>().into_bytes());
    }

    #[test]
    fn with_any_octets(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        answers(octets);
    }
}
