// What has happened: a lane for each site over the last hour, and the list of events with reasons.

import { byId, element, fill, keyed, mark, say, show } from "./dom.js";
import { known, watch } from "./store.js";
import { age, at, state } from "./words.js";

const HOUR = 3_600_000;
const FIRST_SHOWN = 12;
const MORE = 40;

let shown = FIRST_SHOWN;

/** Draws both, as events come and as time passes. */
export function startTimeline() {
  watch(["history", "sites", "clock"], drawLanes);
  watch(["history"], drawEvents);
  byId("events-more").addEventListener("click", () => {
    shown += MORE;
    drawEvents();
  });
}

/**
 * The spans of one site since `from`, made of its events, newest first: how many of its targets
 * were down. What was so before the first event of a target is what that event says it was.
 */
export function spansOf(events, from, to) {
  const byTarget = new Map();
  for (const event of [...events].reverse()) {
    const time = Date.parse(event.at);
    const steps = byTarget.get(event.subject) ?? [];
    if (steps.length === 0) steps.push({ time: from, isDown: event.from === "down" });
    steps.push({ time: Math.max(time, from), isDown: event.to === "down" });
    byTarget.set(event.subject, steps);
  }
  const edges = [];
  for (const steps of byTarget.values()) {
    steps.forEach((step, index) => {
      const end = steps[index + 1]?.time ?? to;
      if (step.isDown && end > step.time) edges.push([step.time, 1], [end, -1]);
    });
  }
  edges.sort((one, other) => one[0] - other[0] || other[1] - one[1]);
  const spans = [];
  let depth = 0;
  for (const [time, by] of edges) {
    const before = spans.at(-1);
    if (depth > 0 && before && time > before.start) before.end = time;
    depth += by;
    if (depth > 0) spans.push({ start: time, end: time, down: depth });
  }
  return spans.filter((span) => span.end > span.start);
}

/** The spans in which a person had taken a site away, of events of overrides on it. */
function wordsOn(site, from, to) {
  const selector = `site:${site}`;
  const events = known.history
    .filter((event) => event.kind === "override" && event.subject === selector)
    .reverse();
  const spans = [];
  const isWord = (word) => Boolean(word) && word !== "enabled";
  events.forEach((event, index) => {
    const start = Math.max(Date.parse(event.at), from);
    if (index === 0 && isWord(event.from)) spans.push({ start: from, end: start, word: event.from });
    const end = index + 1 < events.length ? Math.max(Date.parse(events[index + 1].at), from) : to;
    if (isWord(event.to) && end > start) spans.push({ start, end, word: event.to });
  });
  if (events.length === 0) {
    const own = known.overrides.find((override) => override.selector === selector);
    if (own && isWord(own.state))
      spans.push({ start: Math.max(Date.parse(own.since), from), end: to, word: own.state });
  }
  return spans.filter((span) => span.end > from);
}

function drawLanes() {
  const lanes = byId("lanes");
  if (!lanes.firstChild) lanes.append(element("ol"), makeAxis());
  const to = Date.now();
  keyed(
    lanes.firstChild,
    known.sites,
    (site) => site.name,
    makeLane,
    (row, site) => drawLane(row, site, to - HOUR, to),
  );
}

function drawLane(row, site, from, to) {
  const place = (time) => `${((time - from) / HOUR) * 100}%`;
  const ofSite = (event) => event.kind === "health" && event.sites.includes(site.name);
  const events = known.history.filter((event) => ofSite(event) && Date.parse(event.at) > from);
  const downs = spansOf(events, from, to);
  // Down all along, with nothing in the hour to tell of it.
  if (events.length === 0 && site.endpoints.down > 0) downs.push({ start: from, end: to });
  const words = wordsOn(site.name, from, to);
  const pieces = [
    ...downs.map((span, at) => ({ ...span, key: `down ${at}`, kind: "down", text: "targets down" })),
    ...words.map((span, at) => ({ ...span, key: `word ${at}`, kind: "word", text: state(span.word) })),
  ];
  const lane = row.querySelector(".lane");
  const started = known.status ? Date.parse(known.status.started_at) : from;
  lane.style.setProperty("--known-from", place(Math.max(started, from)));
  keyed(
    lane,
    pieces,
    (piece) => piece.key,
    () => element("span"),
    (drawn, { start, end, kind, text }) => {
      drawn.className = `piece ${kind}`;
      drawn.style.left = place(start);
      drawn.style.width = place(from + end - start);
      drawn.title = `${text}, ${at(start)} to ${end === to ? "now" : at(end)}`;
    },
  );
  say(row.querySelector(".told"), told(downs, words));
}

function makeAxis() {
  const axis = element("div", { class: "axis", "aria-hidden": "true" });
  for (let minutes = 60; minutes >= 0; minutes -= 15) {
    const tick = element("span", {}, minutes ? `${minutes} min ago` : "now");
    tick.style.left = `${(1 - minutes / 60) * 100}%`;
    axis.append(tick);
  }
  return axis;
}

function told(downs, words) {
  const minutes = (spans) =>
    Math.max(1, Math.round(spans.reduce((sum, span) => sum + span.end - span.start, 0) / 60_000));
  const parts = [];
  if (downs.length) parts.push(`something down for ${minutes(downs)} of 60 minutes`);
  if (words.length) parts.push(`overridden for ${minutes(words)}`);
  return parts.join(", ") || "nothing down in the last hour";
}

function makeLane(site) {
  return element(
    "li",
    {},
    element("span", { class: "name" }, site.name),
    element("span", { class: "lane", "aria-hidden": "true" }),
    element("span", { class: "hidden told" }),
  );
}

/** What an event's mark shows. */
function kindOf(event) {
  if (event.kind === "health") return event.to;
  if (event.kind === "override") return event.to === null || event.to === "enabled" ? "up" : event.to;
  if (event.kind === "warning") return event.to === "silent" ? "note" : "degraded";
  // A reload that is refused leads nowhere.
  return event.to === null ? "degraded" : "note";
}

/** An event in a sentence, without its reason. */
export function headline(event) {
  if (event.kind === "health")
    return `${event.subject} ${event.from ? `${state(event.from)} → ` : ""}${state(event.to)}`;
  if (event.kind === "override")
    return event.to ? `${event.subject} ${state(event.to)}` : `${event.subject} override lifted`;
  if (event.kind === "reload") return `${event.subject} ${event.to === null ? "refused" : "reloaded"}`;
  return `${event.subject} ${event.to === "silent" ? "warns no more" : "warns"}`;
}

function drawEvents() {
  const list = byId("events");
  const counts = new Map();
  const events = known.history.slice(0, shown).map((event) => {
    // Several may be of one moment and subject.
    const base = `${event.at} ${event.kind} ${event.subject}`;
    counts.set(base, (counts.get(base) ?? 0) + 1);
    return { event, key: `${base} ${counts.get(base)}` };
  });
  const items = events.length ? events : [{ event: null, key: "nothing" }];
  keyed(
    list,
    items,
    ({ key }) => key,
    makeEvent,
    () => {},
  );
  show(byId("events-more"), known.history.length > shown);
}

function makeEvent({ event }) {
  if (!event) return element("li", { class: "none" }, "Nothing has changed since the start.");
  const by = event.author ? `${event.author}: ` : "";
  const about = [...event.services].length
    ? `services ${event.services.slice(0, 5).join(", ")}${event.services.length > 5 ? ` and ${event.services.length - 5} more` : ""}`
    : "";
  return element(
    "li",
    { "data-kind": event.kind },
    element("time", { dateTime: event.at, title: `${event.at}, ${age(event.at)}` }, at(event.at)),
    element("span", { class: "icon" }, mark(kindOf(event))),
    element(
      "div",
      { class: "what" },
      element("p", { class: "name" }, headline(event)),
      element("p", { class: "reason" }, `${by}${event.reason ?? ""}`),
      about ? element("p", { class: "detail" }, about) : null,
    ),
  );
}
