// Asks the server. What goes wrong is a Failure with a kind that the views know how to show.

export class Failure extends Error {
  /** kind: expired, forbidden, missing, slow_down, unavailable, offline or failed; retry: seconds, or null. */
  constructor(kind, retry = null) {
    super(kind);
    this.kind = kind;
    this.retry = retry;
  }
}

const KINDS = { 401: "expired", 403: "forbidden", 404: "missing", 429: "slow_down", 503: "unavailable" };

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", cache: "no-cache", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure("offline", 3);
  }
  if (answer.ok || answer.status === 300) return answer;
  const retry = Number(answer.headers.get("Retry-After")) || null;
  throw new Failure(KINDS[answer.status] ?? "failed", retry);
}

/** JSON of a path. `age`: seconds since all of it was known to be so. Raises Failure. */
export async function get(path, signal) {
  const answer = await ask(path, { signal });
  const told = await answer.json();
  return Object.assign(told, { age: Number(answer.headers.get("Age")) || 0, several: answer.status === 300 });
}

/** Sends JSON. The header tells the server that no other site's page sends it. Raises Failure. */
export async function send(method, path, body) {
  const headers = { "Content-Type": "application/json", "X-Rihla-Desk": "1" };
  const answer = await ask(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  return answer.status === 204 || answer.headers.get("Content-Length") === "0" ? null : answer.json();
}

/** Events of a stream, until the returned function is called. state: called with true and false as it comes and goes;
 * ended: when the server ends it for good (the session is over, or the right is gone). */
export function follow(path, names, heard, state, ended) {
  const source = new EventSource(path);
  for (const name of names) source.addEventListener(name, (event) => heard(JSON.parse(event.data), name));
  source.onopen = () => state(true);
  source.onerror = () => {
    state(false);
    if (source.readyState === EventSource.CLOSED) ended();
  };
  return () => source.close();
}
