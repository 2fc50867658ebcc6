//! A second lookup, slow and plain: over a list of names, with no tree and no hash.

use proptest::prelude::*;

use super::*;
use crate::model::WireName;
use crate::zone::tree::testing::try_zone;

/// What lies at a name of a random zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Text,
    TextAndAddress,
    Alias,
    Cut,
    SignedCut,
    CutAndRedirect,
    Redirect,
    Service,
    ServiceAndText,
}

impl Role {
    fn is_cut(self) -> bool {
        matches!(self, Self::Cut | Self::SignedCut | Self::CutAndRedirect)
    }
}

const ROLES: [Role; 9] = [
    Role::Text,
    Role::TextAndAddress,
    Role::Alias,
    Role::Cut,
    Role::SignedCut,
    Role::CutAndRedirect,
    Role::Redirect,
    Role::Service,
    Role::ServiceAndText,
];

type List = Vec<(WireName, Role)>;

/// The kind of answer, by the rules of RFC 1034, 4592 and 6672 read one after the other.
fn expected(list: &List, name: &WireName, qtype: RecordType) -> &'static str {
    let apex: WireName = "example".parse().unwrap();
    let mut above: Vec<WireName> = vec![name.clone()];
    while *above.last().unwrap() != apex {
        above.push(above.last().unwrap().parent().unwrap());
    }
    let role = |name: &WireName| list.iter().find(|(owner, _)| owner == name).map(|(_, r)| *r);
    let exists =
        |name: &WireName| *name == apex || list.iter().any(|(owner, _)| owner.is_at_or_below(name));
    for ancestor in above.iter().rev() {
        match role(ancestor) {
            Some(role) if role.is_cut() && (ancestor != name || qtype != RecordType::DS) => {
                return "referral";
            }
            Some(Role::Redirect) if ancestor != name => return "dname",
            _ => {}
        }
    }
    if exists(name) {
        return at(role(name), *name == apex, false, qtype);
    }
    let encloser = above.iter().find(|name| exists(name)).unwrap();
    let wildcard = encloser.prepend(b"*").unwrap();
    if exists(&wildcard) { at(role(&wildcard), false, true, qtype) } else { "nxdomain" }
}

/// At a name, or at a wildcard that stands in for one: it delegates nothing then.
fn at(role: Option<Role>, is_apex: bool, stands_in: bool, qtype: RecordType) -> &'static str {
    let types: &[RecordType] = match role {
        Some(Role::Cut) if stands_in => &[RecordType::NS],
        Some(Role::SignedCut) if stands_in => &[RecordType::NS, RecordType::DS],
        Some(Role::CutAndRedirect) if stands_in => &[RecordType::NS, RecordType::DNAME],
        None | Some(Role::Service | Role::Cut | Role::CutAndRedirect) => &[],
        Some(Role::Text | Role::ServiceAndText) => &[RecordType::TXT],
        Some(Role::TextAndAddress) => &[RecordType::TXT, RecordType::A],
        Some(Role::Alias) => &[RecordType::CNAME],
        Some(Role::SignedCut) => &[RecordType::DS],
        Some(Role::Redirect) => &[RecordType::DNAME],
    };
    let apex_has = is_apex && [RecordType::SOA, RecordType::NS].contains(&qtype);
    if types.contains(&qtype) || apex_has {
        return "data";
    }
    match role {
        Some(Role::Service | Role::ServiceAndText) => "service",
        _ if qtype == RecordType::ANY && (is_apex || !types.is_empty()) => "data",
        Some(Role::Alias) => "cname",
        _ => "nodata",
    }
}

fn kind(found: Found<'_>) -> &'static str {
    match found {
        Found::Data(_) => "data",
        Found::Service { .. } => "service",
        Found::Cname(_) => "cname",
        Found::Dname { .. } => "dname",
        Found::Referral { .. } => "referral",
        Found::NoData => "nodata",
        Found::NxDomain => "nxdomain",
    }
}

/// Names of few labels out of few, so that they meet.
fn a_name() -> impl Strategy<Value = WireName> {
    let label = proptest::sample::select(vec!["a", "b", "*"]);
    proptest::collection::vec(label, 0..5).prop_map(|labels| {
        let text: String = labels.iter().map(|label| format!("{label}.")).collect();
        format!("{text}example").parse().unwrap()
    })
}

/// Names with roles, less those that `build` refuses: an apex that is an alias, a service
/// where nobody is sent; and an apex is no cut.
fn a_list() -> impl Strategy<Value = List> {
    let entry = (a_name(), proptest::sample::select(ROLES.to_vec()));
    proptest::collection::vec(entry, 0..8).prop_map(|mut list| {
        list.sort_by(|(a, _), (b, _)| a.cmp(b));
        list.dedup_by(|(a, _), (b, _)| a == b);
        list.retain(|(name, role)| {
            name.label_count() > 1 || !(role.is_cut() || *role == Role::Alias)
        });
        let blocks = |role: &Role| role.is_cut() || *role == Role::Redirect;
        let blocked: Vec<_> =
            list.iter().filter(|(_, role)| blocks(role)).map(|(name, _)| name.clone()).collect();
        list.retain(|(name, role)| {
            let hidden = blocked.iter().any(|above| name != above && name.is_at_or_below(above));
            !hidden || !matches!(role, Role::Service | Role::ServiceAndText)
        });
        list
    })
}

fn build(list: &List) -> Zone {
    let mut text = "@ SOA . . 1 1 1 1 1\n@ NS ns.\n".to_owned();
    let mut services = Vec::new();
    for (name, role) in list {
        let records: &[&str] = match role {
            Role::Text => &["TXT t"],
            Role::TextAndAddress => &["TXT t", "A 192.0.2.1"],
            Role::Alias => &["CNAME t."],
            Role::Cut => &["NS n."],
            Role::SignedCut => &["NS n.", "DS 1 8 2 00"],
            Role::CutAndRedirect => &["NS n.", "DNAME o."],
            Role::Redirect => &["DNAME o."],
            Role::Service => &[],
            Role::ServiceAndText => &["TXT t"],
        };
        text.extend(records.iter().map(|record| format!("{name} {record}\n")));
        if matches!(role, Role::Service | Role::ServiceAndText) {
            services.push(name.to_string());
        }
    }
    let services: Vec<_> = services.iter().map(String::as_str).collect();
    try_zone("example", &text, &services).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn lookup_agrees_with_the_reference(
        list in a_list(),
        names in proptest::collection::vec(a_name(), 1..12),
    ) {
        let zone = build(&list);
        let types = ["A", "TXT", "CNAME", "NS", "DS", "DNAME", "SOA", "ANY"];
        for name in names.iter().chain(list.iter().map(|(name, _)| name)) {
            for qtype in types.map(|text| text.parse().unwrap()) {
                let found = kind(zone.lookup(&LookupName::of(name), qtype));
                prop_assert_eq!(found, expected(&list, name, qtype), "{} {}", name, qtype);
            }
        }
    }
}
