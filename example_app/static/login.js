import "./reveal.js";
import { Refused, explain, goTo, logIn } from "./session.js";

const form = document.getElementById("login");
const username = document.getElementById("username");
const password = document.getElementById("password");
const problem = document.getElementById("problem");
const notice = document.getElementById("notice");
const submit = document.getElementById("submit");

const NOTICES = {
  "#ended": "Your session is over. Please log in again.",
  "#bye": "You are logged out.",
  "#everywhere": "You are logged out, here and everywhere else.",
};

// What an address says is anybody's; what it means is said here.
const PROBLEMS = {
  "#access_denied": "The login was broken off. You can try again, or log in with a password.",
  "#email_taken": "Somebody here has that e-mail address already. Log in with your password.",
  "#identity_refused": "This account is not let in here.",
  "#invalid_state": "This login took too long or was begun elsewhere. Please begin again.",
  "#provider_error": "The other side does not answer as it should. Please try again later.",
};

function complain(text, field) {
  problem.textContent = text;
  problem.hidden = false;
  notice.hidden = true;
  for (const one of [username, password]) one.removeAttribute("aria-invalid");
  if (field) {
    field.setAttribute("aria-invalid", "true");
    field.focus();
    field.select();
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!username.value.trim()) return complain("Please type a user name.", username);
  if (!password.value) return complain("Please type the password.", password);
  problem.hidden = true;
  submit.disabled = true;
  submit.textContent = "Logging in …";
  try {
    await logIn(username.value, password.value);
    goTo("/");
  } catch (error) {
    submit.disabled = false;
    submit.textContent = "Log in";
    const wrong = error instanceof Refused && error.code === "invalid_credentials";
    complain(explain(error), wrong ? password : null);
  }
});

for (const button of document.querySelectorAll("[data-username]")) {
  button.addEventListener("click", () => {
    username.value = button.dataset.username;
    password.focus();
  });
}

if (location.hash in NOTICES) {
  notice.textContent = NOTICES[location.hash];
  notice.hidden = false;
}
if (location.hash in PROBLEMS) complain(PROBLEMS[location.hash], null);
// So that a reload or a bookmark does not say it again.
if (location.hash) history.replaceState(null, "", location.pathname);
submit.disabled = false;
username.focus();
