//! The same zones in NSD, Knot DNS, BIND and Meridian, and thousands of questions to all of
//! them: where most of the peers agree, Meridian has to say the same, section by section,
//! or an exception says why not. Which servers are right is not known here; the exceptions
//! cite the RFC. `docs/interop.md` is the paper to it.

#[path = "../common/mod.rs"]
mod common;

mod compare;
mod exceptions;
mod exchange;
mod generated;
mod message;
mod name;
mod odd;
mod peers;
mod queries;
mod report;
mod services;
mod zones;

use compare::Field;
use peers::Company;

#[test]
fn answers_are_those_of_the_peers() {
    let zones = zones::all();
    let Some(company) = Company::start(&zones, "", &zones) else { return };
    let cases = queries::all(&zones);
    report::judge(&company, &cases, |_| true, exceptions::OF_ANSWERS);
}

#[test]
fn a_service_with_one_endpoint_answers_as_static_records_do() {
    let zones = [services::as_records()];
    let config = services::CONFIG;
    let Some(company) = Company::start(&[services::as_services()], config, &zones) else { return };
    let cases = queries::of_zones(&zones);
    report::judge(&company, &cases, |_| true, exceptions::OF_SERVICES);
}

/// What is no proper query gets the same response code; what else such a reply holds is
/// nowhere laid down.
#[test]
fn odd_messages_get_the_response_code_of_the_peers() {
    let zones = zones::by_hand();
    let Some(company) = Company::start(&zones, "", &zones) else { return };
    let counts =
        |field| matches!(field, Field::Reply | Field::Flag("QR") | Field::Opcode | Field::Rcode);
    report::judge(&company, &odd::all(), counts, exceptions::OF_ODD_MESSAGES);
}
