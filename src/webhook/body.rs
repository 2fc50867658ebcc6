//! What is posted: the event as the API has it, with who tells and a number of its own.

use std::time::SystemTime;

use serde::Serialize;

use super::queue::Parcel;
use crate::history::Event;

/// Octets of randomness in a delivery's number.
const ID_OCTETS: usize = 16;

#[derive(Debug, Serialize)]
struct Body<'a> {
    id: &'a str,
    server: &'a str,
    at: String,
    kind: &'static str,
    subject: &'a str,
    sites: &'a [String],
    services: &'a [String],
    from: Option<&'a str>,
    to: Option<&'a str>,
    reason: &'a str,
    author: Option<&'a str>,
}

/// An event, ready to be posted.
pub(super) fn parcel(event: &Event, server: &str) -> Parcel {
    let id = new_id();
    let body = Body {
        id: &id,
        server,
        at: humantime::format_rfc3339_millis(event.at).to_string(),
        kind: event.kind.as_str(),
        subject: &event.subject,
        sites: &event.sites,
        services: &event.services,
        from: event.from.as_deref(),
        to: event.to.as_deref(),
        reason: &event.reason,
        author: event.author.as_deref(),
    };
    let body = serde_json::to_vec(&body).expect("memory takes everything, and all is text");
    Parcel { id, kind: event.kind.as_str(), body: body.into(), at: event.at }
}

/// A number that no other delivery has, wherever it comes from.
fn new_id() -> String {
    let mut octets = [0_u8; ID_OCTETS];
    if getrandom::fill(&mut octets).is_err() {
        // Without randomness the time has to do: it is a number, and no secret.
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        octets = since.as_nanos().to_be_bytes();
    }
    format!("{:032x}", u128::from_be_bytes(octets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Kind;

    #[test]
    fn a_body_says_what_happened() {
        let event = Event {
            sites: vec!["seoul".to_owned()],
            from: Some("up".to_owned()),
            reason: "refused".to_owned(),
            ..Event::new(SystemTime::UNIX_EPOCH, Kind::Health, "web 192.0.2.1:80 -".to_owned())
        };
        let [one, other] = [parcel(&event, "ns1"), parcel(&event, "ns1")];
        assert_ne!(one.id, other.id);
        assert_eq!(one.id.len(), 2 * ID_OCTETS);
        let expected = format!(
            r#"{{"id":"{}","server":"ns1","at":"1970-01-01T00:00:00.000Z","kind":"health","subject":"web 192.0.2.1:80 -","sites":["seoul"],"services":[],"from":"up","to":null,"reason":"refused","author":null}}"#,
            one.id
        );
        assert_eq!(String::from_utf8_lossy(&one.body), expected);
    }
}
