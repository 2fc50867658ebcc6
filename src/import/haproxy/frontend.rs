//! Finds the names that lead to a back end, in `acl` and `use_backend`.
//!
//! A rule that looks at the host alone gives names; one that looks at anything else of a
//! request cannot be told by an answer.

use std::collections::HashMap;

use super::lines::Line;
use crate::import::pool::Pool;
use crate::import::report::Report;
use crate::model::WireName;

/// What front ends say, by their names.
#[derive(Default)]
pub(super) struct Routes {
    /// Names that an ACL of a front end stands for; `None` where it looks at something else.
    acls: HashMap<(String, String), Option<Vec<WireName>>>,
    ports: HashMap<String, Vec<u16>>,
    /// Front end and back end, in the order of the file.
    leads: Vec<(String, String)>,
    names: HashMap<String, Vec<WireName>>,
}

impl Routes {
    /// A front end listens on a port.
    pub(super) fn bind(&mut self, front: &str, port: Option<u16>) {
        self.ports.entry(front.to_owned()).or_default().extend(port);
    }

    /// What no rule takes goes to a back end.
    pub(super) fn default_of(&mut self, front: &str, back: &str) {
        self.leads.push((front.to_owned(), back.to_owned()));
    }

    /// Reads `acl NAME FETCH VALUES`. Several lines of one name are alternatives.
    pub(super) fn acl(&mut self, front: &str, line: &Line, report: &mut Report) {
        let key = (front.to_owned(), line.word(1).to_owned());
        let names = host_names(line.words.get(2..).unwrap_or_default());
        match &names {
            Some((_, true)) => report.near(
                &line.place,
                line.shown(),
                "names of the service; an end of a name becomes a wildcard",
            ),
            Some(_) => report.exact(&line.place, line.shown(), "names of the service"),
            None => report.lost(
                &line.place,
                line.shown(),
                "only the host of a request can be told, by its whole name or its end",
            ),
        }
        let names = names.map(|(names, _)| names);
        match (self.acls.get_mut(&key), names) {
            (Some(Some(known)), Some(names)) => known.extend(names),
            (Some(known), None) => *known = None,
            (Some(None), Some(_)) => {}
            (None, names) => drop(self.acls.insert(key, names)),
        }
    }

    /// Reads `use_backend NAME if CONDITION`.
    pub(super) fn use_backend(&mut self, front: &str, line: &Line, report: &mut Report) {
        let back = line.word(1);
        if back.contains('%') {
            let says = "an expression over the request chooses, and no request comes here";
            report.lost(&line.place, line.shown(), says);
            return;
        }
        self.leads.push((front.to_owned(), back.to_owned()));
        let is_if = line.word(2) == "if";
        let condition = line.words.get(3..).filter(|_| is_if).unwrap_or_default();
        let mut names = Vec::new();
        let mut is_whole = !condition.is_empty();
        for alternative in alternatives(condition) {
            match self.names_of(front, &alternative) {
                Some(of) => names.extend(of),
                None => is_whole = false,
            }
        }
        let known = self.names.entry(back.to_owned()).or_default();
        names.retain(|name| !known.contains(name));
        known.extend(names);
        match is_whole {
            true => report.exact(&line.place, line.shown(), "the names lead to the service"),
            false => report.lost(
                &line.place,
                line.shown(),
                "only the host of a request can be told: what else the rule looks at is not, and \
                 the service has a name of its own",
            ),
        }
    }

    /// The names of conditions that must all hold, if they are one about the host.
    fn names_of(&self, front: &str, conditions: &[&str]) -> Option<Vec<WireName>> {
        match conditions {
            ["{", inside @ .., "}"] => {
                let inside: Vec<String> = inside.iter().map(|&word| word.to_owned()).collect();
                host_names(&inside).map(|(names, _)| names)
            }
            [name] => self.acls.get(&(front.to_owned(), (*name).to_owned()))?.clone(),
            _ => None,
        }
    }

    /// Gives a pool the names and ports that lead to it.
    pub(super) fn give(&self, pool: &mut Pool) {
        for name in self.names.get(&pool.key).into_iter().flatten() {
            pool.add_name(name.clone());
        }
        for (front, _) in self.leads.iter().filter(|(_, back)| *back == pool.key) {
            for port in self.ports.get(front).into_iter().flatten() {
                if !pool.ports.contains(port) {
                    pool.ports.push(*port);
                }
            }
        }
    }
}

/// The parts of a condition between `or` and `||`.
fn alternatives(condition: &[String]) -> Vec<Vec<&str>> {
    let words = condition.iter().map(String::as_str).collect::<Vec<_>>();
    words.split(|word| matches!(*word, "or" | "||")).map(<[&str]>::to_vec).collect()
}

/// How the value of an ACL is compared with the host.
#[derive(Clone, Copy, PartialEq)]
enum Compare {
    Whole,
    End,
    Labels,
}

/// The names an expression over the host stands for, and whether some are made wildcards.
/// `None` where it looks at something else.
fn host_names(words: &[String]) -> Option<(Vec<WireName>, bool)> {
    let (fetch, mut rest) = words.split_first()?;
    let mut compare = compare_by(fetch)?;
    while let Some((word, after)) = rest.split_first() {
        match word.as_str() {
            "-i" | "--" => rest = after,
            "-m" => {
                compare = match after.first()?.as_str() {
                    "str" => Compare::Whole,
                    "end" => Compare::End,
                    "dom" => Compare::Labels,
                    _ => return None,
                };
                rest = &after[1..];
            }
            _ if word.starts_with('-') => return None,
            _ => break,
        }
    }
    let mut names = Vec::new();
    for value in rest {
        let value = value.split(':').next().unwrap_or_default();
        let bare = value.trim_start_matches('.');
        let plain = bare.parse::<WireName>().ok().filter(|name| name.label_count() > 1)?;
        let wildcard = plain.prepend(b"*").ok()?;
        match compare {
            Compare::Whole => names.push(plain),
            Compare::End if value.starts_with('.') => names.push(wildcard),
            Compare::End | Compare::Labels => names.extend([plain, wildcard]),
        }
    }
    (!names.is_empty()).then_some((names, compare != Compare::Whole))
}

/// How a fetch compares, if it is one of the host.
fn compare_by(fetch: &str) -> Option<Compare> {
    // Converters such as `lower` come after a comma outside parentheses.
    let end = fetch.find(')').map_or(fetch.len(), |at| at + 1);
    let first = fetch.split(',').next().unwrap_or_default();
    let plain = if fetch[..end].contains('(') { &fetch[..end] } else { first };
    let lower = plain.to_ascii_lowercase();
    let (method, argument) = lower.split_once('(').unwrap_or((&lower, ""));
    let of_host = argument.trim_end_matches(')').split(',').next() == Some("host");
    match method {
        "hdr" | "req.hdr" | "hdr_str" if of_host => Some(Compare::Whole),
        "hdr_end" | "req.hdr_end" if of_host => Some(Compare::End),
        "hdr_dom" | "req.hdr_dom" if of_host => Some(Compare::Labels),
        "ssl_fc_sni" | "req.ssl_sni" | "req_ssl_sni" => Some(Compare::Whole),
        "ssl_fc_sni_end" | "req.ssl_sni_end" => Some(Compare::End),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_where_the_host_alone_counts() {
        for (text, names) in [
            ("hdr(host) -i www.example.com", Some("www.example.com.")),
            ("req.hdr(Host),lower a.example b.example:80", Some("a.example. b.example.")),
            ("hdr(host,1) -m str a.example", Some("a.example.")),
            ("hdr_end(host) -i .example.com", Some("*.example.com.")),
            ("hdr_dom(host) example.com", Some("example.com. *.example.com.")),
            ("ssl_fc_sni -m end .example.com", Some("*.example.com.")),
            ("req.ssl_sni -i www.example.com", Some("www.example.com.")),
            ("hdr_beg(host) www.", None),
            ("hdr(host) -m reg ^www", None),
            ("hdr(host) -f /etc/names", None),
            ("hdr(cookie) a.example", None),
            ("path_beg /api", None),
            ("hdr(host)", None),
            ("hdr(host) localhost", None),
        ] {
            let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            let found = host_names(&words).map(|(names, _)| {
                names.iter().map(WireName::to_string).collect::<Vec<_>>().join(" ")
            });
            assert_eq!(found.as_deref(), names, "{text}");
        }
    }
}
