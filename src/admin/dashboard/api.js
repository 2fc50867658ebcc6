// The admin API from here: reads, orders, the token. What the answers mean is the callers' matter.

const KEPT = "meridian-token";

/** What the server refused, as it says itself (RFC 9457). */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? problem.title ?? `status ${status}`);
    this.status = status;
    this.errors = problem.errors ?? [];
  }
}

let ask = async () => false;

/** Who asks a person for a token: called with why, true once there is another one. */
export function askWith(asker) {
  ask = asker;
}

/** Takes a token out of the address, `#token=…`, so that it is in no history and no screenshot. */
export function takeTokenFromAddress() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (found === null) return;
  keepToken(found);
  history.replaceState(null, "", location.pathname + location.search);
}

export const token = () => sessionStorage.getItem(KEPT);

export function keepToken(text) {
  if (text) sessionStorage.setItem(KEPT, text);
  else sessionStorage.removeItem(KEPT);
}

function headers(more = {}) {
  const kept = token();
  return kept ? { ...more, Authorization: `Bearer ${kept}` } : more;
}

async function refusal(response) {
  const text = await response.text();
  let problem;
  try {
    problem = JSON.parse(text);
  } catch {
    problem = { detail: text.trim().slice(0, 300) || response.statusText };
  }
  return new Refused(response.status, problem ?? {});
}

/** A request; where a token is asked for, a person is, and it is made once more. */
async function request(path, options = {}) {
  for (let isSecond = false; ;) {
    const used = token();
    const response = await fetch(path, {
      ...options,
      headers: headers(options.headers),
      cache: "no-store",
      credentials: "omit",
    });
    if (response.ok) return response;
    const refused = await refusal(response);
    if (response.status !== 401 || isSecond) throw refused;
    // Another request may have asked in the meantime.
    if (token() === used && !(await ask(refused.message))) throw refused;
    isSecond = true;
  }
}

/** Reads a page of the API; `query` leaves out what is empty. */
export async function get(path, query = {}) {
  const asked = new URLSearchParams(
    Object.entries(query).filter(([, value]) => value !== "" && value !== undefined),
  );
  const response = await request(`/api/v1/${path}${asked.size ? `?${asked}` : ""}`);
  return response.json();
}

/** Gives an order. */
export async function post(path, order) {
  const response = await request(`/api/v1/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(order),
  });
  return response.json();
}

/** The stream of events, open. */
export function stream(signal) {
  return request("/api/v1/events", { headers: { Accept: "text/event-stream" }, signal });
}
