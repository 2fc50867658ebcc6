// Small tools over the DOM: elements, lists that keep their elements, marks of health.
// Text only ever goes in as text; nothing here reads markup.

const SVG = "http://www.w3.org/2000/svg";

/** The element of an id that index.html has. */
export const byId = (id) => document.getElementById(id);

/** An HTML element. `properties` are set as properties where there are such, else as attributes. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && !name.startsWith("aria")) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return made;
}

/** An SVG element with attributes. */
export function drawn(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/**
 * Makes the children of `parent` those of `items`, in order. Whoever was there under the same key
 * stays, so that focus and open parts do: `make(item)` makes a new one, `update(element, item)`
 * fills it, new or old.
 */
export function keyed(parent, items, keyOf, make, update) {
  const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let child = before.get(key);
    before.delete(key);
    if (!child) {
      child = make(item);
      child.dataset.key = key;
    }
    update(child, item);
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  for (const gone of before.values()) gone.remove();
}

/** Sets a text only where it differs, so that nothing is read out or selected anew. */
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** Replaces the children where `version`, a text, is not what it was. */
export function fill(target, version, make) {
  if (target.dataset.version === version) return;
  target.dataset.version = version;
  target.replaceChildren(...[make()].flat().filter((child) => child !== null));
}

/** Shows or hides. */
export function show(target, shown) {
  if (target.hidden === shown) target.hidden = !shown;
}

// Shapes in a square of 16, each unlike the others without its colour.
const SHAPES = {
  up: [["circle", { cx: 8, cy: 8, r: 5 }]],
  degraded: [["path", { d: "M8 2 14.5 13.5H1.5Z" }]],
  down: [
    ["path", { d: "M2.5 2.5h11v11h-11Z" }],
    ["path", { class: "cut", d: "m5.5 5.5 5 5m0-5-5 5" }],
  ],
  unknown: [["circle", { class: "ring", cx: 8, cy: 8, r: 4.75, "stroke-dasharray": "2.2 2.2" }]],
  draining: [
    ["circle", { class: "ring", cx: 8, cy: 8, r: 5 }],
    ["path", { d: "M3 8a5 5 0 0 0 10 0Z" }],
  ],
  disabled: [
    ["circle", { class: "ring", cx: 8, cy: 8, r: 5 }],
    ["path", { class: "ring", d: "m4.5 11.5 7-7" }],
  ],
  note: [["circle", { cx: 8, cy: 8, r: 2.5 }]],
  "forced-up": [["path", { d: "M8 2.5 13 8h-3v5.5H6V8H3Z" }]],
  "forced-down": [["path", { d: "M8 13.5 3 8h3V2.5h4V8h3Z" }]],
};

/** The shapes of a kind, to be put into an SVG group of class `mark KIND`. */
export function shapesOf(kind) {
  return (SHAPES[kind] ?? SHAPES.unknown).map(([tag, attributes]) => drawn(tag, attributes));
}

/** A mark of health or of a person's word; it is decoration, words stand beside it. */
export function mark(kind) {
  const known = kind in SHAPES ? kind : "unknown";
  return drawn(
    "svg",
    { class: `mark ${known}`, viewBox: "0 0 16 16", "aria-hidden": "true" },
    ...shapesOf(known),
  );
}
