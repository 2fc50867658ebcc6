// The world: land, sites as marks of their health, clients as dots of the site they get.

import { byId, drawn, element, fill, mark, say, shapesOf, show } from "./dom.js";
import { layOut } from "./labels.js";
import { ASPECT, graticule, pathOf, projection, rings } from "./projection.js";
import { colourOf, known, stateOf, watch } from "./store.js";
import { percent, some, span, state } from "./words.js";

const KEPT_LINES = "meridian-map-lines";
const MARK_RADIUS = 8;
const LABEL_HEIGHT = 16;
/** Dots of clients: the largest, and the smallest that can be seen, in pixels. */
const LARGEST_DOT = 15;
const SMALLEST_DOT = 2;

let land = [];
let width = 0;
const layers = {};
const ruler = document.createElement("canvas").getContext("2d");

/** Draws the map, now and whenever something changes. */
export async function startMap() {
  const canvas = byId("map");
  const lines = byId("map-lines");
  lines.checked = localStorage.getItem(KEPT_LINES) === "yes";
  lines.addEventListener("change", () => {
    localStorage.setItem(KEPT_LINES, lines.checked ? "yes" : "no");
    drawClients();
  });
  for (const kind of ["up", "degraded", "down", "draining", "unknown"]) {
    byId("map-legend").append(element("li", {}, mark(kind), state(kind)));
  }
  byId("map-legend").append(
    element("li", {}, "dots: clients, by queries, in the colour of the site they get"),
  );
  const svg = drawn("svg", { role: "img", "aria-labelledby": "map-summary" });
  layers.summary = drawn("title", { id: "map-summary" });
  svg.append(layers.summary);
  for (const name of ["graticule", "land", "clients", "explained", "sites"]) {
    layers[name] = drawn("g", { class: name });
    svg.append(layers[name]);
  }
  canvas.append(svg);
  watch(["clients", "sites"], drawClients);
  watch(["sites", "overrides"], drawSites);
  watch(["explained", "sites"], drawExplained);
  new ResizeObserver(([entry]) => {
    const now = Math.round(entry.contentRect.width);
    if (now === width || now === 0) return;
    width = now;
    svg.setAttribute("viewBox", `0 0 ${width} ${Math.round(width / ASPECT)}`);
    drawAll();
  }).observe(canvas);
  const response = await fetch("/assets/land.svg");
  land = rings(
    new DOMParser()
      .parseFromString(await response.text(), "image/svg+xml")
      .querySelector("path")
      .getAttribute("d"),
  );
  drawAll();
}

function drawAll() {
  if (!width) return;
  const project = projection(width);
  layers.graticule.replaceChildren(drawn("path", { d: graticule(project) }));
  layers.land.replaceChildren(drawn("path", { d: pathOf(land, project) }));
  drawClients();
  drawSites();
  drawExplained();
}

const placedSites = () => known.sites.filter((site) => site.location);

function drawSites() {
  if (!width) return;
  const project = projection(width);
  const sites = placedSites().map((site) => {
    const [x, y] = project(site.location);
    return { site, x, y, kind: stateOf(site) };
  });
  const version = JSON.stringify([width, sites.map(({ site, kind }) => [site.name, kind, site.location])]);
  fill(layers.sites, version, () => {
    ruler.font = `600 12px ${getComputedStyle(document.body).fontFamily}`;
    const labels = sites.map(({ site, x, y }) => ({
      x,
      y,
      radius: MARK_RADIUS,
      width: ruler.measureText(site.name).width + 6,
      height: LABEL_HEIGHT,
    }));
    const boxes = layOut(labels, { width, height: width / ASPECT });
    return sites.flatMap((placed, index) => siteMark(placed, boxes[index]));
  });
  say(layers.summary, summary());
  say(byId("map-note"), noteOnClients() + noteOnSites());
}

function siteMark({ site, x, y, kind }, box) {
  const marked = drawn("g", {
    class: `site ${colourOf(site.name)}`,
    "data-site": site.name,
    "data-state": kind,
  });
  marked.append(drawn("title"));
  marked.firstChild.textContent = `${site.name}: ${state(kind)}`;
  if (box) {
    const near = [
      Math.max(box.x, Math.min(x, box.x + box.width)),
      Math.max(box.y, Math.min(y, box.y + box.height)),
    ];
    if (box.distance > 0)
      marked.append(drawn("path", { class: "leader", d: `M${x} ${y}L${near[0]} ${near[1]}` }));
    const name = drawn("text", { x: box.x + 3, y: box.y + 12 });
    name.textContent = site.name;
    marked.append(name);
  }
  marked.append(
    drawn("circle", { class: "ground", cx: x, cy: y, r: MARK_RADIUS }),
    drawn("g", { class: `mark ${kind}`, transform: `translate(${x - 8} ${y - 8})` }, ...shapesOf(kind)),
  );
  marked.addEventListener("click", () => {
    const row = byId("sites").querySelector(`[data-key="${CSS.escape(site.name)}"]`);
    row?.scrollIntoView({ block: "nearest" });
    row?.querySelector("button")?.focus();
  });
  return marked;
}

function drawClients() {
  if (!width || !known.clients) return;
  const project = projection(width);
  const cells = known.clients.cells.map((cell) => {
    const shares = Object.entries(cell.sites).sort((one, other) => other[1] - one[1]);
    return { ...cell, shares, total: shares.reduce((sum, [, queries]) => sum + queries, 0) };
  });
  const most = Math.max(1, ...cells.map((cell) => cell.total));
  cells.sort((one, other) => other.total - one.total);
  const withLines = byId("map-lines").checked;
  const places = new Map(placedSites().map((site) => [site.name, project(site.location)]));
  layers.clients.replaceChildren();
  for (const cell of cells) {
    if (cell.total === 0) continue;
    const [x, y] = project(cell.location);
    const [site] = cell.shares[0];
    if (withLines && places.has(site)) {
      layers.clients.append(
        drawn("path", { class: `line ${colourOf(site)}`, d: arc([x, y], places.get(site)) }),
      );
    }
    const radius = Math.max(
      SMALLEST_DOT,
      Math.sqrt(cell.total / most) * LARGEST_DOT * Math.min(1, width / 700),
    );
    const dot = drawn(
      "circle",
      { class: colourOf(site), cx: x.toFixed(1), cy: y.toFixed(1), r: radius.toFixed(1) },
      drawn("title"),
    );
    dot.firstChild.textContent = clientsOf(cell);
    layers.clients.append(dot);
  }
  show(byId("map-lines").parentElement, cells.length > 0);
  say(byId("map-note"), noteOnClients() + noteOnSites());
}

/** A line that bends a little, so that two of them do not lie on each other. */
function arc([fromX, fromY], [toX, toY]) {
  const bend = Math.min(40, Math.hypot(toX - fromX, toY - fromY) * 0.18);
  return `M${fromX.toFixed(1)} ${fromY.toFixed(1)}Q${((fromX + toX) / 2).toFixed(1)} ${((fromY + toY) / 2 - bend).toFixed(1)} ${toX.toFixed(1)} ${toY.toFixed(1)}`;
}

function clientsOf({ country, location, shares, total }) {
  const where = country ?? `${location[0]}, ${location[1]}`;
  return `${where}: ${shares.map(([site, queries]) => `${site} ${percent(queries / total)}`).join(", ")} of about ${some(total, "query", "queries")}`;
}

function noteOnClients() {
  const { since, cells, unlocated } = known.clients ?? { cells: [] };
  const elsewhere = unlocated
    ? ` · about ${some(unlocated, "query", "queries")} from nobody knows where`
    : "";
  if (cells.length === 0) return `no clients seen yet${elsewhere}`;
  const seconds = (Date.now() - Date.parse(since)) / 1000;
  return `clients of the last ${span(Math.max(seconds, 60))}, sampled${elsewhere}`;
}

function noteOnSites() {
  const unplaced = known.sites.length - placedSites().length;
  return unplaced ? ` · ${some(unplaced, "site")} without a location` : "";
}

function summary() {
  return `World map. ${known.sites.map((site) => `${site.name} is ${state(stateOf(site))}`).join(", ")}.`;
}

function drawExplained() {
  if (!width) return;
  const explained = known.explained;
  layers.explained.replaceChildren();
  if (!explained?.location) return;
  const project = projection(width);
  const [x, y] = project(explained.location);
  for (const name of explained.sites) {
    const site = placedSites().find((site) => site.name === name);
    if (site) layers.explained.append(drawn("path", { d: arc([x, y], project(site.location)) }));
  }
  layers.explained.append(
    drawn("circle", { cx: x, cy: y, r: 5 }),
    drawn("circle", { class: "ring", cx: x, cy: y, r: 9 }),
  );
}
