// The list of sites: health, share of all answers, and the buttons that drain and force.

import { byId, element, fill, keyed, mark, say } from "./dom.js";
import { liftable, lifting, orderButton } from "./order.js";
import { colourOf, known, stateOf, watch } from "./store.js";
import { percent, some, state } from "./words.js";

/** Draws the list whenever a site or an override changes. */
export function startSites() {
  watch(["sites", "overrides"], () => {
    keyed(byId("sites"), known.sites, (site) => site.name, make, update);
  });
}

function make(site) {
  return element(
    "li",
    {},
    element("span", { class: "icon" }),
    element(
      "div",
      { class: "what" },
      element(
        "p",
        { class: "name" },
        element("span", { class: `swatch ${colourOf(site.name)}`, "aria-hidden": "true" }),
        site.name,
      ),
      element("p", { class: "detail" }),
    ),
    element(
      "div",
      { class: "share" },
      element("span", { class: "figure" }),
      element(
        "span",
        { class: "track", "aria-hidden": "true" },
        element("span", { class: `bar ${colourOf(site.name)}` }),
      ),
    ),
    element("div", { class: "actions" }),
  );
}

function update(row, site) {
  const kind = stateOf(site);
  row.dataset.state = kind;
  row.querySelector(".swatch").className = `swatch ${colourOf(site.name)}`;
  row.querySelector(".bar").className = `bar ${colourOf(site.name)}`;
  row.dataset.health = site.health;
  fill(row.querySelector(".icon"), kind, () => mark(kind));
  say(row.querySelector(".detail"), detail(site, kind));
  say(row.querySelector(".figure"), percent(site.share));
  row.querySelector(".bar").style.width = `${(site.share ?? 0) * 100}%`;
  const selector = `site:${site.name}`;
  const own = liftable(selector);
  // A button that does what the one before it undid keeps the focus.
  const actions = row.querySelector(".actions");
  const hadFocus = actions.contains(document.activeElement);
  const version = own?.state ?? "";
  if (actions.dataset.version === version) return;
  fill(actions, version, () => {
    if (!own) return [orderButton("drain", selector), orderButton("force", selector, "Force…")];
    const lift = orderButton(lifting(own.state), selector);
    return own.state.startsWith("forced")
      ? [orderButton("drain", selector), lift]
      : [lift, orderButton("force", selector, "Force…")];
  });
  if (hadFocus) actions.firstElementChild.focus();
}

function detail(site, kind) {
  const { total, up, down, unknown, draining, disabled, forced } = site.endpoints;
  const words = [state(kind)];
  if (kind !== site.health && site.health !== "up") words.push(`health ${state(site.health)}`);
  words.push(`${up} of ${some(total, "endpoint")} up`);
  if (down && down + up < total) words.push(`${down} down`);
  if (unknown) words.push(`${unknown} not probed yet`);
  if (draining && draining < total) words.push(`${draining} draining`);
  if (disabled && disabled < total) words.push(`${disabled} disabled`);
  if (forced) words.push(`${forced} forced`);
  return words.join(" · ");
}
