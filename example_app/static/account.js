import { device } from "./device.js";
import { byId, clearField, element, enter, markField, run, show } from "./page.js";
import { conceal } from "./reveal.js";
import { Refused, call, goTo } from "./session.js";

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const SVG = "http://www.w3.org/2000/svg";

// -- sessions -----------------------------------------------------------------------------------------------

const list = byId("sessions-list");

async function refresh() {
  const { sessions } = await call("GET", "/auth/sessions");
  sessions.sort((one, other) => other.current - one.current);
  list.replaceChildren(...sessions.map(item));
  const alone = sessions.length === 1;
  byId("alone").hidden = !alone;
  byId("end-others").hidden = alone;
}

function item(session) {
  const { name, kind } = device(session.user_agent);
  const made = element("li", session.current ? "session current" : "session");
  const title = element("h3", "device");
  // bdi: whatever a client calls itself does not reorder the words around it.
  title.append(element("bdi", "", name));
  if (session.current) title.append(" ", element("span", "role", "this device"));
  const facts = element("dl", "session-facts");
  facts.append(
    fact("Address", session.address ?? "unknown"),
    fact("Opened", time(session.created_at)),
    fact("Last used", time(session.last_used_at)),
  );
  made.append(icon(kind), title, facts);
  if (!session.current) made.append(endButton(session, name));
  return made;
}

function endButton(session, name) {
  const button = element("button", "end", "End");
  button.type = "button";
  button.append(element("span", "unseen", ` the session of ${name}, opened ${readable(session.created_at)}`));
  button.addEventListener("click", () => {
    change(button, async () => {
      await call("DELETE", `/auth/sessions/${encodeURIComponent(session.id)}`);
      return `The session of ${name} is over.`;
    });
  });
  return button;
}

function fact(name, value) {
  const row = element("div", "");
  const shown = element("dd", "");
  shown.append(value);
  row.append(element("dt", "", name), shown);
  return row;
}

function readable(utc) {
  return moment.format(new Date(utc));
}

function time(utc) {
  const made = element("time", "", readable(utc));
  made.dateTime = utc;
  return made;
}

function icon(kind) {
  const made = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${kind}`);
  made.setAttribute("class", "icon");
  made.setAttribute("aria-hidden", "true");
  made.append(use);
  return made;
}

/** Change something about the sessions, show what is left and say what happened. */
function change(button, action) {
  byId("sessions-done").textContent = "";
  return run(button, byId("sessions-problem"), async () => {
    const done = await action();
    await refresh();
    byId("sessions-done").textContent = done;
    // The button may be gone with its session.
    byId("sessions").focus();
  });
}

byId("end-others").addEventListener("click", () => {
  change(byId("end-others"), async () => {
    await call("POST", "/auth/logout-all", { keep_current: true });
    return "All other devices are logged out.";
  });
});

byId("end-all").addEventListener("click", () => {
  run(byId("end-all"), byId("sessions-problem"), async () => {
    await call("POST", "/auth/logout-all");
    goTo("/login#everywhere");
  });
});

// -- password -----------------------------------------------------------------------------------------------

const form = byId("password");
const old = byId("old_password");
const fresh = byId("new_password");

form.addEventListener("submit", (event) => {
  event.preventDefault();
  byId("password-done").textContent = "";
  clearField(old);
  clearField(fresh);
  if (!old.value) return complain(old, "Please type your current password.");
  if (!fresh.value) return complain(fresh, "Please type a new password.");
  run(byId("password-button"), byId("password-problem"), async () => {
    try {
      await call("POST", "/auth/password", { old_password: old.value, new_password: fresh.value });
    } catch (error) {
      if (error instanceof Refused && error.code === "invalid_credentials") {
        return complain(old, "This is not your current password.");
      }
      throw error;
    }
    form.reset();
    conceal(form);
    byId("username").value = byId("who").textContent;
    byId("password-done").textContent = "Your password is changed, and all other sessions are over.";
    await refresh();
  });
});

for (const field of [old, fresh]) field.addEventListener("input", () => clearField(field));

function complain(field, text) {
  markField(field, text);
  field.focus();
  field.select();
}

// -- who is here --------------------------------------------------------------------------------------------

enter(async (me) => {
  byId("username").value = me.username;
  await refresh();
});
