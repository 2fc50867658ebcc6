//! What a back end says of itself: read out of the check's own response, or asked for by further
//! requests, within the check's timeout. Whatever goes wrong here is no failure of the check.

use std::fmt::Display;

use reqwest::Method;
use tokio::time::{Instant, timeout_at};

use super::{Answer, Exchange, exchange_failure};
use crate::health::{Failure, Found, NumberRequest, NumberSource, Report, StatusRange};

/// A response, or why there is none.
type Page = Result<Answer, String>;

/// Reads the numbers the check asks for, until `deadline`; `first` is the response that passed.
/// What several of them are read from is asked for once.
pub(super) async fn read(exchange: &Exchange<'_>, first: Answer, deadline: Instant) -> Report {
    let Some(reports) = &exchange.check.reports else { return Report::default() };
    let mut first = Some(first);
    let mut pages: Vec<(Option<&NumberRequest>, Page)> = Vec::new();
    for NumberSource { request, .. } in reports.sources() {
        let request = request.as_ref();
        if pages.iter().any(|(known, _)| *known == request) {
            continue;
        }
        let alike = reports.sources().filter(|source| source.request.as_ref() == request);
        let octets = alike.map(|source| source.place.body_octets()).max().unwrap_or(0);
        let page = page(exchange, request, &mut first, octets);
        let page = match timeout_at(deadline, page).await {
            Ok(page) => page,
            Err(_) => {
                let timeout = exchange.target.check().schedule.timeout();
                Err(format!("it did not come within {timeout:?}"))
            }
        };
        pages.push((request, page));
    }
    let mut report = Report::default();
    let mut missing = Vec::new();
    if let Some(load) = &reports.load {
        let found = find(&pages, &load.source);
        match found.and_then(|found| load.judge(found).map_err(text)) {
            Ok(load) => report.load = Some(load),
            Err(reason) => missing.push(format!("load: {reason}")),
        }
    }
    if let Some(weight) = &reports.weight {
        let found = find(&pages, &weight.source);
        match found.and_then(|found| weight.judge(found).map_err(text)) {
            Ok(weight) => report.weight = Some(weight),
            Err(reason) => missing.push(format!("weight: {reason}")),
        }
    }
    report.missing = (!missing.is_empty()).then(|| missing.join("; "));
    report
}

/// The response that a number stands in, with `octets` of its body.
async fn page(
    exchange: &Exchange<'_>,
    request: Option<&NumberRequest>,
    first: &mut Option<Answer>,
    octets: usize,
) -> Page {
    let address = exchange.target.address();
    let mut answer = match request {
        None => first.take().expect("each page is asked for once"),
        Some(request) => ask(exchange, request).await.map_err(text)?,
    };
    let read = answer.read_to(octets).await;
    read.map_err(|error| text(exchange_failure(&error, address)))?;
    Ok(answer)
}

/// Sends a further request to the target's address.
async fn ask(exchange: &Exchange<'_>, request: &NumberRequest) -> Result<Answer, Failure> {
    let mut address = exchange.target.address();
    address.set_port(request.port.unwrap_or(address.port()));
    let request = exchange.request(Method::GET, request.scheme, address, &request.path)?;
    let response = exchange.send(&request).await?;
    match response.status().as_u16() {
        status if StatusRange::SUCCESS.contains(status) => {}
        got => {
            let expected = StatusRange::SUCCESS.to_string();
            return Err(Failure::Status { got, expected });
        }
    }
    Ok(Answer { response, body: Vec::new() })
}

fn find(pages: &[(Option<&NumberRequest>, Page)], source: &NumberSource) -> Result<Found, String> {
    let page = pages.iter().find(|(request, _)| *request == source.request.as_ref());
    let (_, page) = page.expect("a page is asked for whatever is to be found on it");
    let answer = page.as_ref().map_err(String::clone)?;
    let field = |name: &str| {
        let value = answer.response.headers().get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    source.place.read(field, answer.first(source.place.body_octets())).map_err(text)
}

fn text(error: impl Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests;
