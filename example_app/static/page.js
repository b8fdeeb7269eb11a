// What the pages share that are only for who is logged in.

import { Refused, SignedOut, call, explain, goTo, hadSession, logOut } from "./session.js";

export const byId = (id) => document.getElementById(id);

export function show(element, text) {
  element.textContent = text;
  element.hidden = !text;
}

/** Make an element; what it says is always text, never HTML. */
export function element(name, className, text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

/** Run what a button does: the button waits meanwhile, and what goes wrong is told next to it. */
export async function run(button, problem, action) {
  const focused = document.activeElement === button;
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  show(problem, "");
  try {
    await action();
  } catch (error) {
    if (error instanceof SignedOut) goTo("/login#ended");
    else if (error instanceof Refused && error.status === 422) markFields(error.fields, problem);
    else show(problem, explain(error));
  } finally {
    button.disabled = false;
    button.removeAttribute("aria-busy");
    // A button that is disabled loses the focus: whoever uses the keyboard goes on from here.
    if (focused && isNowhere(document.activeElement)) button.focus();
  }
}

/** Whether the focus is on nothing that can be seen, such as a field of a dialog that was closed. */
function isNowhere(focused) {
  return focused === document.body || focused.getClientRects().length === 0;
}

/** Say beside each field what is wrong with it; `problem` takes what belongs to none. */
export function markFields(fields, problem) {
  const strangers = [];
  let first = null;
  for (const [name, messages] of Object.entries(fields)) {
    if (byId(`${name}-problem`)) {
      markField(byId(name), messages.join(" "));
      first ??= byId(name);
    } else {
      strangers.push(messages.join(" "));
    }
  }
  show(problem, strangers.join(" "));
  first?.focus();
}

export function markField(field, text) {
  field.setAttribute("aria-invalid", "true");
  show(byId(`${field.id}-problem`), text);
}

export function clearField(field) {
  field.removeAttribute("aria-invalid");
  show(byId(`${field.id}-problem`), "");
}

/** Find out who is here, fill the header, and let the page do the rest. */
export async function enter(fill) {
  try {
    const me = await call("GET", "/auth/me");
    byId("who").textContent = me.username;
    byId("roles").replaceChildren(...me.roles.map((role) => element("span", "role", `role ${role}`)));
    byId("account").hidden = false;
    await fill(me);
    byId("content").hidden = false;
  } catch (error) {
    if (error instanceof SignedOut) goTo(hadSession() ? "/login#ended" : "/login");
    else show(byId("page-problem"), explain(error));
  } finally {
    byId("loading").hidden = true;
  }
}

byId("logout").addEventListener("click", () => {
  run(byId("logout"), byId("page-problem"), async () => {
    await logOut();
    goTo("/login#bye");
  });
});
