//! "Did you mean": the nearest known word to a mistyped one.

/// The known word a person most likely meant; `None` when all are too far away.
pub fn nearest<'w>(typed: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let typed = typed.to_lowercase().replace([' ', '_'], "-");
    // A third of the letters may be wrong: `seul` is `seoul`, `nope` is nothing.
    let limit = (typed.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|word| (distance(&typed, word), word))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Edits between the two; a word that merely goes on, as `geo` to `geo-proximity`, is near.
fn distance(typed: &str, word: &str) -> usize {
    let word = word.to_lowercase().replace('_', "-");
    let longest = typed.len().max(word.len());
    let shortest = typed.len().min(word.len());
    // Words this different in length cannot be near, and the measure is quadratic.
    if longest > 256 {
        return usize::MAX;
    }
    if shortest >= 3 && (word.starts_with(typed) || typed.starts_with(&*word)) {
        return 1;
    }
    strsim::damerau_levenshtein(typed, &word)
}

/// Words for a list in a message, `a`, `b` and `c`; a long list is cut.
pub fn listed<W: AsRef<str>>(words: &[W]) -> String {
    const MOST: usize = 24;
    let quoted: Vec<String> =
        words.iter().take(MOST).map(|word| format!("`{}`", word.as_ref())).collect();
    if words.len() > MOST {
        return format!("{} and {} more", quoted.join(", "), words.len() - MOST);
    }
    enumerated(&quoted)
}

/// Words as a sentence has them: a, b and c.
pub fn enumerated<W: AsRef<str>>(words: &[W]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.as_slice() {
        [] => "none".to_owned(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let known = ["round-robin", "geo-proximity", "failover", "hash", "name-hash"];
        for (typed, meant) in [
            ("geo-proximty", Some("geo-proximity")),
            ("geo_proximity", Some("geo-proximity")),
            ("geo", Some("geo-proximity")),
            ("RoundRobin", Some("round-robin")),
            ("fail-over", Some("failover")),
            ("hsah", Some("hash")),
            ("least-load", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, known), meant, "{typed}");
        }
    }

    #[test]
    fn lists_are_cut() {
        assert_eq!(listed(&["a", "b", "c"]), "`a`, `b` and `c`");
        assert!(listed(&["x"; 30]).ends_with("and 6 more"));
    }
}
