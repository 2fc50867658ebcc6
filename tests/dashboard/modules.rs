//! What the page's modules work out without a page: tables of cases, run in the browser.

use serde_json::{Value, json};

use crate::browser::{CHROMIUM, Page};
use crate::common::has;
use crate::demo::Demo;

/// Loads a module in the page of a demo, and returns what `body`, a function of it, does.
fn within(page: &mut Page, module: &str, body: &str) -> Value {
    page.evaluate(&format!("import('/assets/{module}.js').then(({body}))"))
}

#[test]
fn modules_do_what_their_tables_say() {
    if !has(CHROMIUM) {
        return;
    }
    let demo = Demo::settled();
    let mut page = Page::new(1280, 900);
    page.open(&demo.apart().0);
    check_words(&mut page);
    check_events(&mut page);
    check_spans(&mut page);
    check_labels(&mut page);
    check_projection(&mut page);
}

fn check_words(page: &mut Page) {
    for (expression, expected) in [
        ("span(0.4)", "0 s"),
        ("span(59.4)", "59 s"),
        ("span(60)", "1 min"),
        ("span(3600)", "1 h"),
        ("span(3725)", "1 h 2 min"),
        ("span(90000)", "1 d 1 h"),
        ("percent(0)", "0 %"),
        ("percent(0.001)", "<1 %"),
        ("percent(0.335)", "34 %"),
        ("percent(null)", "–"),
        ("rate(0)", "0/s"),
        ("rate(0.25)", "0.3/s"),
        ("rate(12345.6)", "12,346/s"),
        ("dnsName('www.example.com.')", "www.example.com"),
        ("dnsName('.')", "."),
        ("some(1, 'site')", "1 site"),
        ("some(2000, 'site')", "2,000 sites"),
        ("age('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:00:01Z'))", "now"),
        ("age('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:05:00Z'))", "5 min ago"),
        ("age('2026-01-01T00:05:00Z', Date.parse('2026-01-01T00:00:00Z'))", "in 5 min"),
        ("reason('fail-open').split(',')[0]", "fail-open: all endpoints are down"),
        ("reason('a new one')", "a new one"),
    ] {
        let said = within(
            page,
            "words",
            &format!("({{ span, percent, rate, dnsName, some, age, reason }}) => {expression}"),
        );
        assert_eq!(said, expected, "{expression}");
    }
}

/// Streams of events come in pieces that end anywhere.
fn check_events(page: &mut Page) {
    let stream = "event: a\ndata: {\"x\":\ndata: 1}\n\n: kept alive\n\ndata: 2\r\n\r\nevent: b\nid: 7\ndata:3\n\nevent: c\n\n";
    let expected = json!([["a", { "x": 1 }], ["message", 2], ["b", 3]]);
    for length in [1, 2, 7, stream.len()] {
        let heard = within(page, "live", &format!(
            "({{ parser }}) => {{
                const heard = [];
                const read = parser((name, data) => heard.push([name, data]));
                const stream = {};
                for (let at = 0; at < stream.length; at += {length}) read(stream.slice(at, at + {length}));
                return heard;
            }}", json!(stream)));
        assert_eq!(heard, expected, "in pieces of {length}");
    }
}

/// Each event is `[second, subject, from, to]`, newest first; a span `[start, end, down]`.
fn check_spans(page: &mut Page) {
    for (events, expected) in [
        (json!([]), json!([])),
        (json!([[40, "a", "up", "down"]]), json!([[40, 100, 1]])),
        (json!([[40, "a", "down", "up"]]), json!([[0, 40, 1]])),
        (json!([[60, "a", "down", "up"], [40, "a", "up", "down"]]), json!([[40, 60, 1]])),
        (json!([[40, "a", "unknown", "up"]]), json!([])),
        (
            json!([
                [80, "a", "down", "up"],
                [70, "b", "down", "up"],
                [60, "b", "up", "down"],
                [40, "a", "up", "down"]
            ]),
            json!([[40, 60, 1], [60, 70, 2], [70, 80, 1]]),
        ),
    ] {
        let spans = within(
            page,
            "timeline",
            &format!(
                "({{ spansOf }}) => spansOf({events}.map(([second, subject, from, to]) => (
                {{ at: new Date(second * 1000).toISOString(), subject, from, to }})), 0, 100000)
                .map(({{ start, end, down }}) => [start / 1000, end / 1000, down])"
            ),
        );
        assert_eq!(spans, expected, "{events}");
    }
}

/// Of marks at `[x, y]`, all labels that are placed are apart from each other and from all marks.
fn check_labels(page: &mut Page) {
    for (marks, placed) in [
        (json!([[200, 100]]), 1),
        (json!([[395, 100], [5, 5]]), 2),
        (json!([[200, 100], [204, 100], [200, 104], [204, 104], [208, 108], [196, 96]]), 6),
        // Far too many for the place there is.
        (json!((0..80).map(|n| [200 + n % 9, 100 + n / 9]).collect::<Vec<_>>()), 1),
    ] {
        let found = within(page, "labels", &format!(
            "({{ layOut }}) => {{
                const marks = {marks}.map(([x, y]) => ({{ x, y, radius: 8, width: 60, height: 16 }}));
                const boxes = layOut(marks, {{ width: 400, height: 200 }}).filter(Boolean);
                const dots = marks.map(({{ x, y }}) => ({{ x: x - 8, y: y - 8, width: 16, height: 16 }}));
                const meet = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
                const isBad = (box, place) => box.x < 0 || box.y < 0 || box.x + box.width > 400 || box.y + box.height > 200
                    || dots.some((dot) => meet(dot, box)) || boxes.some((other, at) => at !== place && meet(box, other));
                return [boxes.length, boxes.filter(isBad).length];
            }}"));
        assert!(found[0].as_u64().unwrap() >= placed, "{marks}: {found}");
        assert_eq!(found[1], 0, "{marks}");
    }
}

fn check_projection(page: &mut Page) {
    let places = within(
        page,
        "projection",
        "({ projection, ASPECT }) => [[0, -180], [0, 0], [0, 180], [83, 0], [-57, 0], [50.11, 8.68]].map((place) => projection(1000)(place).map(Math.round)).concat([Math.round(1000 / ASPECT)])",
    );
    let places: Vec<Value> = places.as_array().unwrap().clone();
    assert_eq!(places[1][0], 500);
    assert_eq!((&places[0][0], &places[2][0]), (&json!(0), &json!(1000)));
    assert_eq!(places[3], json!([500, 0]));
    assert_eq!(places[4][1], places[6], "the south is the lower edge");
    let (x, y) = (places[5][0].as_i64().unwrap(), places[5][1].as_i64().unwrap());
    // 8.68/180 of half the width, shrunk a little at this latitude.
    assert!((515..525).contains(&x) && y < places[1][1].as_i64().unwrap(), "{x} {y}");
}
