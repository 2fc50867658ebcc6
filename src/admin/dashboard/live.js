// Follows the server: reads its events, and again after every loss, ever more patiently.
//
// EventSource cannot send a token, so the stream is read with fetch. A stream that is silent for
// SILENCE is taken for lost: the server says its status every two seconds.

import { stream } from "./api.js";

const SILENCE = 10_000;
const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;

/**
 * Follows for as long as the page lives. `onOpen()` once the stream is there, `onEvent(name, data)`
 * for each event, `onLost(why, wait)` when it is gone and tried again after `wait` milliseconds;
 * `null` for a wait that only `retry` ends.
 */
export function follow({ onOpen, onEvent, onLost }) {
  let wait = FIRST_WAIT;
  let wake = () => {};
  const run = async () => {
    for (;;) {
      let why = "the server closed the stream";
      let isDenied = false;
      try {
        await listen(() => {
          wait = FIRST_WAIT;
          onOpen();
        }, onEvent);
      } catch (error) {
        isDenied = error.status === 401 || error.status === 403;
        why = error.status
          ? error.message
          : error.name === "AbortError"
            ? "the server has fallen silent"
            : "the server cannot be reached";
      }
      // A little off the beat, so that many pages do not come back all at once.
      const pause = isDenied ? null : wait * (0.8 + Math.random() * 0.4);
      wait = Math.min(wait * 2, LONGEST_WAIT);
      onLost(why, pause);
      await new Promise((done) => {
        wake = done;
        if (pause !== null) setTimeout(done, pause);
      });
    }
  };
  run();
  return { retry: () => wake() };
}

async function listen(onOpen, onEvent) {
  const aborter = new AbortController();
  let watch = setTimeout(() => {}, 0);
  const alive = () => {
    clearTimeout(watch);
    watch = setTimeout(() => aborter.abort(), SILENCE);
  };
  try {
    // No watch before there is a stream: a person may be typing a token.
    const response = await stream(aborter.signal);
    alive();
    onOpen();
    const read = parser(onEvent);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      alive();
      read(value);
    }
  } finally {
    clearTimeout(watch);
    aborter.abort();
  }
}

/** Reads text/event-stream in pieces as they come (HTML standard, 9.2.6); JSON data only. */
export function parser(onEvent) {
  let rest = "";
  let name = "";
  let data = [];
  const take = (line) => {
    if (line === "") {
      if (data.length) onEvent(name || "message", JSON.parse(data.join("\n")));
      name = "";
      data = [];
      return;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") name = value;
    else if (field === "data") data.push(value);
  };
  return (text) => {
    rest += text;
    const lines = rest.split(/\r?\n/);
    rest = lines.pop();
    lines.forEach(take);
  };
}
