//! One zone twice: with services of one endpoint per family for Meridian, and with the
//! static records they amount to for the peers.

use crate::zones::Zone;

const APEX: &str = "services.test";

/// What is static in both.
const STATIC: &str = "\
$TTL 300
@ SOA ns.services.test. hostmaster.services.test. 1 7200 900 1209600 60
@ NS ns.services.test.
@ MX 10 www
ns A 192.0.2.53
text TXT \"beside an address\"
alias CNAME www
to-apps CNAME any.apps
to-deep CNAME deep.down.below
to-else CNAME else
to-apex CNAME @
srv SRV 0 0 80 www
svc DNAME apps
named.apps TXT \"not the wildcard's\"
below.named.apps A 192.0.2.60
cut NS ns.cut
ns.cut A 192.0.2.61
";

/// The services as records.
const RECORDS: &str = "\
@ 30 A 198.51.100.1
@ 30 AAAA 2001:db8::1
www 30 A 198.51.100.2
www 30 AAAA 2001:db8::2
four 0 A 198.51.100.3
six 86400 AAAA 2001:db8::3
text 30 A 198.51.100.4
*.apps 30 A 198.51.100.5
*.apps 30 AAAA 2001:db8::5
deep.down.below 30 A 198.51.100.6
else 30 CNAME www.elsewhere.invalid.
inside 30 CNAME www
onward 30 CNAME any.apps
*.wild-else 30 CNAME four
";

/// The services.
pub const CONFIG: &str = r#"
[site.here]

[service.apex]
names = ["services.test"]
policy = "failover"
endpoints = [{ site = "here", address = "198.51.100.1" }, { site = "here", address = "2001:db8::1" }]

[service.www]
names = ["www.services.test"]
policy = "round-robin"
endpoints = [{ site = "here", address = "198.51.100.2" }, { site = "here", address = "2001:db8::2" }]

[service.four]
names = ["four.services.test"]
policy = "random"
ttl = 0
endpoints = [{ site = "here", address = "198.51.100.3" }]

[service.six]
names = ["six.services.test"]
policy = "weighted"
ttl = 86400
endpoints = [{ site = "here", address = "2001:db8::3" }]

[service.text]
names = ["text.services.test"]
policy = "name-hash"
endpoints = [{ site = "here", address = "198.51.100.4" }]

[service.apps]
names = ["*.apps.services.test"]
policy = "round-robin"
endpoints = [{ site = "here", address = "198.51.100.5" }, { site = "here", address = "2001:db8::5" }]

[service.deep]
names = ["deep.down.below.services.test"]
policy = "hash"
endpoints = [{ site = "here", address = "198.51.100.6" }]

[service.else]
names = ["else.services.test"]
policy = "failover"
endpoints = [{ site = "here", cname = "www.elsewhere.invalid" }]

[service.inside]
names = ["inside.services.test"]
policy = "failover"
endpoints = [{ site = "here", cname = "www.services.test" }]

[service.onward]
names = ["onward.services.test"]
policy = "failover"
endpoints = [{ site = "here", cname = "any.apps.services.test" }]

[service.wild-else]
names = ["*.wild-else.services.test"]
policy = "failover"
endpoints = [{ site = "here", cname = "four.services.test" }]
"#;

/// The zone file beside [`CONFIG`].
pub fn as_services() -> Zone {
    Zone { apex: APEX, text: STATIC.to_owned() }
}

/// The same for servers that know no services.
pub fn as_records() -> Zone {
    Zone { apex: APEX, text: STATIC.to_owned() + RECORDS }
}
