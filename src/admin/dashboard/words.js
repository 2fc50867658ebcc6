// How numbers, times and states are said. It knows no element and no state of the page.

const count = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/** 12345 as 12,345. */
export const number = (value) => count.format(value);

/** "1 site", "2 sites". */
export const some = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;

/** A rate: 0.4/s, 12/s, 3,400/s. */
export function rate(value) {
  if (value === null || value === undefined) return "–";
  return `${value > 0 && value < 10 ? value.toFixed(1) : number(value)}/s`;
}

/** A name of the DNS as people write it. */
export const dnsName = (name) => (name.length > 1 ? name.replace(/\.$/, "") : name);

/** A share of 0..1 in percent; what is not nothing is not shown as nothing. */
export function percent(share) {
  if (share === null || share === undefined) return "–";
  if (share > 0 && share < 0.01) return "<1 %";
  return `${Math.round(share * 100)} %`;
}

/** Seconds in the two largest units. */
export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  if (hours < 24) return minutes ? `${hours} h ${minutes} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** How long ago a moment was, or how far it is ahead. */
export function age(moment, now = Date.now()) {
  const seconds = (now - Date.parse(moment)) / 1000;
  if (seconds < -1) return `in ${span(-seconds)}`;
  return seconds < 2 ? "now" : `${span(seconds)} ago`;
}

/** The time of day, with the day if it was not today. */
export function at(moment) {
  const date = new Date(moment);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? clock.format(date) : `${day.format(date)} ${clock.format(date)}`;
}

/** Adjectives of marks, for people. */
const STATES = {
  up: "up",
  down: "down",
  degraded: "degraded",
  unknown: "not probed yet",
  enabled: "enabled",
  draining: "draining",
  disabled: "disabled",
  "forced-up": "forced up",
  "forced-down": "forced down",
};

/** A state in words. */
export const state = (word) => STATES[word] ?? word ?? "unchecked";

const REASONS = {
  healthy: "answers from what is up",
  "not-probed-yet": "nothing is up yet: answers from what is not probed yet",
  draining: "draining endpoints answer: nothing else is left",
  standby: "standbys answer: nothing else is left",
  panic: "panic: too little is up, so health is ignored",
  "fail-open": "fail-open: all endpoints are down, answered as if they were up",
  "last-resort": "last resort: all endpoints are down",
  "all-down": "all endpoints are down: no answer",
  "family-down": "all of this family are down, the other is not: empty answers",
  "no-such-family": "no endpoint of this family",
  "not-for-client": "no endpoint for some clients",
};

/** Why a service answers as it does, in words. */
export const reason = (word) => REASONS[word] ?? word;

/** Whether a reason is one that somebody should look at. */
export const isTrouble = (word) => !["healthy", "no-such-family", "not-for-client"].includes(word);

const REMOVALS = {
  family: "other family",
  view: "not for this client",
  disabled: "disabled",
  draining: "draining",
  "forced-down": "forced down",
  down: "down",
  "not-probed-yet": "not probed yet",
  tier: "waits in a later tier",
  standby: "standby",
};

/** Which step took an endpoint out of the race, in words. */
export const removal = (word) => REMOVALS[word] ?? word;
