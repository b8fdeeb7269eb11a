// The buttons that show what was typed into a password field: <button data-reveals="id of the field">Show</button>.

export function reveal(button, shown) {
  document.getElementById(button.dataset.reveals).type = shown ? "text" : "password";
  button.firstChild.data = shown ? "Hide" : "Show";
  button.setAttribute("aria-pressed", String(shown));
}

for (const button of document.querySelectorAll("[data-reveals]")) {
  button.addEventListener("click", () => reveal(button, button.getAttribute("aria-pressed") === "false"));
}

/** Hide all passwords of a form again. */
export function conceal(form) {
  for (const button of form.querySelectorAll("[data-reveals]")) reveal(button, false);
}
