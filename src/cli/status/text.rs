//! The status for people: what is wrong is on top, what is well takes few lines.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use super::Picture;
use crate::cli::remote::shapes::{Counts, Endpoint, Override, Service, Site};
use crate::cli::table::{Column, Tone, lay_out, plain, toned};
use crate::cli::words::{count, rate, reason, share, since, span, tone};

/// Services that are well are listed up to so many.
const MOST_WELL: usize = 30;

/// Endpoints that are not well are listed up to so many.
const MOST_ENDPOINTS: usize = 100;

const fn whole(name: &'static str) -> Column {
    Column { name, is_whole: true }
}

const fn wrapped(name: &'static str) -> Column {
    Column { name, is_whole: false }
}

/// Everything, laid out for this width, with marks where colours go.
pub(super) fn text(picture: &Picture, width: u16, now: SystemTime) -> String {
    let mut text = head(picture, now);
    text += &sites(&picture.sites.sites, width);
    text += &overrides(&picture.overrides.overrides, width, now);
    text += &services(picture, width);
    text += &endpoints(picture, width, now);
    text
}

fn head(picture: &Picture, now: SystemTime) -> String {
    let status = &picture.status;
    let up = span(Duration::from_secs_f64(status.uptime_seconds.max(0.0)));
    let queries = match status.queries_per_second {
        Some(_) => format!(", {} queries/s", rate(status.queries_per_second)),
        None => String::new(),
    };
    let mut text = format!(
        "{} at {}, up {up}{queries}\n",
        toned(&format!("meridian {}", status.version), Tone::Strong),
        picture.server,
    );
    let hash: String = status.config_hash.chars().take(12).collect();
    let _ = writeln!(
        text,
        "configuration {} ({}): {}, {}, {}",
        status.generation,
        plain(&hash),
        count(status.zones, "zone"),
        count(status.services, "service"),
        count(status.endpoints, "endpoint"),
    );
    let targets = &status.targets;
    let parts = [
        (targets.up, "up", Tone::Plain),
        (targets.down, "down", Tone::Bad),
        (targets.unknown, "unknown", Tone::Odd),
        (targets.stalled, "stalled", Tone::Bad),
    ];
    if targets.up + targets.down + targets.unknown > 0 {
        let _ = writeln!(text, "targets: {}", counted(&parts));
    }
    if let Some(reload) = status.last_reload.as_ref().filter(|reload| !reload.ok) {
        let ago = span(since(reload.at, now));
        let _ = writeln!(
            text,
            "{} {ago} ago, so the configuration before is in force:",
            toned("the last reload failed", Tone::Bad)
        );
        for mistake in &reload.errors {
            let _ = writeln!(text, "  {}", plain(&mistake.to_string()));
        }
    }
    for warning in &status.warnings {
        let _ = writeln!(text, "{} {}", toned("warning:", Tone::Odd), plain(warning));
    }
    text
}

/// Such as `5 up, 1 down`; what there is none of is left out.
fn counted(parts: &[(usize, &str, Tone)]) -> String {
    let there = parts.iter().filter(|(number, _, _)| *number > 0);
    let shown: Vec<String> =
        there.map(|(number, what, tone)| toned(&format!("{number} {what}"), *tone)).collect();
    shown.join(", ")
}

fn sites(sites: &[Site], width: u16) -> String {
    const COLUMNS: &[Column] = &[
        whole("SITE"),
        whole("HEALTH"),
        whole("SHARE"),
        wrapped("ENDPOINTS"),
        wrapped("OVERRIDES"),
    ];
    if sites.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = sites
        .iter()
        .map(|site| {
            vec![
                plain(&site.name),
                match site.endpoints.total {
                    0 => String::new(),
                    _ => toned(&site.health, tone(&site.health)),
                },
                share(site.share),
                of_endpoints(&site.endpoints),
                plain(&site.overrides.join(", ")),
            ]
        })
        .collect();
    format!("\n{}", lay_out(COLUMNS, &rows, width))
}

fn of_endpoints(counts: &Counts) -> String {
    let by_health = counted(&[
        (counts.up, "up", Tone::Plain),
        (counts.down, "down", Tone::Bad),
        (counts.unknown, "unknown", Tone::Odd),
    ]);
    let by_word = counted(&[
        (counts.draining, "draining", Tone::Odd),
        (counts.disabled, "disabled", Tone::Bad),
        (counts.forced, "forced", Tone::Odd),
    ]);
    match (by_health.is_empty(), by_word.is_empty()) {
        (true, _) => "none".to_owned(),
        (false, true) => by_health,
        (false, false) => format!("{by_health}; {by_word}"),
    }
}

fn overrides(overrides: &[Override], width: u16, now: SystemTime) -> String {
    const COLUMNS: &[Column] = &[
        whole("OVERRIDE"),
        whole("STATE"),
        whole("ENDPOINTS"),
        whole("FOR"),
        whole("ENDS"),
        whole("BY"),
        wrapped("WHY"),
    ];
    if overrides.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = overrides
        .iter()
        .map(|said| {
            vec![
                plain(&said.selector),
                toned(&said.state, tone(&said.state)),
                said.endpoints.to_string(),
                span(since(said.since, now)),
                match said.expires_at {
                    Some(at) => {
                        format!("in {}", span(at.0.duration_since(now).unwrap_or_default()))
                    }
                    None => "never".to_owned(),
                },
                plain(&said.author),
                plain(&said.reason),
            ]
        })
        .collect();
    format!("\n{}", lay_out(COLUMNS, &rows, width))
}

/// From what somebody should see to, to what is well.
fn urgency(health: &str) -> u8 {
    match health {
        "down" => 0,
        "degraded" => 1,
        "unknown" => 2,
        _ => 3,
    }
}

/// Those that are listed, the worst first, and how many are not.
fn listed(picture: &Picture) -> (Vec<&Service>, usize) {
    let mut listed: Vec<&Service> = picture.services.services.iter().collect();
    listed.sort_by_key(|service| urgency(&service.health));
    let well = listed.iter().position(|service| urgency(&service.health) == 3);
    if let Some(well) = well.filter(|_| !picture.is_of_some) {
        listed.truncate(well + MOST_WELL);
    }
    let left_out = picture.services.total.saturating_sub(listed.len());
    (listed, left_out)
}

fn services(picture: &Picture, width: u16) -> String {
    const COLUMNS: &[Column] = &[
        whole("SERVICE"),
        whole("HEALTH"),
        whole("POLICY"),
        whole("ANSWERS/S"),
        wrapped("IPV4 IS ANSWERED WITH"),
        wrapped("IPV6 IS ANSWERED WITH"),
    ];
    let (listed, left_out) = listed(picture);
    if listed.is_empty() {
        return String::new();
    }
    let of_family = |service: &Service, family: &str| {
        let standing = service.families.iter().find(|standing| standing.family == family);
        let (words, tone) = standing.map_or(("", Tone::Plain), |it| reason(&it.reason));
        toned(words, tone)
    };
    let row = |service: &Service| {
        vec![
            plain(&service.name),
            toned(&service.health, tone(&service.health)),
            plain(&service.policy),
            rate(service.answers_per_second),
            of_family(service, "ipv4"),
            of_family(service, "ipv6"),
        ]
    };
    let rows: Vec<Vec<String>> = listed.into_iter().map(row).collect();
    let mut text = format!("\n{}", lay_out(COLUMNS, &rows, width));
    if left_out > 0 {
        let _ = writeln!(text, "and {left_out} more: `meridian status 'GLOB'` shows them");
    }
    text
}

/// Every endpoint of services that were asked for, and otherwise those that are not well.
fn endpoints(picture: &Picture, width: u16, now: SystemTime) -> String {
    const COLUMNS: &[Column] = &[
        whole("ENDPOINT"),
        whole("SITE"),
        whole("STATE"),
        whole("HEALTH"),
        whole("FOR"),
        whole("SHARE"),
        wrapped("WHY"),
    ];
    let all = picture.services.services.iter().flat_map(|service| &service.endpoints);
    let listed: Vec<&Endpoint> =
        all.filter(|endpoint| picture.is_of_some || !is_well(endpoint)).collect();
    if listed.is_empty() {
        return String::new();
    }
    let most = if picture.is_of_some { usize::MAX } else { MOST_ENDPOINTS };
    let row = |endpoint: &&Endpoint| {
        let health = endpoint.health.as_deref().unwrap_or("unchecked");
        vec![
            plain(&endpoint.id),
            plain(&endpoint.site),
            toned(&endpoint.state, tone(&endpoint.state)),
            toned(health, tone(health)),
            endpoint.since.map(|at| span(since(at, now))).unwrap_or_default(),
            share(endpoint.share),
            why(endpoint),
        ]
    };
    let rows: Vec<Vec<String>> = listed.iter().take(most).map(row).collect();
    let mut text = format!("\n{}", lay_out(COLUMNS, &rows, width));
    if listed.len() > most {
        let _ = writeln!(text, "and {} more endpoints that are not well", listed.len() - most);
    }
    text
}

fn is_well(endpoint: &Endpoint) -> bool {
    endpoint.state == "enabled" && endpoint.health.as_deref().is_none_or(|health| health == "up")
}

/// What a person should know of an endpoint beside its state.
fn why(endpoint: &Endpoint) -> String {
    let mut parts = Vec::new();
    if let Some(selector) = &endpoint.r#override {
        parts.push(format!("by the override {}", plain(selector)));
    }
    if let Some(outcome) = &endpoint.last_outcome
        && (!outcome.passed || endpoint.health.as_deref() != Some("up"))
    {
        parts.push(plain(&outcome.detail));
    }
    match endpoint.in_answers {
        true if !is_well(endpoint) => parts.push("still in answers".to_owned()),
        false if is_well(endpoint) => parts.push("not in answers".to_owned()),
        _ => {}
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: &str = "2026-11-22T03:00:00Z";

    /// A server with a site that is well and one that is not.
    fn picture(service: Option<&str>) -> Picture {
        let endpoint = |id: &str, site: &str, health: &str, detail: &str| {
            json!({
                "id": id, "site": site, "target": "x", "weight": 1, "tier": 0,
                "configured_state": "enabled", "state": "enabled", "override": null,
                "health": health, "since": "2026-11-22T02:55:00.000Z",
                "last_outcome": { "passed": health == "up", "detail": detail,
                    "at": "2026-11-22T02:59:59.000Z", "took_seconds": 0.001 },
                "in_answers": health == "up", "share": 0.5, "answers_total": 5,
            })
        };
        let of = |name: &str, health: &str, reason: &str, endpoints: Vec<serde_json::Value>| {
            json!({
                "name": name, "names": ["x.example.com."], "policy": "round-robin",
                "ttl": { "min": 5, "max": 30 }, "health": health,
                "families": [{ "family": "ipv4", "reason": reason, "ttl_seconds": 30 }],
                "answers_total": 5, "answers_per_second": 12.3, "endpoints": endpoints,
            })
        };
        let site = |name: &str, health: &str, up: usize, down: usize, overrides: &[&str]| {
            json!({
                "name": name, "location": [50.0, 8.0], "health": health,
                "endpoints": { "total": up + down, "up": up, "down": down, "unknown": 0,
                    "draining": overrides.len(), "disabled": 0, "forced": 0 },
                "share": 0.25, "answers_total": 5, "overrides": overrides,
            })
        };
        let status = json!({
            "version": "0.1.0", "generation": 4, "config_hash": "0123456789abcdef0123",
            "started_at": "2026-11-21T23:00:00.000Z", "uptime_seconds": 14460.0, "zones": 1,
            "services": 2, "endpoints": 3, "sites": 2,
            "targets": { "up": 2, "down": 1, "unknown": 0, "stalled": 0 }, "overrides": 1,
            "queries_per_second": 1234.5,
            "last_reload": { "at": "2026-11-22T02:50:00.000Z", "ok": false, "took_seconds": 0.1,
                "errors": [{ "file": "m.toml", "line": 7, "key": null, "message": "wrong",
                    "advice": null }] },
            "geo": [], "warnings": ["loads are not known"],
        });
        let well = of("api", "up", "healthy", vec![endpoint("api/192.0.2.3", "seoul", "up", "ok")]);
        let ill = vec![
            endpoint("www/192.0.2.1", "frankfurt", "down", "status 503\u{1b}[2J"),
            endpoint("www/192.0.2.2", "seoul", "up", "ok"),
        ];
        let said = json!({
            "selector": "site:frankfurt", "state": "draining", "reason": "new switches",
            "author": "ada", "since": "2026-11-22T02:00:00.000Z",
            "expires_at": "2026-11-22T05:01:00.000Z", "endpoints": 1,
        });
        let read = |value: serde_json::Value| serde_json::from_value(value);
        Picture {
            server: "127.0.0.1:5380".to_owned(),
            status: serde_json::from_value(status).unwrap(),
            sites: serde_json::from_value(json!({ "sites": [
                site("seoul", "up", 2, 0, &[]),
                site("frankfurt", "down", 0, 1, &["site:frankfurt"]),
            ] }))
            .unwrap(),
            overrides: serde_json::from_value(json!({ "overrides": [said] })).unwrap(),
            services: read(json!({
                "total": 2,
                "services": [well, of("www", "degraded", "healthy", ill)],
            }))
            .unwrap(),
            is_of_some: service.is_some(),
        }
    }

    fn shown(picture: &Picture, width: u16) -> String {
        let now = humantime::parse_rfc3339(NOW).unwrap();
        let text = crate::cli::table::finish(&text(picture, width, now));
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn what_is_wrong_is_on_top() {
        let text = shown(&picture(None), 120);
        assert_eq!(text, include_str!("example.txt"), "{text}");
    }

    #[test]
    fn a_service_is_shown_with_all_its_endpoints() {
        let text = shown(&picture(Some("*")), 120);
        assert!(text.contains("www/192.0.2.2"), "{text}");
        assert!(!shown(&picture(None), 120).contains("www/192.0.2.2"));
    }

    #[test]
    fn it_fits_a_narrow_terminal() {
        let text = shown(&picture(None), 80);
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn many_services_are_cut_short_but_none_that_is_not_well() {
        let mut picture = picture(None);
        let [well, ill] = [0, 1].map(|at| picture.services.services[at].clone());
        picture.services.services = std::iter::repeat_n(well, 100).collect();
        picture.services.services.extend(std::iter::repeat_n(ill, 50));
        picture.services.total = 150;
        let (listed, left_out) = listed(&picture);
        assert_eq!((listed.len(), left_out), (50 + MOST_WELL, 100 - MOST_WELL));
        assert!(listed[..50].iter().all(|service| service.health == "degraded"));
        assert!(shown(&picture, 120).contains("and 70 more: `meridian status 'GLOB'`"));
    }
}
