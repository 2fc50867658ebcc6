//! How HAProxy probes servers: `option httpchk`, `http-check`, `tcp-check` and their like.

use std::time::Duration;

use super::lines::Line;
use super::server::Parameters;
use crate::health::{BodyRegex, Header, HostHeader, Method, RequestPath, StatusRange};
use crate::import::plan::{BodyPlan, HttpPlan, ProbePlan};
use crate::import::pool::PoolCheck;
use crate::import::report::Report;

/// What a section says of its probes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Probes {
    is_http: bool,
    http: HttpPlan,
    send: Option<String>,
    expect: Option<String>,
    /// `timeout check`.
    pub(super) timeout: Option<Duration>,
}

impl Default for Probes {
    fn default() -> Self {
        // HAProxy asks with OPTIONS unless told.
        let http = HttpPlan { method: Method::Options, ..HttpPlan::front_page() };
        Self { is_http: false, http, send: None, expect: None, timeout: None }
    }
}

impl Probes {
    /// Reads `option NAME` where it is a kind of probe; whether it is.
    pub(super) fn option(&mut self, line: &Line, report: &mut Report) -> bool {
        let (place, shown) = (&line.place, line.shown());
        match line.word(1) {
            "httpchk" => {
                self.is_http = true;
                report.exact(place, &shown, "a check of type `http`");
                let uri = if line.words.len() == 3 { line.word(2) } else { line.word(3) };
                if line.words.len() > 3 {
                    self.method(line, line.word(2), report);
                }
                self.path(line, uri, report);
                // The version may carry header lines behind it.
                for text in line.words.iter().skip(4).flat_map(|word| word.lines()) {
                    if let Some((name, value)) = text.split_once(':') {
                        self.header(line, name.trim(), value.trim(), report);
                    }
                }
            }
            "tcp-check" => {
                self.is_http = false;
                report.exact(place, shown, "a check of type `tcp`");
            }
            "redis-check" => {
                self.talk(Some("PING\r\n"), "+PONG");
                report.exact(place, shown, "a check of type `tcp` that says PING");
            }
            "smtpchk" => {
                self.talk(None, "220");
                report.near(place, shown, "a check of type `tcp` that waits for the greeting");
            }
            "ssl-hello-chk" => {
                self.is_http = false;
                let says = "a check of type `tcp` that connects and says nothing; one of type `tls` \
                            shakes hands";
                report.near(place, shown, says);
            }
            "mysql-check" | "pgsql-check" | "ldap-check" | "spop-check" => {
                self.is_http = false;
                report.near(place, shown, "a check of type `tcp` that connects and says nothing");
            }
            "external-check" => {
                self.is_http = false;
                report.lost(place, shown, "its program is not taken over: a check of type `tcp`; one of type `exec` runs programs");
            }
            _ => return false,
        }
        true
    }

    fn talk(&mut self, send: Option<&str>, expect: &str) {
        self.is_http = false;
        self.send = send.map(str::to_owned);
        self.expect = Some(expect.to_owned());
    }

    fn method(&mut self, line: &Line, text: &str, report: &mut Report) {
        match text.parse() {
            Ok(method) => self.http.method = method,
            Err(_) => report.near(&line.place, text, "no method of a check: as before"),
        }
    }

    fn path(&mut self, line: &Line, text: &str, report: &mut Report) {
        match text.parse::<RequestPath>() {
            Ok(path) => self.http.path = path,
            Err(_) if text.is_empty() => {}
            Err(_) => report.near(&line.place, text, "no path of a check: as before"),
        }
    }

    fn header(&mut self, line: &Line, name: &str, value: &str, report: &mut Report) {
        if name.eq_ignore_ascii_case("host") {
            match value.parse::<HostHeader>() {
                Ok(host) => self.http.host = Some(host),
                Err(_) => report.near(&line.place, value, "no Host of a check: left out"),
            }
            return;
        }
        let is_known = |known: &Header| known.name() == name;
        match Header::new(name, value) {
            Ok(header) if !self.http.headers.iter().any(is_known) => {
                self.http.headers.push(header);
            }
            _ => report.near(&line.place, name, "no field of a check: left out"),
        }
    }

    /// Reads `http-check`.
    pub(super) fn http_check(&mut self, line: &Line, report: &mut Report) {
        let (place, shown) = (&line.place, line.shown());
        match line.word(1) {
            "send" => {
                report.exact(place, shown, "method, path, host and headers of the check");
                self.request(line, report);
            }
            "expect" => self.expectation(line, report),
            "disable-on-404" => {
                report.lost(place, shown, "a 404 is a failure, unless `expect_status` has it");
            }
            "connect" => report.near(place, shown, "one request on one connection, to one port"),
            _ => report.lost(place, shown, "a check is one request and what is expected of it"),
        }
    }

    fn request(&mut self, line: &Line, report: &mut Report) {
        let mut words = line.words.iter().skip(2).map(String::as_str);
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_default();
            match word {
                "meth" => self.method(line, value(), report),
                "uri" => self.path(line, value(), report),
                "ver" => drop(value()),
                "hdr" => {
                    let name = value();
                    let content = value();
                    self.header(line, name, content, report);
                }
                "body" | "body-lf" | "uri-lf" => {
                    report.lost(&line.place, format!("{word} {}", value()), "no body is sent");
                }
                _ => drop(value()),
            }
        }
    }

    fn expectation(&mut self, line: &Line, report: &mut Report) {
        let (place, shown) = (&line.place, line.shown());
        let mut words = line.words.iter().skip(2).map(String::as_str);
        let valued = [
            "min-recv",
            "comment",
            "ok-status",
            "error-status",
            "tout-status",
            "on-success",
            "on-error",
            "status-code",
        ];
        let kind = loop {
            match words.next() {
                Some(word) if valued.contains(&word) => drop(words.next()),
                word => break word.unwrap_or_default(),
            }
        };
        let pattern = words.next().unwrap_or_default();
        match kind {
            "status" => {
                let ranges: Vec<StatusRange> =
                    pattern.split(',').flat_map(str::parse::<StatusRange>).collect();
                if ranges.is_empty() {
                    report.near(place, shown, "no status: 200-399");
                    return;
                }
                self.http.statuses = ranges;
                report.exact(place, shown, "expect_status");
            }
            "string" if !pattern.is_empty() => {
                self.http.body = Some(BodyPlan::Text(pattern.to_owned()));
                report.exact(place, shown, "expect_body");
            }
            "rstring" if !pattern.is_empty() && pattern.parse::<BodyRegex>().is_ok() => {
                self.http.body = Some(BodyPlan::Pattern(pattern.to_owned()));
                report.exact(place, shown, "expect_body_regex");
            }
            "!" => report.lost(place, shown, "a check says what must be, not what must not"),
            _ => report.lost(place, shown, "a check looks at status and body"),
        }
    }

    /// Reads `tcp-check`: one text out and one in.
    pub(super) fn tcp_check(&mut self, line: &Line, report: &mut Report) {
        let (place, shown) = (&line.place, line.shown());
        let text = line.words.last().cloned().unwrap_or_default();
        match (line.word(1), line.word(2)) {
            ("connect", "") => report.exact(place, shown, "a check of type `tcp`"),
            ("connect", _) => report.near(place, shown, "one connection, to one port"),
            ("send", _) if self.send.is_none() && !text.is_empty() => {
                self.send = Some(text);
                report.exact(place, shown, "send");
            }
            ("expect", "string") if self.expect.is_none() && !text.is_empty() => {
                self.expect = Some(text);
                report.exact(place, shown, "expect");
            }
            ("comment", _) => report.unrelated(place, "tcp-check comment"),
            _ => report.lost(place, shown, "a check sends one text and expects one"),
        }
    }

    /// The check of servers with these parameters.
    pub(super) fn check(&self, parameters: &Parameters) -> PoolCheck {
        let probe = match self.is_http {
            true => {
                let mut http = self.http.clone();
                (http.tls, http.verify) = (parameters.is_tls, parameters.verify);
                if http.method == Method::Head {
                    http.body = None;
                }
                ProbePlan::Http(http)
            }
            false => ProbePlan::Tcp { send: self.send.clone(), expect: self.expect.clone() },
        };
        PoolCheck {
            probe,
            interval: parameters.interval,
            timeout: self.timeout.unwrap_or(parameters.interval),
            fall: parameters.fall,
            rise: parameters.rise,
        }
    }
}
