//! How NGINX finds out that a server is down: by failed requests, and by `health_check`.

use std::time::Duration;

use super::Found;
use crate::health::{BodyRegex, RequestPath, StatusRange};
use crate::import::blocks::Statement;
use crate::import::plan::{BodyPlan, HttpPlan, ProbePlan};
use crate::import::pool::{PoolCheck, span_of_time};
use crate::import::report::Report;

/// What `match` blocks want of a response, by name.
#[derive(Default)]
pub(super) struct Matches(Vec<(String, Vec<StatusRange>, Option<BodyPlan>)>);

impl Matches {
    /// Reads a `match` block: its `status` and its `body`.
    pub(super) fn add(&mut self, block: &Statement, report: &mut Report) {
        let (mut statuses, mut body) = (Vec::new(), None);
        for statement in block.inner() {
            let shown = format!("match {}: {}", block.word(1), statement.shown());
            match statement.keyword().as_str() {
                "status" if statement.word(1) != "!" => {
                    let read = |word: &String| word.parse::<StatusRange>();
                    statuses.extend(statement.words.iter().skip(1).flat_map(read));
                    report.exact(&statement.place, shown, "expect_status");
                }
                "body" if statement.word(1) == "~" => {
                    let pattern = statement.word(2);
                    if pattern.parse::<BodyRegex>().is_ok() && !pattern.is_empty() {
                        report.exact(&statement.place, shown, "expect_body_regex");
                        body = Some(BodyPlan::Pattern(pattern.to_owned()));
                    } else {
                        report.near(&statement.place, shown, "no expression known here: left out");
                    }
                }
                _ => report.lost(&statement.place, shown, "a check looks at status and body"),
            }
        }
        self.0.push((block.word(1).to_owned(), statuses, body));
    }
}

/// The check that stands for counting failed requests.
///
/// NGINX takes a server out for `fail_timeout` after `max_fails` failures within that time.
pub(super) fn passive(max_fails: u64, fail_timeout: Duration) -> PoolCheck {
    let count = u32::try_from(max_fails.clamp(1, 100)).unwrap_or(100);
    PoolCheck {
        probe: ProbePlan::Tcp { send: None, expect: None },
        interval: (fail_timeout / count).max(Duration::from_secs(1)),
        timeout: Duration::from_secs(2),
        fall: max_fails,
        rise: 1,
    }
}

/// Reads `health_check` of NGINX Plus, which then takes the place of counting failures.
pub(super) fn active(statement: &Statement, found: &Found, report: &mut Report) -> PoolCheck {
    let mut http = HttpPlan::front_page();
    let mut check = PoolCheck {
        probe: ProbePlan::Tcp { send: None, expect: None },
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(2),
        fall: 1,
        rise: 1,
    };
    report.exact(&statement.place, "health_check", "a check of type `http`");
    for word in statement.words.iter().skip(1) {
        let shown = format!("health_check {word}");
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let says = match key {
            "interval" => span_of_time(value, Duration::from_secs(1)).map(|interval| {
                check.interval = interval;
                "interval"
            }),
            "fails" => value.parse().ok().map(|fails| {
                check.fall = fails;
                "fall"
            }),
            "passes" => value.parse().ok().map(|passes| {
                check.rise = passes;
                "rise"
            }),
            "uri" => value.parse::<RequestPath>().ok().map(|path| {
                http.path = path;
                "path"
            }),
            "match" => found.matches.0.iter().find(|(name, ..)| name == value).map(|of| {
                if !of.1.is_empty() {
                    http.statuses.clone_from(&of.1);
                }
                http.body.clone_from(&of.2);
                "expect_status and expect_body_regex"
            }),
            _ => None,
        };
        match says {
            Some(says) => report.exact(&statement.place, shown, says),
            None => report.near(&statement.place, shown, "left out: see the keys of `[check]`"),
        }
    }
    check.probe = ProbePlan::Http(http);
    check
}
