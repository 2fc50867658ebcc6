// The overrides in force: what a person has said, why, who, until when, and a button to lift each.

import { byId, element, fill, keyed, mark, say } from "./dom.js";
import { lifting, orderButton } from "./order.js";
import { known, watch } from "./store.js";
import { age, at, some, state } from "./words.js";

/** Draws the list whenever an override changes, and times as they pass. */
export function startOverrides() {
  watch(["overrides", "clock"], () => {
    keyed(byId("overrides"), known.overrides, (override) => override.selector, make, update);
    say(
      byId("overrides-note"),
      known.overrides.length
        ? "a person's word, above health"
        : "none: every state is as configured and probed",
    );
  });
}

function make(override) {
  return element(
    "li",
    {},
    element("span", { class: "icon" }),
    element(
      "div",
      { class: "what" },
      element("p", { class: "name" }, override.selector, " ", element("span", { class: "state" })),
      element("p", { class: "reason" }),
      element("p", { class: "detail" }),
    ),
    element("div", { class: "actions" }),
  );
}

function update(row, override) {
  fill(row.querySelector(".icon"), override.state, () =>
    mark(override.state === "enabled" ? "up" : override.state),
  );
  say(row.querySelector(".state"), state(override.state));
  say(row.querySelector(".reason"), `“${override.reason}”`);
  const until = override.expires_at
    ? `ends ${age(override.expires_at)}, at ${at(override.expires_at)}`
    : "until lifted";
  say(
    row.querySelector(".detail"),
    `${override.author}, ${age(override.since)} · ${until} · ${some(override.endpoints, "endpoint")}`,
  );
  fill(row.querySelector(".actions"), override.state, () => {
    const lift = lifting(override.state);
    return lift ? orderButton(lift, override.selector, "Lift") : orderButton("drain", override.selector);
  });
}
