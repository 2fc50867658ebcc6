// The explain form: what a client would get now, and the steps that led there, as `meridian
// explain` has them. The client and its way are also shown on the map.

import { get } from "./api.js";
import { byId, element, fill, keyed, mark, say, show } from "./dom.js";
import { colourOf, known, learn, watch } from "./store.js";
import { dnsName, percent, removal, some } from "./words.js";

/** Makes the form work. */
export function startExplain() {
  const form = byId("explain");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    explain(form);
  });
  watch(["services"], () => {
    const names = known.services.services
      .flatMap((service) => service.names)
      .map(dnsName)
      .filter((name) => !name.startsWith("*"))
      .slice(0, 200);
    fill(byId("explain-names"), names.join(), () => names.map((name) => element("option", { value: name })));
    if (!form.elements.name.value && !form.elements.name.dataset.filled && names.length) {
      form.elements.name.value = names[0];
      form.elements.name.dataset.filled = "yes";
    }
  });
  watch(["sites"], () => {
    const choices = [
      { value: "", text: "nothing" },
      ...known.sites.map(({ name }) => ({ value: name, text: name })),
    ];
    keyed(
      byId("explain-down"),
      choices,
      (choice) => choice.value,
      (choice) => element("option", { value: choice.value }, choice.text),
      () => {},
    );
  });
}

async function explain(form) {
  const { name, type, client, down } = form.elements;
  const button = form.querySelector("button");
  button.disabled = true;
  show(byId("explain-error"), false);
  try {
    const asked = {
      name: name.value.trim(),
      type: type.value,
      client: client.value.trim(),
      down: down.value,
    };
    draw(await get("explain", asked));
  } catch (error) {
    byId("explain-result").replaceChildren();
    learn("explained", null);
    say(byId("explain-error"), error.message);
    show(byId("explain-error"), true);
  } finally {
    button.disabled = false;
  }
}

function draw(report) {
  const chain = [];
  for (let step = report; step; step = step.next) chain.push(step);
  const place = chain.map((step) => step.location).find(Boolean);
  const served = new Set(
    chain
      .flatMap((step) => step.candidates)
      .filter((candidate) => report.choice.includes(candidate.endpoint))
      .map((candidate) => candidate.site),
  );
  learn("explained", { location: place && [place.latitude, place.longitude], sites: [...served] });
  byId("explain-result").replaceChildren(
    answer(report, [...served]),
    element("ol", { class: "trace" }, chain.flatMap(stepsOf)),
  );
}

function answer(report, sites) {
  const facts = [];
  if (report.ttl !== null) facts.push(`TTL ${report.ttl} s`);
  facts.push(
    report.scope === 0
      ? "scope /0: the same for everybody"
      : `scope /${report.scope}: every client in that network gets this`,
  );
  if (report.rotates) facts.push("the first turn: answers rotate by the shares below");
  return element(
    "div",
    { class: "answer" },
    element("p", { class: "detail" }, `${report.name} ${report.type} for ${report.client}`),
    element(
      "p",
      { class: "got" },
      report.choice.length ? report.choice.join(", ") : `${report.rcode}, no records shown`,
    ),
    sites.length
      ? element(
          "p",
          {},
          sites.map((site) =>
            element(
              "span",
              { class: "at" },
              element("span", { class: `swatch ${colourOf(site)}`, "aria-hidden": "true" }),
              site,
            ),
          ),
        )
      : null,
    element("p", {}, report.reason),
    element("p", { class: "detail" }, facts.join(" · ")),
  );
}

function step(title, ...says) {
  return element("li", {}, element("h3", {}, title), says);
}

function stepsOf(report) {
  const steps = [];
  const to = report.path.length > 1 ? `, by ${report.path.slice(1).join(", then ")}` : "";
  steps.push(
    step(
      "Name",
      element(
        "p",
        {},
        report.zone
          ? `${report.name} is in zone ${report.zone}${to}`
          : `${report.name} is in no zone of ours`,
      ),
    ),
  );
  if (report.service) {
    steps.push(step("Service", element("p", {}, `${report.service}, policy ${report.policy}`)));
    steps.push(step("Where the client is", element("p", {}, whereabouts(report))));
  }
  if (report.ranking.length) steps.push(step("Sites in this client's order", ranking(report)));
  if (report.candidates.length) steps.push(step("Who stays in the race", candidates(report.candidates)));
  steps.push(
    step(
      "Because",
      element("p", {}, `${report.reason}.`),
      report.health_source ? element("p", { class: "detail" }, `Health: ${report.health_source}`) : null,
    ),
  );
  return steps;
}

function whereabouts(report) {
  if (report.site_order_override)
    return `of no matter: an override sets the order of sites for ${report.site_order_override}`;
  const at = report.location;
  if (!at)
    return report.ranking.length
      ? "unknown: the default order counts"
      : "unknown, and not asked for by this policy";
  const place = [at.city, at.country].filter(Boolean).join(", ");
  const middle = at.is_country_centroid ? " (the middle of the country)" : "";
  return `${place || "somewhere"} at ${at.latitude.toFixed(2)}, ${at.longitude.toFixed(2)}${middle}, says ${at.source} for ${at.network}`;
}

function ranking(report) {
  const first = report.ranking.slice(0, 8);
  const list = element(
    "ol",
    { class: "ranking" },
    first.map((ranked) => {
      const distance =
        ranked.distance_km === null ? "" : `${Math.round(ranked.distance_km).toLocaleString("en")} km`;
      const isShaped = ranked.distance_km !== null && Math.abs(ranked.distance_km - ranked.shaped_km) >= 0.1;
      const by = { rule: "by the rule", measurement: "as measured" }[ranked.by] ?? "";
      return element(
        "li",
        { value: ranked.step },
        element("span", { class: `swatch ${colourOf(ranked.site)}`, "aria-hidden": "true" }),
        `${ranked.site} `,
        element(
          "span",
          { class: "detail" },
          [distance, isShaped ? `counted as ${Math.round(ranked.shaped_km).toLocaleString("en")} km` : "", by]
            .filter(Boolean)
            .join(", "),
        ),
      );
    }),
  );
  const rest = report.ranking.length - first.length;
  return [
    list,
    rest > 0 ? element("p", { class: "detail" }, `and ${some(rest, "more site", "more sites")}`) : null,
    report.rule ? element("p", { class: "detail" }, report.rule) : null,
  ];
}

function candidates(all) {
  // Other families say nothing to this question.
  const asked = all.filter((candidate) => candidate.removed_by !== "family");
  return element(
    "ul",
    { class: "candidates" },
    asked.map((candidate) => {
      const isOut = candidate.removed_by !== null;
      const kind = { up: "up", unchecked: "up", down: "down" }[candidate.health] ?? "unknown";
      const said = isOut
        ? `out: ${removal(candidate.removed_by)}`
        : candidate.share > 0
          ? percent(candidate.share)
          : "in the race, not chosen";
      return element(
        "li",
        { class: isOut ? "out" : candidate.share > 0 ? "chosen" : "" },
        mark(candidate.admin_state === "enabled" ? kind : candidate.admin_state),
        element("span", { class: "target" }, candidate.endpoint),
        element("span", { class: "detail" }, candidate.site),
        element("span", { class: "fate" }, said),
      );
    }),
  );
}
