//! Writes a plan as the text of a configuration.
//!
//! Each service says by a comment where in the source it is from. Nothing is decided here.

use std::collections::HashSet;
use std::fmt::Write;

use super::plan::{BodyPlan, CheckPlan, EndpointPlan, HttpPlan, Plan, ProbePlan, ServicePlan, Way};
use super::words::{duration, quoted, sticky};
use crate::model::{AdminState, EndpointTarget, WireName};

/// The configuration, with `head` as the comment on top.
pub(super) fn configuration(plan: &Plan, head: &[String]) -> String {
    let mut text = String::new();
    for line in head {
        push(&mut text, &format!("# {}", line.replace(char::is_control, "\u{fffd}")));
    }
    for zone in &plan.zones {
        push(&mut text, "\n[[zone]]");
        push(&mut text, &format!("name = {}", name(&zone.name)));
        push(&mut text, &format!("file = {}", quoted(&zone.file)));
    }
    let endpoints = plan.services.iter().flat_map(|service| &service.endpoints);
    let used: HashSet<usize> = endpoints.map(|endpoint| endpoint.site).collect();
    for (_, site) in plan.sites.iter().enumerate().filter(|(index, _)| used.contains(index)) {
        push(&mut text, &format!("\n[site.{site}]"));
        push(&mut text, "#location = [0.0, 0.0] # latitude, longitude; for geo-proximity");
    }
    plan.checks.iter().for_each(|one| check(&mut text, one));
    plan.services.iter().for_each(|one| service(&mut text, one, &plan.sites));
    text
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// A domain name in quotes, without its final dot.
fn name(name: &WireName) -> String {
    let shown = name.to_string();
    let bare = shown.strip_suffix('.').filter(|bare| !bare.is_empty());
    quoted(bare.unwrap_or(&shown))
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

fn check(text: &mut String, check: &CheckPlan) {
    push(text, &format!("\n[check.{}]", check.key));
    match &check.probe {
        ProbePlan::Http(probe) => http(text, probe),
        ProbePlan::Tcp { send, expect } => {
            push(text, "type = \"tcp\"");
            for (key, value) in [("send", send), ("expect", expect)] {
                if let Some(value) = value {
                    push(text, &format!("{key} = {}", quoted(value)));
                }
            }
        }
    }
    if let Some(port) = check.port {
        push(text, &format!("port = {port}"));
    }
    push(text, &format!("interval = {}", quoted(&duration(check.interval))));
    push(text, &format!("timeout = {}", quoted(&duration(check.timeout))));
    push(text, &format!("fall = {}\nrise = {}", check.fall, check.rise));
}

fn http(text: &mut String, probe: &HttpPlan) {
    push(text, if probe.tls { "type = \"https\"" } else { "type = \"http\"" });
    if probe.method.as_str() != "GET" {
        push(text, &format!("method = {}", quoted(probe.method.as_str())));
    }
    push(text, &format!("path = {}", quoted(probe.path.as_str())));
    if let Some(host) = &probe.host {
        push(text, &format!("host = {}", quoted(&host.to_string())));
    }
    if !probe.headers.is_empty() {
        let headers = probe.headers.iter();
        let fields: Vec<String> = headers
            .map(|one| format!("{} = {}", quoted(one.name()), quoted(one.value())))
            .collect();
        push(text, &format!("headers = {{ {} }}", fields.join(", ")));
    }
    if probe.tls && !probe.verify {
        push(text, "verify = false");
    }
    let statuses = list(probe.statuses.iter().map(|range| quoted(&range.to_string())));
    push(text, &format!("expect_status = {statuses}"));
    match &probe.body {
        Some(BodyPlan::Text(body)) => push(text, &format!("expect_body = {}", quoted(body))),
        Some(BodyPlan::Pattern(body)) => {
            push(text, &format!("expect_body_regex = {}", quoted(body)));
        }
        None => {}
    }
}

fn service(text: &mut String, service: &ServicePlan, sites: &[String]) {
    let file = service.place.file.display().to_string().replace(char::is_control, "\u{fffd}");
    push(text, &format!("\n# {file}, line {}", service.place.line));
    push(text, &format!("[service.{}]", service.key));
    push(text, &format!("names = {}", list(service.names.iter().map(name))));
    push(text, &format!("policy = {}", quoted(service.way.word())));
    service.way.keys().iter().for_each(|key| push(text, key));
    if let Some(ttl) = service.ttl {
        push(text, &format!("ttl = {ttl}"));
    }
    if service.max_answers > 1 {
        push(text, &format!("max_answers = {}", service.max_answers));
    }
    if let Some(check) = &service.check {
        push(text, &format!("check = {}", quoted(check)));
    }
    if let Some(timeout) = service.sticky {
        push(text, &format!("sticky = {}", sticky(timeout)));
    }
    let hashes_clients = service.way == Way::Hash || service.sticky.is_some();
    if let Some((v4, v6)) = service.hash_prefix.filter(|_| hashes_clients) {
        push(text, &format!("hash_prefix_v4 = {v4}\nhash_prefix_v6 = {v6}"));
    }
    if let Some(group) = service.group() {
        push(text, &format!("affinity_group = {}\ngroup_health = true", quoted(group)));
    }
    push(text, "endpoints = [");
    service.endpoints.iter().for_each(|one| push(text, &endpoint(one, sites)));
    push(text, "]");
}

fn endpoint(endpoint: &EndpointPlan, sites: &[String]) -> String {
    let mut line = format!("  {{ site = {}, ", quoted(&sites[endpoint.site]));
    // Writing to a String does not fail.
    let _ = match &endpoint.target {
        EndpointTarget::Address(address) => write!(line, "address = \"{address}\""),
        EndpointTarget::Alias(alias) => write!(line, "cname = {}", name(alias)),
        EndpointTarget::Service(nested) => write!(line, "service = {}", quoted(&nested.name)),
        EndpointTarget::Server(server) => {
            write!(line, "srv = {}, port = {}", name(&server.name), server.port)
        }
    };
    if endpoint.weight != 1 {
        let _ = write!(line, ", weight = {}", endpoint.weight);
    }
    if endpoint.tier != 0 {
        let _ = write!(line, ", tier = {}", endpoint.tier);
    }
    if let Some(probe) = endpoint.probe {
        let _ = write!(line, ", probe = \"{probe}\"");
    }
    if endpoint.admin_state != AdminState::Enabled {
        let _ = write!(line, ", admin_state = \"{}\"", endpoint.admin_state);
    }
    line.push_str(" },");
    line
}
