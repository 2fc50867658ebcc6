// The dialog that drains, forces and lifts: it takes a reason, gives the order, and shows what the
// server refuses in the server's words. What the order led to is seen on the page, by events.

import { post } from "./api.js";
import { byId, element, say, show } from "./dom.js";
import { known } from "./store.js";
import { some } from "./words.js";

const KEPT_AUTHOR = "meridian-author";

/** What can be ordered: the words of the dialog, and the path and state of the API. */
const ORDERS = {
  drain: {
    title: "Drain",
    says: "It gets no new answers unless nothing else is left. Clients keep the answer they have until its TTL is over.",
    path: "drain",
    expires: true,
  },
  undrain: { title: "Undrain", says: "It gets answers again, as far as it is up.", path: "undrain" },
  force: {
    title: "Force",
    says: "A forced state stands above every check until it is lifted.",
    path: "force",
    expires: true,
  },
  enable: { title: "Enable", says: "It counts again, as far as it is up.", path: "enable" },
  unforce: { title: "Lift", says: "Its checks count again.", path: "force", state: "none" },
};

/**
 * The order that lifts an override of a state; null where none does: an endpoint that a person has
 * enabled over the configuration can only be drained or forced again.
 */
export function lifting(state) {
  if (state === "draining") return "undrain";
  if (state === "disabled") return "enable";
  return state.startsWith("forced") ? "unforce" : null;
}

/** The override of exactly this selector that can be lifted, if there is one. */
export const liftable = (selector) =>
  known.overrides.find((override) => override.selector === selector && lifting(override.state));

let current = null;

/** Makes the dialog work. */
export function startOrders() {
  const form = byId("order-form");
  form.elements.author.value = localStorage.getItem(KEPT_AUTHOR) ?? "";
  byId("order-cancel").addEventListener("click", () => byId("order").close());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    give();
  });
  for (const choice of form.elements.state) choice.addEventListener("change", () => label());
}

/** A button that opens the dialog. */
export function orderButton(kind, selector, text = ORDERS[kind].title) {
  const name = selector.slice(selector.indexOf(":") + 1);
  return element(
    "button",
    {
      type: "button",
      class: "small",
      "aria-haspopup": "dialog",
      "aria-label": `${text} ${name}`,
      "data-order": kind,
      onclick: () => open(kind, selector),
    },
    text,
  );
}

function open(kind, selector) {
  const order = ORDERS[kind];
  const form = byId("order-form");
  current = { kind, selector };
  say(byId("order-head"), `${order.title} ${selector}`);
  say(byId("order-says"), order.says);
  show(byId("order-states"), kind === "force");
  show(byId("order-expiry"), order.expires === true);
  show(byId("order-error"), false);
  form.elements.reason.value = "";
  form.elements.expires_in.value = "";
  for (const choice of form.elements.state) {
    choice.required = kind === "force";
    choice.checked = false;
  }
  caution();
  label();
  byId("order").showModal();
  form.elements.reason.focus();
}

/** Says when what is to be drained is the last that is up. */
function caution() {
  const site =
    current.selector.startsWith("site:") &&
    known.sites.find((site) => `site:${site.name}` === current.selector);
  const takesAway = current.kind === "drain" || current.kind === "force";
  const others = known.sites.filter(
    (other) => other !== site && other.health !== "down" && other.endpoints.up > other.endpoints.draining,
  );
  const isLast = Boolean(site) && takesAway && others.length === 0;
  show(byId("order-caution"), isLast);
  if (isLast)
    say(byId("order-caution"), "No other site is up and undrained: clients will have nowhere better to go.");
}

function label() {
  const { kind } = current;
  const chosen = byId("order-form").elements.state.value;
  say(byId("order-submit"), kind === "force" && chosen ? `Force ${chosen}` : ORDERS[kind].title);
}

async function give() {
  const form = byId("order-form");
  const order = ORDERS[current.kind];
  const { reason, author, expires_in: expiry, state } = form.elements;
  const asked = { selector: current.selector, reason: reason.value.trim() };
  if (author.value.trim()) asked.author = author.value.trim();
  if (order.expires && expiry.value) asked.expires_in = expiry.value;
  if (order.path === "force") asked.state = order.state ?? state.value;
  localStorage.setItem(KEPT_AUTHOR, author.value.trim());
  const button = byId("order-submit");
  button.disabled = true;
  show(byId("order-error"), false);
  try {
    const done = await post(order.path, asked);
    byId("order").close();
    const warnings = (done.warnings ?? []).map((warning) => ` ${warning}`).join("");
    toast(
      `${ORDERS[current.kind].title} ${current.selector}: done, ${some((done.endpoints ?? []).length, "endpoint")} changed.${warnings}`,
    );
  } catch (error) {
    say(byId("order-error"), error.message);
    show(byId("order-error"), true);
  } finally {
    button.disabled = false;
  }
}

/** Says something in passing. */
function toast(text) {
  const shown = element("p", {}, text);
  byId("toasts").append(shown);
  setTimeout(() => shown.remove(), 8000);
}
