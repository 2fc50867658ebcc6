//! The dashboard in a real Chromium: it shows the world, drains a site, follows what happens, and
//! explains; by keyboard and on a phone as well.

#[path = "../common/mod.rs"]
mod common;

mod browser;
mod demo;
mod modules;

use browser::{CHROMIUM, Page};
use common::{Folder, Server, eventually, has};
use demo::{Demo, FRANKFURT, GERMANY};

/// Where a site's row is in the list.
fn row(site: &str) -> String {
    format!("#sites [data-key=\"{site}\"]")
}

/// Opens the dashboard of a demo, and waits until all of it is drawn.
fn open(demo: &Demo, page: &mut Page) {
    page.open(&demo.dashboard());
    settled(page);
}

fn settled(page: &mut Page) {
    page.wait_for("document.querySelectorAll('#map .site').length === 6");
    page.wait_for("document.querySelectorAll('#map .land path').length === 1");
    page.wait_for("document.querySelectorAll('#services > li').length === 4");
    page.wait_for_text("#verdict-head", "Everything is up");
    page.wait_for("document.querySelector('#connection').dataset.phase === 'live'");
}

/// Fills and sends the dialog that a button has opened.
fn give_reason(page: &mut Page, reason: &str) {
    page.wait_for("document.querySelector('#order').open");
    page.click("#order input[name=reason]");
    page.type_text(reason);
    page.click("#order-submit");
    page.wait_for("!document.querySelector('#order').open");
}

fn none_of(problems: Vec<String>) {
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn a_site_drained_on_the_page_leaves_the_answers_and_comes_back() {
    if !has(CHROMIUM) {
        return;
    }
    let demo = Demo::settled();
    let mut page = Page::new(1280, 900);
    open(&demo, &mut page);
    assert_eq!(page.evaluate("location.hash"), "", "the token is not left in the address");
    assert_eq!(demo.www(GERMANY), FRANKFURT);

    page.click(&format!("{} [data-order=drain]", row("frankfurt")));
    give_reason(&mut page, "new racks");
    // The order is in force before it is answered, so nothing has to be waited for.
    let other = demo.www(GERMANY);
    assert_ne!(other, FRANKFURT);
    page.wait_for_text(&row("frankfurt"), "draining");
    page.wait_for(
        "document.querySelector('#map .site[data-site=frankfurt]').dataset.state === 'draining'",
    );
    page.wait_for_text("#overrides", "site:frankfurt draining");
    page.wait_for_text("#overrides", "“new racks”");
    page.wait_for_text("#events", "new racks");
    page.wait_for_text("#verdict-more", "frankfurt is draining");

    // Its own row has the button that takes it back.
    page.click(&format!("{} [data-order=undrain]", row("frankfurt")));
    give_reason(&mut page, "racks are in");
    assert_eq!(demo.www(GERMANY), FRANKFURT);
    page.wait_for("document.querySelectorAll('#overrides > li').length === 0");
    page.wait_for(
        "document.querySelector('#map .site[data-site=frankfurt]').dataset.state === 'up'",
    );
    none_of(page.problems());
}

#[test]
fn a_forced_endpoint_is_lifted_from_the_list_of_overrides() {
    if !has(CHROMIUM) {
        return;
    }
    let demo = Demo::settled();
    let mut page = Page::new(1280, 900);
    open(&demo, &mut page);
    page.click("#services [data-key=www] .toggle");
    let force = format!("[data-key=\"www/{FRANKFURT}\"] [data-order=force]");
    page.click(&force);
    page.wait_for("document.querySelector('#order').open");
    page.click("#order input[value=down]");
    give_reason(&mut page, "bad disk");
    assert_ne!(demo.www(GERMANY), FRANKFURT);
    page.wait_for_text(&format!("[data-key=\"www/{FRANKFURT}\"]"), "forced down");
    page.click("#overrides button");
    give_reason(&mut page, "disk replaced");
    assert_eq!(demo.www(GERMANY), FRANKFURT);
    page.wait_for(&format!("document.querySelector('{force}')"));
    none_of(page.problems());
}

#[test]
fn a_broken_back_end_is_seen_with_its_reason() {
    if !has(CHROMIUM) {
        return;
    }
    let demo = Demo::settled();
    let mut page = Page::new(1280, 900);
    open(&demo, &mut page);
    demo.tell("frankfurt", "break");
    page.wait_for_text("#verdict-head", "Site frankfurt is down");
    page.wait_for_text("#verdict-list", "503");
    page.wait_for("document.title.includes('frankfurt is down')");
    page.wait_for(
        "document.querySelector('#map .site[data-site=frankfurt]').dataset.state === 'down'",
    );
    page.wait_for_text("#events li", "503");
    page.wait_for(
        "document.querySelectorAll('#lanes [data-key=frankfurt] .piece.down').length === 1",
    );
    page.wait_for(
        "document.querySelector('#services [data-key=rotate]').dataset.state === 'degraded'",
    );
    eventually("frankfurt is gone", || demo.www(GERMANY) != FRANKFURT);
    demo.tell("frankfurt", "mend");
    page.wait_for_text("#verdict-head", "Everything is up");
    eventually("frankfurt is back", || demo.www(GERMANY) == FRANKFURT);

    for site in ["virginia", "frankfurt"] {
        demo.tell(site, "break");
    }
    page.wait_for_text("#services [data-key=primary]", "fail-open: all endpoints are down");
    page.wait_for_text("#verdict-head", "1 service down");
    none_of(page.problems());
}

#[test]
fn the_form_explains_what_a_client_gets() {
    if !has(CHROMIUM) {
        return;
    }
    let demo = Demo::settled();
    let mut page = Page::new(1280, 900);
    open(&demo, &mut page);
    page.click("#explain input[name=name]");
    page.evaluate("document.querySelector('#explain input[name=name]').select()");
    page.type_text("www.example.com");
    page.click("#explain input[name=client]");
    page.type_text("193.99.144.80");
    page.press("Enter");
    page.wait_for_text("#explain-result .got", FRANKFURT);
    for part in ["geo-proximity", "DE", "frankfurt", "endpoints that are up"] {
        page.wait_for_text("#explain-result", part);
    }
    page.wait_for("document.querySelectorAll('#map .explained circle').length === 2");
    // As if Frankfurt were down.
    page.evaluate("document.querySelector('#explain-down').value = 'frankfurt'");
    page.click("#explain button");
    page.wait_for_text("#explain-result .trace", "out: down");
    page.wait_for(&format!(
        "!document.querySelector('#explain-result .got').textContent.includes('{FRANKFURT}')"
    ));
    none_of(page.problems());
    // What the server refuses is said in its words. The browser notes the status on its console.
    page.click("#explain input[name=client]");
    page.type_text("x");
    page.press("Enter");
    page.wait_for("!document.querySelector('#explain-error').hidden");
    page.wait_for("document.querySelector('#explain-error').textContent.length > 10");
}

#[test]
fn a_token_is_asked_for_when_an_order_needs_one() {
    if !has(CHROMIUM) {
        return;
    }
    let demo = Demo::settled();
    let (address, token) = demo.apart();
    let mut page = Page::new(1280, 900);
    // Loopback may read without.
    page.open(&address);
    settled(&mut page);
    none_of(page.problems());
    page.click(&format!("{} [data-order=drain]", row("tokyo")));
    page.wait_for("document.querySelector('#order').open");
    page.type_text("typed into the field that has the focus");
    page.press("Enter");
    page.wait_for("document.querySelector('#token').open");
    page.type_text(&token);
    page.press("Enter");
    page.wait_for(
        "!document.querySelector('#token').open && !document.querySelector('#order').open",
    );
    page.wait_for_text(&row("tokyo"), "draining");
    // It stays for this tab.
    page.open(&address);
    page.wait_for_text("#token-button", "set");
    page.click(&format!("{} [data-order=undrain]", row("tokyo")));
    give_reason(&mut page, "again");
    page.wait_for_text("#verdict-head", "Everything is up");
    page.wait_for("document.querySelectorAll('#overrides > li').length === 0");
    // The one refusal is told by the browser, and nothing else is.
    let problems = page.problems();
    assert!(problems.len() == 1 && problems[0].contains("401"), "{problems:#?}");
}

#[test]
fn the_keyboard_is_enough() {
    if !has(CHROMIUM) {
        return;
    }
    let demo = Demo::settled();
    let mut page = Page::new(1280, 900);
    open(&demo, &mut page);
    let focused = "document.activeElement.textContent || document.activeElement.id";
    let mut order = Vec::new();
    for _ in 0..9 {
        page.press("Tab");
        order.push(page.evaluate(focused).as_str().unwrap().to_owned());
        // What has the focus is seen to have it.
        assert_eq!(
            page.evaluate("getComputedStyle(document.activeElement).outlineStyle"),
            "solid",
            "{order:?}"
        );
    }
    let expected = [
        "Skip to the services",
        "Sites",
        "Services",
        "Timeline",
        "Explain",
        "Token: set",
        "Theme: system",
        "Drain",
        "Force…",
    ];
    let after_map: Vec<_> = order.iter().filter(|name| *name != "map-lines").collect();
    assert_eq!(after_map, expected[..after_map.len()].iter().collect::<Vec<_>>());
    // To the first site's button, through the dialog, and back to where one was.
    page.evaluate(&format!(
        "document.querySelector('{} [data-order=drain]').focus()",
        row("virginia")
    ));
    page.press("Enter");
    page.wait_for("document.activeElement.name === 'reason'");
    for _ in 0..8 {
        page.press("Tab");
        let inside = page.evaluate(
            "document.querySelector('#order').contains(document.activeElement) || document.activeElement === document.body",
        );
        assert_eq!(inside, true, "the dialog keeps the focus");
    }
    page.press("Escape");
    page.wait_for("!document.querySelector('#order').open");
    assert_eq!(page.evaluate("document.activeElement.dataset.order"), "drain");
    // A reason is needed: without, the dialog stays.
    page.press("Enter");
    page.wait_for("document.activeElement.name === 'reason'");
    page.press("Enter");
    page.wait_for("document.querySelector('#order-form :invalid')");
    assert_eq!(page.evaluate("document.querySelector('#order').open"), true);
    page.type_text("by hand");
    page.press("Enter");
    page.wait_for("!document.querySelector('#order').open");
    page.wait_for_text(&row("virginia"), "draining");
    none_of(page.problems());
}

#[test]
fn it_fits_a_phone_in_light_and_dark() {
    if !has(CHROMIUM) {
        return;
    }
    let demo = Demo::settled();
    let mut page = Page::new(360, 740);
    open(&demo, &mut page);
    page.click("#services [data-key=www] .toggle");
    page.wait_for("!document.querySelector('#endpoints-of-www').hidden");
    let width = page.evaluate("document.documentElement.scrollWidth");
    assert_eq!(width, 360, "nothing has to be scrolled to the side");
    page.click(&format!("{} [data-order=drain]", row("tokyo")));
    page.wait_for("document.querySelector('#order').open");
    let right = page.evaluate("document.querySelector('#order').getBoundingClientRect().right");
    assert!(right.as_f64().unwrap() <= 360.0, "{right}");
    page.press("Escape");

    let ground = "getComputedStyle(document.body).backgroundColor";
    page.prefer("light");
    let light = page.evaluate(ground);
    page.prefer("dark");
    assert_ne!(page.evaluate(ground), light, "as the system prefers");
    page.click("#theme-button");
    page.wait_for_text("#theme-button", "light");
    assert_eq!(page.evaluate(ground), light, "a person's word stands above the system's");
    let (address, _) = demo.apart();
    page.open(&address);
    page.wait_for_text("#theme-button", "light");
    assert_eq!(page.evaluate(ground), light, "and is kept");
    none_of(page.problems());
}

#[test]
fn a_lost_server_is_told_and_found_again() {
    if !has(CHROMIUM) {
        return;
    }
    let port = free_port();
    let folder = Folder::with_config(&format!(
        "[admin]\nlisten = \"127.0.0.1:{port}\"\ntoken_file = \"token\"\n\n[site.here]\n\n\
         [service.www]\nnames = [\"www.example.com\"]\npolicy = \"round-robin\"\n\
         endpoints = [{{ site = \"here\", address = \"192.0.2.1\" }}]\n"
    ));
    let server = Server::start(&folder);
    let mut page = Page::new(1280, 900);
    page.open(&format!("http://127.0.0.1:{port}/"));
    page.wait_for_text("#verdict-head", "Everything is up");
    page.wait_for_text("#connection", "Live");
    assert_eq!(server.stop(), Some(0));
    page.wait_for_text("#connection", "Not connected");
    page.wait_for_text("#connection", "shown is of");
    page.wait_for("document.title.includes('not connected')");
    page.wait_for_text("#verdict-head", "Everything is up");
    let _again = Server::start(&folder);
    page.wait_for_text("#connection", "Live");
    page.wait_for("!document.title.includes('not connected')");
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
