// Starts every part, and brings them what the server says.

import { get, takeTokenFromAddress } from "./api.js";
import { byId, say } from "./dom.js";
import { startExplain } from "./explain.js";
import { follow } from "./live.js";
import { startMap } from "./map.js";
import { startOrders } from "./order.js";
import { startOverrides } from "./overrides.js";
import { lookForTrouble, startServices } from "./services.js";
import { startSites } from "./sites.js";
import { known, learn } from "./store.js";
import { startTheme } from "./theme.js";
import { headline, startTimeline } from "./timeline.js";
import { startToken } from "./token.js";
import { startVerdict } from "./verdict.js";

/** As many events are kept here; the server has more. */
const MOST_EVENTS = 1000;
const SECOND = 1000;

const EVENTS = {
  status: (status) => learn("status", status),
  sites: ({ sites }) => learn("sites", sites),
  services: (services) => {
    learn("services", services);
    if (services.total <= services.services.length) lookForTrouble();
  },
  overrides: ({ overrides }) => learn("overrides", overrides),
  clients: (clients) => learn("clients", clients),
  history: (event) => {
    learn("history", [event, ...known.history].slice(0, MOST_EVENTS));
    say(byId("announcer"), `${headline(event)}. ${event.reason ?? ""}`);
    lookSoon();
  },
};

let looking;

/** Looks through all services where they are too many to come by themselves. */
function lookSoon() {
  clearTimeout(looking);
  looking = setTimeout(() => {
    const { services } = known;
    if (services && services.total > services.services.length) lookForTrouble().catch(() => {});
  }, SECOND);
}

/** What happened before the stream began; all else comes with it. */
async function catchUp() {
  learn("history", (await get("history", { limit: 500 })).events);
  lookSoon();
}

function connected(change) {
  learn("connection", { ...known.connection, ...change });
}

takeTokenFromAddress();
startTheme();
startVerdict();
startSites();
startOverrides();
startServices();
startTimeline();
startExplain();
startOrders();
startMap();

const line = follow({
  onOpen: () => {
    connected({ phase: "live", why: "", retryAt: null, heard: Date.now() });
    catchUp().catch(() => {});
  },
  onEvent: (name, data) => {
    known.connection.heard = Date.now();
    EVENTS[name]?.(data);
  },
  onLost: (why, wait) => connected({ phase: "lost", why, retryAt: wait === null ? null : Date.now() + wait }),
});
startToken(line.retry);
byId("retry").addEventListener("click", line.retry);
window.addEventListener("online", line.retry);
window.addEventListener("hashchange", () => {
  const before = location.hash;
  takeTokenFromAddress();
  if (location.hash !== before) line.retry();
});
setInterval(() => learn("clock", null), SECOND);
