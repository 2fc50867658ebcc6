//! The dashboard: a page with a map of the world, in the program itself.
//!
//! | path | what |
//! |---|---|
//! | `/` | the page |
//! | `/assets/NAME` | what it is made of; each file of this folder that `FILES` lists |
//!
//! The files hold no secret, so nobody is asked for a token here: what the page shows and orders
//! goes over the API, as everything else does. It is deliberately without a build step, a
//! framework, and anything from elsewhere; a browser is told to refuse that ([`POLICY`]).

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// What a browser may load and do for the page: its own files, and requests to where it came from.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; \
                      base-uri 'none'; form-action 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file as it goes out.
#[derive(Debug)]
struct File {
    name: &'static str,
    content_type: &'static str,
    text: &'static str,
    /// Changes with the text: a browser that has it is not sent it again.
    tag: u64,
}

macro_rules! file {
    ($name:literal, $content_type:expr) => {
        File {
            name: $name,
            content_type: $content_type,
            text: include_str!($name),
            tag: digest(include_str!($name)),
        }
    };
}

/// The page itself.
const PAGE: &str = "index.html";

static FILES: [File; 22] = [
    file!("index.html", HTML),
    file!("style.css", CSS),
    file!("icon.svg", SVG),
    file!("land.svg", SVG),
    file!("api.js", SCRIPT),
    file!("dom.js", SCRIPT),
    file!("explain.js", SCRIPT),
    file!("labels.js", SCRIPT),
    file!("live.js", SCRIPT),
    file!("main.js", SCRIPT),
    file!("map.js", SCRIPT),
    file!("order.js", SCRIPT),
    file!("overrides.js", SCRIPT),
    file!("projection.js", SCRIPT),
    file!("services.js", SCRIPT),
    file!("sites.js", SCRIPT),
    file!("store.js", SCRIPT),
    file!("theme.js", SCRIPT),
    file!("timeline.js", SCRIPT),
    file!("token.js", SCRIPT),
    file!("verdict.js", SCRIPT),
    file!("words.js", SCRIPT),
];

/// The routes of the page, for a router of any state.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/", get(|headers: HeaderMap| async move { send(PAGE, &headers) })).route(
        "/assets/{name}",
        get(|Path(name): Path<String>, headers: HeaderMap| async move { send(&name, &headers) }),
    )
}

/// A file, or that it is still what the browser has.
fn send(name: &str, asked: &HeaderMap) -> Response {
    let Some(file) = FILES.iter().find(|file| file.name == name) else {
        return (StatusCode::NOT_FOUND, "no such file\n").into_response();
    };
    let tag = format!("\"{:016x}\"", file.tag);
    let known = asked.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let is_known = known.is_some_and(|tags| tags.split(',').any(|known| weak(known) == tag));
    let fields = fields(file, &tag);
    match is_known {
        true => (StatusCode::NOT_MODIFIED, fields).into_response(),
        false => (fields, file.text).into_response(),
    }
}

/// A tag as `If-None-Match` compares it (RFC 9110, section 13.1.2).
fn weak(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag)
}

fn fields(file: &File, tag: &str) -> HeaderMap {
    let fixed = HeaderValue::from_static;
    let fields: [(HeaderName, HeaderValue); 7] = [
        (header::CONTENT_TYPE, fixed(file.content_type)),
        (header::ETAG, HeaderValue::from_str(tag).expect("hexadecimal digits in quotes")),
        // Asked for anew each time, so that a new program brings its own page.
        (header::CACHE_CONTROL, fixed("no-cache")),
        (header::CONTENT_SECURITY_POLICY, fixed(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, fixed("nosniff")),
        (header::REFERRER_POLICY, fixed("no-referrer")),
        (HeaderName::from_static("cross-origin-resource-policy"), fixed("same-origin")),
    ];
    fields.into_iter().collect()
}

/// FNV-1a of 64 bits: it tells versions of a file apart, and guards nothing.
const fn digest(text: &str) -> u64 {
    let octets = text.as_bytes();
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    let mut place = 0;
    while place < octets.len() {
        digest = (digest ^ octets[place] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        place += 1;
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks for a file with `If-None-Match`, and returns the response.
    fn ask(name: &str, tags: Option<&str>) -> Response {
        let mut asked = HeaderMap::new();
        if let Some(tags) = tags {
            asked.insert(header::IF_NONE_MATCH, tags.parse().unwrap());
        }
        send(name, &asked)
    }

    #[test]
    fn a_browser_is_sent_what_it_does_not_have() {
        let tag = ask("style.css", None).headers()[header::ETAG].to_str().unwrap().to_owned();
        for (name, tags, status) in [
            ("style.css", None, 200),
            ("style.css", Some("\"0\"".to_owned()), 200),
            ("style.css", Some(tag.clone()), 304),
            ("style.css", Some(format!("\"0\", W/{tag}")), 304),
            ("words.js", Some(tag.clone()), 200),
            ("mod.rs", None, 404),
            ("", None, 404),
            ("../mod.rs", None, 404),
        ] {
            assert_eq!(ask(name, tags.as_deref()).status(), status, "{name} {tags:?}");
        }
    }

    #[test]
    fn every_file_has_a_type_and_the_policy() {
        for file in &FILES {
            let response = ask(file.name, None);
            let field = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
            let ending = file.name.rsplit('.').next().unwrap();
            let expected = match ending {
                "js" => SCRIPT,
                "css" => CSS,
                "svg" => SVG,
                "html" => HTML,
                other => panic!("a file of an unknown kind: {other}"),
            };
            assert_eq!(field("content-type"), expected, "{}", file.name);
            assert_eq!(field("x-content-type-options"), "nosniff");
            assert!(field("content-security-policy").starts_with("default-src 'none'; "));
        }
    }

    #[test]
    fn every_file_of_the_page_is_listed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/admin/dashboard");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.retain(|name| !["mod.rs", "README.md"].contains(&name.as_str()));
        names.sort();
        let mut listed: Vec<_> = FILES.iter().map(|file| file.name).collect();
        listed.sort_unstable();
        assert_eq!(listed, names);
    }

    /// Words in quotation marks after each `before`.
    fn quoted<'t>(text: &'t str, before: &str) -> Vec<&'t str> {
        text.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect()
    }

    #[test]
    fn what_files_name_is_there_and_nothing_is_elsewhere() {
        let is_there = |name: &str| FILES.iter().any(|file| file.name == name);
        for file in &FILES {
            for name in quoted(file.text, "\"/assets/") {
                assert!(is_there(name), "{} names {name}", file.name);
            }
            for name in quoted(file.text, "from \"./") {
                assert!(is_there(name), "{} imports {name}", file.name);
            }
            // The names of SVG's own spaces are no addresses to load from.
            let loads = file.text.replace("http://www.w3.org/", "");
            assert!(!loads.contains("http://") && !loads.contains("https://"), "{}", file.name);
        }
        let page = FILES.iter().find(|file| file.name == PAGE).unwrap().text;
        for inline in ["style=", "<style", " onclick", "javascript:", "<script>"] {
            assert!(!page.contains(inline), "{inline} in the page");
        }
    }
}
