// The services: health, why they answer as they do, who has which share; a page at a time, with a
// search by name. What is open or has the focus stays so while figures change.

import { get } from "./api.js";
import { byId, element, fill, keyed, mark, say, show } from "./dom.js";
import { liftable, lifting, orderButton } from "./order.js";
import { colourOf, known, learn, watch } from "./store.js";
import { age, dnsName, isTrouble, number, percent, rate, reason, some, state } from "./words.js";

const PAGE = 100;
/** How long typing may pause before it is searched for. */
const PAUSE = 200;

let match = "";
let offset = 0;
let shown = null;
let isAsking = false;

/** Draws the list, and makes the search and the pages work. */
export function startServices() {
  let typing;
  byId("services-search").addEventListener("submit", (event) => event.preventDefault());
  byId("services-match").addEventListener("input", (event) => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      const text = event.target.value.trim();
      match = text === "" || /[*?]/.test(text) ? text : `*${text}*`;
      turn(0);
    }, PAUSE);
  });
  byId("services-before").addEventListener("click", () => turn(Math.max(0, offset - PAGE)));
  byId("services-next").addEventListener("click", () => turn(offset + PAGE));
  watch(["services", "sites", "overrides"], refresh);
}

function turn(to) {
  offset = to;
  shown = null;
  refresh();
}

/** The first page comes by itself; others are asked for whenever it does. */
async function refresh() {
  if (match === "" && offset === 0) {
    shown = known.services;
    return draw();
  }
  if (isAsking) return;
  isAsking = true;
  const asked = [match, offset];
  try {
    const page = await get("services", { match, offset, limit: PAGE });
    if (asked.join() === [match, offset].join()) shown = page;
  } catch (error) {
    say(byId("services-note"), error.message);
    return;
  } finally {
    isAsking = false;
  }
  if (shown === null) return refresh();
  draw();
}

function draw() {
  if (!shown) return;
  const { total, services } = shown;
  keyed(byId("services"), services, (service) => service.name, make, update);
  const searched = match === "" ? "" : ` like ${match}`;
  say(byId("services-note"), `${some(total, "service")}${searched} · shares of answers, last minute`);
  show(byId("services-pager"), total > PAGE);
  say(byId("services-page"), `${number(offset + 1)}–${number(offset + services.length)} of ${number(total)}`);
  byId("services-before").disabled = offset === 0;
  byId("services-next").disabled = offset + PAGE >= total;
}

function make(service) {
  const inside = `endpoints-of-${service.name}`;
  const more = element("div", { class: "inside", id: inside, hidden: true });
  const toggle = element(
    "button",
    { type: "button", class: "toggle", "aria-expanded": "false", "aria-controls": inside },
    element("span", { class: "chevron", "aria-hidden": "true" }),
    element("span", { class: "name" }, service.name),
  );
  toggle.addEventListener("click", () => {
    more.hidden = !more.hidden;
    toggle.setAttribute("aria-expanded", String(!more.hidden));
    draw();
  });
  return element(
    "li",
    {},
    element(
      "div",
      { class: "row" },
      element("span", { class: "icon" }),
      element("div", { class: "what" }, toggle, element("p", { class: "detail names" })),
      element(
        "div",
        { class: "why" },
        element("p", { class: "health" }),
        element("p", { class: "detail reasons" }),
      ),
      element(
        "div",
        { class: "shares" },
        element("div", { class: "stack", role: "img" }),
        element("p", { class: "detail parts" }),
      ),
      element("p", { class: "rate" }),
    ),
    more,
  );
}

/** What the answers of a service have to be said about, a text for each cause. */
export function reasonsOf(service) {
  const families = service.families.filter((family) => family.reason !== "no-such-family");
  const troubled = families.filter((family) => isTrouble(family.reason));
  if (troubled.length === 0) return service.health === "degraded" ? [missing(service)] : [];
  const causes = new Set(troubled.map((family) => family.reason));
  if (causes.size === 1 && troubled.length === families.length) return [reason(troubled[0].reason)];
  return troubled.map((family) => `${family.family === "ipv6" ? "IPv6" : "IPv4"}: ${reason(family.reason)}`);
}

/** Which endpoints are down, by site, where the rest answers. */
function missing(service) {
  const down = service.endpoints.filter((endpoint) => endpoint.health === "down");
  const sites = [...new Set(down.map((endpoint) => endpoint.site))];
  const where = sites.slice(0, 3).join(", ") + (sites.length > 3 ? ` and ${sites.length - 3} more` : "");
  return down.length ? `without ${where}: ${some(down.length, "endpoint")} down` : reason("healthy");
}

/** The worst there is to say of a service: `down` also where answers are given for want of better. */
export function stateOfService(service) {
  if (service.health === "up" && service.families.some((family) => isTrouble(family.reason)))
    return "degraded";
  return service.health;
}

function update(row, service) {
  const kind = stateOfService(service);
  row.dataset.state = kind;
  fill(row.querySelector(".icon"), kind, () => mark(kind));
  const names =
    service.names.slice(0, 3).map(dnsName).join(", ") +
    (service.names.length > 3 ? ` and ${service.names.length - 3} more` : "");
  say(row.querySelector(".names"), `${names} · ${service.policy}`);
  const answering = service.endpoints.filter((endpoint) => endpoint.in_answers).length;
  say(
    row.querySelector(".health"),
    `${state(kind)} · ${answering} of ${service.endpoints.length} in answers`,
  );
  say(row.querySelector(".reasons"), reasonsOf(service).join("; ") || ttls(service));
  say(row.querySelector(".rate"), rate(service.answers_per_second));
  drawShares(row, service);
  const inside = row.querySelector(".inside");
  if (!inside.hidden) drawInside(inside, service);
}

/** A bar of the sites, and their shares in figures; endpoints of one site stand together. */
function drawShares(row, service) {
  const parts = service.endpoints.filter((endpoint) => endpoint.share > 0);
  parts.sort((one, other) => (one.site < other.site ? -1 : one.site > other.site ? 1 : 0));
  const stack = row.querySelector(".stack");
  keyed(
    stack,
    parts,
    (part) => part.id,
    () => element("span"),
    (piece, part) => {
      piece.className = colourOf(part.site);
      piece.style.flexGrow = part.share;
      piece.title = `${part.target} at ${part.site}: ${percent(part.share)}`;
    },
  );
  const bySite = new Map();
  for (const part of parts) bySite.set(part.site, (bySite.get(part.site) ?? 0) + part.share);
  const sites = [...bySite].sort((one, other) => other[1] - one[1]);
  const told = sites.map(([site, share]) => `${site} ${percent(share)}`);
  const isCounted = service.endpoints.some((endpoint) => endpoint.share !== null);
  const none =
    isCounted || service.answers_per_second === 0 ? "no answers in the last minute" : "not counted yet";
  stack.setAttribute("aria-label", told.length ? `Shares: ${told.join(", ")}` : none);
  fill(row.querySelector(".parts"), JSON.stringify([told, known.sites.length]), () => {
    if (!sites.length) return element("span", {}, none);
    const first = sites
      .slice(0, 4)
      .map(([site, share]) =>
        element(
          "span",
          {},
          element("span", { class: `swatch ${colourOf(site)}`, "aria-hidden": "true" }),
          `${site} ${percent(share)}`,
        ),
      );
    return sites.length > 4 ? [...first, element("span", {}, `+${sites.length - 4} sites`)] : first;
  });
}

/** The TTL of answers now, by family where they differ. */
function ttls(service) {
  const families = service.families.filter((family) => Number.isFinite(family.ttl_seconds));
  if (families.length === 0) return "";
  const values = new Set(families.map((family) => family.ttl_seconds));
  if (values.size === 1) return `TTL ${[...values][0]} s`;
  return families
    .map((family) => `${family.family === "ipv6" ? "IPv6" : "IPv4"} TTL ${family.ttl_seconds} s`)
    .join(" · ");
}

const COLUMNS = ["Endpoint", "Site", "State", "Last outcome", "Share", ""];

function drawInside(inside, service) {
  if (!inside.firstChild) {
    const selector = `service:${service.name}`;
    inside.append(
      element(
        "div",
        { class: "head" },
        element("p", { class: "detail about" }),
        element("div", { class: "actions", "data-selector": selector }),
      ),
      element(
        "div",
        { class: "scroll", tabIndex: 0, role: "region", "aria-label": `Endpoints of ${service.name}` },
        element(
          "table",
          {},
          element(
            "thead",
            {},
            element(
              "tr",
              {},
              COLUMNS.map((column) => element("th", { scope: "col" }, column)),
            ),
          ),
          element("tbody"),
        ),
      ),
    );
  }
  say(
    inside.querySelector(".about"),
    [ttls(service), `${number(service.answers_total ?? 0)} answers since the start`].join(" · "),
  );
  drawActions(inside.querySelector(".head .actions"), `service:${service.name}`);
  keyed(
    inside.querySelector("tbody"),
    service.endpoints,
    (endpoint) => endpoint.id,
    makeEndpoint,
    updateEndpoint,
  );
}

function makeEndpoint(endpoint) {
  const cell = (name, ...inside) => element("td", { class: name }, inside);
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, endpoint.target, element("span", { class: "detail" })),
    cell(
      "place",
      element("span", { class: `swatch ${colourOf(endpoint.site)}`, "aria-hidden": "true" }),
      endpoint.site,
    ),
    cell("condition", element("span", { class: "icon" }), element("span", { class: "words" })),
    cell("outcome"),
    cell("portion"),
    cell("actions"),
  );
}

function updateEndpoint(row, endpoint) {
  const isPlain = endpoint.state === "enabled";
  const kind = isPlain ? (endpoint.health ?? "up") : endpoint.state;
  row.dataset.state = kind;
  row.querySelector(".place .swatch").className = `swatch ${colourOf(endpoint.site)}`;
  say(
    row.querySelector("th .detail"),
    `weight ${endpoint.weight}${endpoint.tier ? ` · tier ${endpoint.tier}` : ""}`,
  );
  fill(row.querySelector(".icon"), kind, () => mark(kind));
  const health = endpoint.health === null ? "no check" : state(endpoint.health);
  const since = endpoint.since ? ` for ${age(endpoint.since).replace(" ago", "")}` : "";
  const by =
    endpoint.override && endpoint.override !== `endpoint:${endpoint.id}` ? ` (${endpoint.override})` : "";
  say(
    row.querySelector(".words"),
    isPlain ? `${health}${since}` : `${state(endpoint.state)}${by} · ${health}${since}`,
  );
  say(row.querySelector(".outcome"), outcome(endpoint.last_outcome));
  say(row.querySelector(".portion"), endpoint.in_answers ? percent(endpoint.share) : "not in answers");
  drawActions(row.querySelector(".actions"), `endpoint:${endpoint.id}`);
}

function outcome(last) {
  if (!last) return "–";
  const took =
    last.took_seconds === null || last.took_seconds === undefined
      ? ""
      : ` in ${Math.round(last.took_seconds * 1000)} ms`;
  return last.passed ? `passed${took}` : (last.detail ?? "failed");
}

function drawActions(actions, selector) {
  const own = liftable(selector);
  fill(actions, own?.state ?? "", () => {
    if (own) return orderButton(lifting(own.state), selector);
    return [orderButton("drain", selector), orderButton("force", selector, "Force…")];
  });
}

/** Looks for services in trouble on all pages, up to the most the server gives at once. */
export async function lookForTrouble() {
  const isWhole = known.services && known.services.total <= known.services.services.length;
  const services = isWhole ? known.services.services : (await get("services", { limit: 1000 })).services;
  learn(
    "troubled",
    services.filter((service) => !["up", "unknown"].includes(stateOfService(service))),
  );
}
