// The first glance: one sentence on how things are, what is wrong and since when; the title of the
// tab; and how far what is shown can be trusted.

import { byId, element, keyed, mark, say, show, fill } from "./dom.js";
import { reasonsOf, stateOfService } from "./services.js";
import { known, stateOf, watch } from "./store.js";
import { age, number, rate, some, span, state } from "./words.js";

const MOST_SHOWN = 6;

/** Draws all of it whenever something changes, and ages as they pass. */
export function startVerdict() {
  watch(["sites", "services", "troubled", "status", "overrides", "connection"], drawVerdict);
  watch(["status", "clock"], drawFacts);
  watch(["connection", "clock"], drawConnection);
}

/** What is wrong, the worst first: {key, kind, title, says}. */
function wrongs() {
  const services = alike(known.troubled);
  const sites = known.sites
    .filter((site) => ["down", "degraded"].includes(site.health))
    .map((site) => ({
      key: `site ${site.name}`,
      kind: site.health,
      title: `Site ${site.name}`,
      says: `${site.endpoints.down} of ${some(site.endpoints.total, "endpoint")} down${lastReason(site)}`,
    }));
  const warnings = (known.status?.warnings ?? []).map((warning) => ({
    key: `warning ${warning}`,
    kind: "degraded",
    title: "Warning",
    says: warning,
  }));
  const reload = known.status?.last_reload;
  if (reload && !reload.ok) {
    warnings.unshift({
      key: "reload",
      kind: "degraded",
      title: "Reload refused",
      says: `${reloadError(reload)}; the configuration before it stays in force`,
    });
  }
  // What clients feel comes first, then what it comes from.
  const of = (all, kind) => all.filter((one) => one.kind === kind);
  return [
    ...of(services, "down"),
    ...of(sites, "down"),
    ...of(sites, "degraded"),
    ...of(services, "degraded"),
    ...warnings,
  ];
}

/** Services of one state and cause, told together: a site that is down is felt in many. */
function alike(troubled) {
  const groups = new Map();
  for (const service of troubled) {
    const kind = stateOfService(service);
    const says = reasonsOf(service).join("; ");
    // How many endpoints each has lost is seen in the list; here it is where.
    const cause = says.replace(/: \d+ endpoints? down$/, "");
    const group = groups.get(`${kind} ${cause}`) ?? { kind, cause, names: [] };
    group.names.push(service.name);
    groups.set(`${kind} ${cause}`, group);
  }
  return [...groups.values()].map(({ kind, cause, names }) => ({
    key: `service ${names[0]} ${kind} ${cause}`,
    kind,
    count: names.length,
    title: names.length === 1 ? `Service ${names[0]}` : `${names.length} services`,
    says:
      names.length === 1
        ? cause
        : `${cause} (${names.slice(0, 6).join(", ")}${names.length > 6 ? ` and ${names.length - 6} more` : ""})`,
  }));
}

function reloadError(reload) {
  const [first, ...more] = reload.errors ?? [];
  const place = first?.line ? `${first.file}:${first.line}: ` : "";
  const text = first ? place + first.message : "it has errors";
  return more.length ? `${text} (and ${more.length} more)` : text;
}

/** Why the last target of a site went down. */
function lastReason(site) {
  const event = known.history.find(
    (event) => event.kind === "health" && event.to === "down" && event.sites.includes(site.name),
  );
  return event ? `: ${event.reason}, ${age(event.at)}` : "";
}

function drawVerdict() {
  const verdict = byId("verdict");
  // Nothing is said before all is known that it would be said of.
  if (!known.status || !known.services || known.sites.length < known.status.sites) return;
  const wrong = wrongs();
  const down = wrong.filter((one) => one.kind === "down");
  const unknown = known.sites.filter((site) => site.health === "unknown");
  const taken = known.sites.filter((site) => ["draining", "disabled"].includes(stateOf(site)));
  const level = down.length ? "down" : wrong.length ? "degraded" : unknown.length ? "unknown" : "up";
  verdict.dataset.level = level;
  const headline = {
    down: () => sentence(down),
    degraded: () => sentence(wrong),
    unknown: () => `${some(unknown.length, "site")} not probed yet`,
    up: () => (taken.length ? "Everything that is meant to be is up" : "Everything is up"),
  }[level]();
  fill(byId("verdict-head"), `${level} ${headline}`, () => [mark(level), element("span", {}, headline)]);
  const { sites, services, endpoints, overrides } = known.status;
  const counts = [some(sites, "site"), some(services, "service"), some(endpoints, "endpoint")];
  if (taken.length)
    counts.push(`${taken.map((site) => `${site.name} is ${state(stateOf(site))}`).join(", ")}`);
  else if (overrides) counts.push(`${some(overrides, "override")} in force`);
  say(byId("verdict-more"), counts.join(" · "));
  keyed(
    byId("verdict-list"),
    wrong.slice(0, MOST_SHOWN),
    (one) => one.key,
    (one) => element("li", {}, mark(one.kind), element("strong", {}), element("span")),
    (row, one) => {
      say(row.querySelector("strong"), one.title);
      say(
        row.querySelector("span"),
        wrong.length > MOST_SHOWN && one === wrong[MOST_SHOWN - 1]
          ? `${one.says} — and ${wrong.length - MOST_SHOWN} more`
          : one.says,
      );
      row.dataset.kind = one.kind;
    },
  );
  const sign = { down: "■ ", degraded: "▲ ", unknown: "○ ", up: "" }[level];
  document.title =
    known.connection.phase === "lost" ? "✕ not connected · Meridian" : `${sign}${headline} · Meridian`;
}

function sentence(wrong) {
  if (wrong.length === 1) {
    const [{ title, kind, key, count }] = wrong;
    if (!key.startsWith("site") && !key.startsWith("service")) return title;
    return `${title} ${count > 1 ? "are" : "is"} ${state(kind)}`;
  }
  const counted = (word, kind) => {
    const those = wrong.filter((one) => one.key.startsWith(`${word} `) && one.kind === kind);
    const total = those.reduce((sum, one) => sum + (one.count ?? 1), 0);
    return total ? [`${some(total, word)} ${state(kind)}`] : [];
  };
  const parts = ["down", "degraded"].flatMap((kind) => [
    ...counted("service", kind),
    ...counted("site", kind),
  ]);
  return parts.length ? parts.join(", ") : some(wrong.length, "warning");
}

function drawFacts() {
  const { status } = known;
  if (!status) return;
  const geo = status.geo?.[0];
  const facts = [
    ["queries", rate(status.queries_per_second)],
    ["generation", number(status.generation)],
    ["version", status.version],
    ["running for", span((Date.now() - Date.parse(status.started_at)) / 1000)],
  ];
  const list = byId("facts");
  keyed(
    list,
    facts,
    ([name]) => name,
    ([name]) => element("div", {}, element("dt", {}, name), element("dd")),
    (fact, [, value]) => say(fact.lastChild, value),
  );
  const hash = status.config_hash ? `configuration ${status.config_hash.slice(0, 12)}` : "";
  const reloaded = status.last_reload
    ? `reloaded ${age(status.last_reload.at)}`
    : "not reloaded since the start";
  const data = geo?.age_seconds ? `geo database ${span(geo.age_seconds)} old` : "";
  say(byId("foot"), [`Meridian ${status.version}`, hash, reloaded, data].filter(Boolean).join(" · "));
}

function drawConnection() {
  const { phase, heard, why, retryAt } = known.connection;
  const connection = byId("connection");
  connection.dataset.phase = phase;
  document.body.dataset.phase = phase;
  const ageOfShown =
    heard === null ? "nothing is shown yet" : `shown is of ${span((Date.now() - heard) / 1000)} ago`;
  const next = retryAt === null ? "" : ` · next try in ${span(Math.max(0, retryAt - Date.now()) / 1000)}`;
  say(
    byId("connection-text"),
    { connecting: "Connecting", live: "Live", lost: `Not connected: ${why} · ${ageOfShown}${next}` }[phase],
  );
  show(byId("retry"), phase === "lost");
}
