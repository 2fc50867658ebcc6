// The form that asks for a token, when one is missing or wrong, or when a person wants another.

import { askWith, keepToken, token } from "./api.js";
import { byId, say, show } from "./dom.js";

let waiting = null;

/** Makes the form work; `onChange` is called when another token is kept, or none. */
export function startToken(onChange) {
  const dialog = byId("token");
  const form = byId("token-form");
  const done = (changed) => {
    const answer = waiting?.answer;
    waiting = null;
    dialog.close();
    label();
    answer?.(changed);
    if (changed && !answer) onChange();
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    keepToken(form.elements.token.value.trim());
    done(true);
  });
  byId("token-forget").addEventListener("click", () => {
    keepToken(null);
    done(true);
  });
  byId("token-cancel").addEventListener("click", () => done(false));
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    done(false);
  });
  byId("token-button").addEventListener("click", () => {
    open("With a write token this page can drain and force; with a read token it can look from anywhere.");
  });
  askWith((why) => {
    // Several requests may be refused at once; one form serves them all.
    if (!waiting) {
      waiting = {};
      waiting.answered = new Promise((answer) => {
        waiting.answer = answer;
      });
      open(why);
    }
    return waiting.answered;
  });
  label();
}

function open(why) {
  const form = byId("token-form");
  say(byId("token-says"), why);
  show(byId("token-forget"), token() !== null);
  form.elements.token.value = "";
  byId("token").showModal();
  form.elements.token.focus();
}

function label() {
  say(byId("token-button"), token() ? "Token: set" : "Token: none");
}
