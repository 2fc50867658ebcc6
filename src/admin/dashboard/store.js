// What the page knows, and who wants to know when that changes. It fetches nothing.

/** The last that was heard of each part, as the API says it. */
export const known = {
  status: null,
  sites: [],
  services: null,
  overrides: [],
  history: [],
  clients: null,
  /** Services in trouble, of all pages. */
  troubled: [],
  /** A client that is being explained: {location, sites}. */
  explained: null,
  connection: { phase: "connecting", heard: null, why: "", retryAt: null },
};

const watchers = [];
const changed = new Set();

/** Calls `draw` before the next frame after one of the parts has changed. */
export function watch(parts, draw) {
  watchers.push({ parts, draw });
}

/** Takes in a part, and has it drawn. */
export function learn(part, value) {
  known[part] = value;
  if (changed.size === 0) requestAnimationFrame(draw);
  changed.add(part);
}

function draw() {
  const parts = new Set(changed);
  changed.clear();
  for (const watcher of watchers) {
    if (watcher.parts.some((part) => parts.has(part))) watcher.draw(known);
  }
}

/** The class that gives a site its colour: by its place among all sites, the same everywhere. */
export function colourOf(name) {
  const place = known.sites.findIndex((site) => site.name === name);
  return place < 0 ? "site-none" : `site-${place % 8}`;
}

/** What a site's mark shows: a person's word on all of it, else its health. */
export function stateOf(site) {
  const own = known.overrides.find((override) => override.selector === `site:${site.name}`);
  if (own && own.state !== "enabled") return own.state;
  const { total, draining, disabled } = site.endpoints;
  if (total > 0 && disabled === total) return "disabled";
  if (total > 0 && draining + disabled === total) return "draining";
  return site.health;
}
