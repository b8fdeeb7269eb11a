// Step-up: where the server wants to know anew that it is still the same person, ask for the password.

import { byId, clearField, markField, run } from "./page.js";
import { conceal } from "./reveal.js";
import { Refused, call } from "./session.js";

const dialog = byId("confirm");
const form = byId("confirm-form");
const password = byId("confirm-password");

/**
 * Do something that may need a fresh login. When it does, ask for the password and do it again.
 *
 * Returns what the action returns, or null when the person did not want to confirm.
 */
export async function confirmed(action) {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof Refused && error.code === "insufficient_user_authentication")) throw error;
  }
  return (await ask()) ? action() : null;
}

let confirmedNow = false;

function ask() {
  confirmedNow = false;
  byId("confirm-username").value = byId("who").textContent;
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(confirmedNow), { once: true });
  });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearField(password);
  if (!password.value) return complain("Please type your password.");
  run(byId("confirm-button"), byId("confirm-password-problem"), async () => {
    try {
      await call("POST", "/auth/confirm", { password: password.value });
    } catch (error) {
      if (error instanceof Refused && error.code === "invalid_credentials") return complain("This is not your password.");
      throw error;
    }
    confirmedNow = true;
    dialog.close();
  });
});

function complain(text) {
  markField(password, text);
  password.focus();
  password.select();
}

byId("confirm-cancel").addEventListener("click", () => dialog.close());

dialog.addEventListener("close", () => {
  form.reset();
  conceal(form);
  clearField(password);
});
