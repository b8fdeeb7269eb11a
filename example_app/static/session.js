// Talking to the API as a browser does: the tokens travel in cookies that no script can read, and the CSRF
// values in cookies that only a script of this origin can read and repeat in a header.

const ROOT = document.documentElement.dataset.root;
const CSRF_HEADER = "X-CSRF-TOKEN";
const ACCESS_CSRF = "csrf_access_token";
const REFRESH_CSRF = "csrf_refresh_token";

/** An answer that is an error; `message` is what the server says about it. */
export class Refused extends Error {
  constructor(status, body, retryAfter) {
    super(body.error_description ?? `The server answered ${status}.`);
    this.status = status;
    /** In how many seconds to try again, where the server says so. */
    this.retryAfter = retryAfter;
    this.code = body.error ?? "";
    this.fields = body.errors ?? {};
  }
}

/** The session is over: nobody is logged in. */
export class SignedOut extends Error {}

/** Whether somebody was logged in here: the cookie of the refresh token's CSRF value is still there. */
export function hadSession() {
  return readCookie(REFRESH_CSRF) !== "";
}

/** What to tell a person about something that went wrong. */
export function explain(error) {
  if (!(error instanceof Refused)) {
    return "The server does not answer. Is the demo still running? Try again in a moment.";
  }
  return error.status === 429 && error.retryAfter
    ? `Too many attempts. Please try again in ${inWords(error.retryAfter)}.`
    : error.message;
}

function inWords(seconds) {
  const [amount, unit] = seconds > 90 ? [Math.ceil(seconds / 60), "minute"] : [seconds, "second"];
  return `${amount} ${unit}${amount === 1 ? "" : "s"}`;
}

/** Call the API; when the access token is over, renew the session once and try again. */
export async function call(method, path, body) {
  const attempt = async () => read(await send(method, path, body, ACCESS_CSRF));
  try {
    return await attempt();
  } catch (error) {
    if (!wantsToken(error)) throw error;
  }
  await renew();
  try {
    return await attempt();
  } catch (error) {
    throw wantsToken(error) ? new SignedOut() : error;
  }
}

/** Whether a new access token may help: not against a wrong password, and not against a login too long ago. */
function wantsToken(error) {
  const helpless = ["invalid_credentials", "insufficient_user_authentication"];
  return error instanceof Refused && error.status === 401 && !helpless.includes(error.code);
}

export async function logIn(username, password) {
  await read(await send("POST", "/auth/login", { username, password, delivery: "cookie" }));
}

export async function logOut() {
  // The access token may be over and its cookies gone: the refresh token can end the session as well.
  const response = await send("POST", "/auth/logout", undefined, readCookie(ACCESS_CSRF) ? ACCESS_CSRF : REFRESH_CSRF);
  // 401: there was no session left to end.
  if (response.status !== 401) await read(response);
}

export function goTo(path) {
  location.assign(ROOT + path);
}

// Calls that meet the end of the access token together share one renewal.
let renewal = null;

function renew() {
  renewal ??= send("POST", "/auth/refresh", undefined, REFRESH_CSRF)
    .then((response) => {
      if (response.status === 401) throw new SignedOut();
      return read(response);
    })
    .finally(() => {
      renewal = null;
    });
  return renewal;
}

function send(method, path, body, csrfCookie) {
  const headers = { Accept: "application/json" };
  const csrf = csrfCookie && readCookie(csrfCookie);
  if (csrf) headers[CSRF_HEADER] = csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  return fetch(ROOT + path, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "same-origin",
    cache: "no-store",
  });
}

async function read(response) {
  if (response.status === 204) return null;
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, body, Number(response.headers.get("Retry-After")));
  return body;
}

function readCookie(name) {
  const found = document.cookie.split("; ").find((one) => one.startsWith(`${name}=`));
  return found === undefined ? "" : decodeURIComponent(found.slice(name.length + 1));
}
