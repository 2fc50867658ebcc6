// Light or dark: as the system says, or as the button does, which is kept.

import { byId, say } from "./dom.js";

const KEPT = "meridian-theme";
const THEMES = ["system", "light", "dark"];

/** Makes the button work. */
export function startTheme() {
  let theme = localStorage.getItem(KEPT) ?? "system";
  const apply = () => {
    document.documentElement.dataset.theme = theme;
    say(byId("theme-button"), `Theme: ${theme}`);
  };
  byId("theme-button").addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    localStorage.setItem(KEPT, theme);
    apply();
  });
  apply();
}
