//! All routes in one place, and the OpenAPI document that they make.
//!
//! A handler says its path, method and shapes above itself; the router and the document are both
//! made of that. `docs/openapi.json` is the document as it is served.

use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, ResponseBuilder,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::{Details, Problem};
use super::{
    Desk, access, clients, dashboard, events, explain, failback, history, instruct, metrics,
    overrides, push, reload, services, sites, status, status_page, targets, zones,
};

/// Where the document is.
const DOCUMENT_PATH: &str = "/api/v1/openapi.json";

/// Everything there is, with the document of it.
fn described() -> (Router<Desk>, OpenApi) {
    let (router, mut document) = OpenApiRouter::with_openapi(frame())
        .routes(routes!(status::now))
        .routes(routes!(sites::all))
        .routes(routes!(services::some))
        .routes(routes!(services::one))
        .routes(routes!(targets::some))
        .routes(routes!(zones::some))
        .routes(routes!(clients::all))
        .routes(routes!(overrides::all))
        .routes(routes!(instruct::drain))
        .routes(routes!(instruct::undrain))
        .routes(routes!(instruct::disable))
        .routes(routes!(instruct::enable))
        .routes(routes!(instruct::force))
        .routes(routes!(history::some))
        .routes(routes!(explain::one))
        .routes(routes!(events::follow))
        .routes(routes!(reload::take))
        .routes(routes!(failback::take))
        .routes(routes!(push::take))
        .routes(routes!(status_page::page))
        .routes(routes!(metrics::page))
        .routes(routes!(healthz))
        .split_for_parts();
    for (path, item) in &mut document.paths.paths {
        for (operation, is_order) in [(&mut item.get, false), (&mut item.post, true)] {
            if let Some(operation) = operation {
                complete(operation, path, is_order);
            }
        }
    }
    (router, document)
}

/// Adds what all operations have: a name of their own, who may ask, and how errors look.
fn complete(operation: &mut Operation, path: &str, is_order: bool) {
    let verb = if is_order { "post" } else { "get" };
    let words = path.trim_start_matches("/api/v1").split(['/', '.', '{', '}']);
    let id =
        words.filter(|word| !word.is_empty()).fold(verb.to_owned(), |id, word| id + "_" + word);
    operation.operation_id = Some(id);
    let token = SecurityRequirement::new("token", std::iter::empty::<String>());
    operation.security = Some(match is_order {
        true => vec![token],
        false => vec![SecurityRequirement::default(), token],
    });
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let response = ResponseBuilder::new()
        .description("Anything else: problem details.")
        .content("application/problem+json", problem)
        .build();
    operation.responses.responses.insert("default".to_owned(), response.into());
}

/// Whether the server runs.
#[utoipa::path(
    get, path = "/healthz", tag = "look",
    responses((status = OK, description = "It does.", body = String, content_type = "text/plain"))
)]
async fn healthz() -> &'static str {
    "ok\n"
}

/// The routes, each behind what [`access`] says.
pub(super) fn routes(desk: Desk) -> Router {
    let (described, document) = described();
    let document: axum::body::Bytes = text(&document).into();
    let document =
        get(move || async move { ([(header::CONTENT_TYPE, "application/json")], document) });
    described
        .route(DOCUMENT_PATH, document)
        .route("/failback", post(failback::take))
        .route("/health/{check}/{address}", post(push::take))
        .merge(dashboard::routes())
        .fallback(nothing_there)
        .method_not_allowed_fallback(nothing_done)
        .layer(axum::middleware::from_fn_with_state(desk.clone(), access::check))
        .with_state(desk)
}

async fn nothing_there(uri: Uri) -> Problem {
    let detail = format!("there is nothing at {}; {DOCUMENT_PATH} says what is where", uri.path());
    Problem::new(StatusCode::NOT_FOUND, detail)
}

async fn nothing_done(State(_): State<Desk>, method: Method) -> impl IntoResponse {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("{method} does nothing here"))
}

/// What the document says beside the routes.
fn frame() -> OpenApi {
    #[derive(utoipa::OpenApi)]
    #[openapi(components(schemas(Details)))]
    struct Shapes;
    let info = InfoBuilder::new()
        .title("Meridian")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "The admin interface of a Meridian server. Whoever is on the same machine may look \
             without a token; orders, and whoever comes from elsewhere, need one. Errors are \
             problem details (RFC 9457). Moments are RFC 3339 in UTC, durations are seconds, \
             shares are 0 to 1.",
        ))
        .license(Some(LicenseBuilder::new().name("Apache-2.0 OR MIT").build()))
        .build();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let mut frame = OpenApiBuilder::new().info(info).build();
    frame.merge(<Shapes as utoipa::OpenApi>::openapi());
    frame
        .components
        .get_or_insert_default()
        .add_security_scheme("token", SecurityScheme::Http(bearer));
    frame
}

/// The document as it is served.
fn text(document: &OpenApi) -> String {
    document.to_pretty_json().expect("the document is JSON") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");

    /// Set `MERIDIAN_WRITE_OPENAPI` to write the document anew.
    #[test]
    fn the_document_in_the_manual_is_the_one_served() {
        let served = text(&described().1);
        if std::env::var_os("MERIDIAN_WRITE_OPENAPI").is_some() {
            std::fs::write(PATH, &served).expect("the document is written");
        }
        let checked_in = std::fs::read_to_string(PATH).unwrap_or_default();
        assert!(
            checked_in == served,
            "docs/openapi.json is not what is served; write it anew with \
             MERIDIAN_WRITE_OPENAPI=1 cargo test --lib admin::openapi"
        );
    }

    /// The security of each operation follows from its method.
    #[test]
    fn orders_and_looks_are_told_apart() {
        for (path, item) in described().1.paths.paths {
            let tags = |operation: Option<Operation>| {
                operation.and_then(|operation| operation.tags).unwrap_or_default()
            };
            assert!(item.put.is_none() && item.delete.is_none() && item.patch.is_none(), "{path}");
            match item.post.is_some() {
                true => assert_eq!(tags(item.post), ["order"], "{path}"),
                false => assert_eq!(tags(item.get), ["look"], "{path}"),
            }
        }
    }
}
