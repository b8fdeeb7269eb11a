import { confirmed } from "./confirm.js";
import { draw } from "./flower.js";
import { byId, clearField, element, enter, run, show } from "./page.js";
import { covers } from "./permissions.js";
import { call } from "./session.js";

const form = byId("measurements");
const numbers = [...form.querySelectorAll("input[type=number]")];
const examples = [...form.querySelectorAll(".example")];
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

let asked = false;

// -- helpers ------------------------------------------------------------------------------------------------

/** A share as percent; what is not quite nothing or all is not shown as nothing or all. */
function inPercent(share) {
  if (share > 0 && share < 0.001) return "<0.1%";
  if (share < 1 && share > 0.999) return ">99.9%";
  return percent.format(share);
}

// -- the measurements ---------------------------------------------------------------------------------------

function measurements() {
  return Object.fromEntries(numbers.map((field) => [field.name, field.valueAsNumber]));
}

function redraw() {
  const values = numbers.map((field) => field.valueAsNumber);
  // The sliders never leave the range: what cannot be a flower is not drawn as one.
  draw(Object.fromEntries(numbers.map((field) => [field.name, byId(`${field.name}-slider`).valueAsNumber])));
  for (const example of examples) {
    const same = example.dataset.values.split(" ").every((value, place) => Number(value) === values[place]);
    example.setAttribute("aria-pressed", String(same));
  }
  outdate("The measurements have changed since.");
}

function paint(slider) {
  // How far the track is filled; CSS draws it.
  slider.style.setProperty("--filled", `${((slider.value - slider.min) / (slider.max - slider.min)) * 100}%`);
}

for (const field of numbers) {
  const slider = byId(`${field.name}-slider`);
  field.addEventListener("input", () => {
    clearField(field);
    if (Number.isFinite(field.valueAsNumber)) slider.value = field.valueAsNumber;
    paint(slider);
    redraw();
  });
  slider.addEventListener("input", () => {
    clearField(field);
    field.value = slider.value;
    paint(slider);
    redraw();
  });
  paint(slider);
}
redraw();

for (const example of examples) {
  example.addEventListener("click", () => {
    example.dataset.values.split(" ").forEach((value, place) => {
      numbers[place].value = value;
      clearField(numbers[place]);
      const slider = byId(`${numbers[place].name}-slider`);
      slider.value = value;
      paint(slider);
    });
    redraw();
  });
}

/** What is wrong with a field, in words that say what to do; empty when it is fine. */
function fault(field) {
  const { validity, min, max } = field;
  if (validity.badInput || validity.valueMissing) return "Please type a number.";
  if (validity.rangeUnderflow || validity.rangeOverflow) return `Please stay between ${min} and ${max} cm.`;
  return "";
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (byId("predict").disabled) return;
  for (const field of numbers) {
    clearField(field);
    if (fault(field)) {
      show(byId(`${field.name}-problem`), fault(field));
      field.setAttribute("aria-invalid", "true");
    }
  }
  const wrong = numbers.find(fault);
  if (wrong) return wrong.focus();
  run(byId("predict"), byId("predict-problem"), async () => {
    showResult(await call("POST", "/predict", measurements()));
    // On a narrow screen the result stands below the form.
    byId("plate").scrollIntoView({ block: "nearest" });
  });
});

// -- the result ---------------------------------------------------------------------------------------------

function showResult(result) {
  asked = true;
  const verdict = byId("verdict");
  verdict.className = "verdict";
  verdict.replaceChildren(element("i", "", `Iris ${result.class}`));
  const sure = result.probabilities[result.class];
  const manner = sure >= 0.95 ? "Almost certain" : sure >= 0.75 ? "Likely" : "The best guess, but not sure";
  show(byId("verdict-note"), `${manner}: ${inPercent(sure)}.`);

  const bars = byId("bars");
  bars.hidden = false;
  bars.className = "bars";
  bars.replaceChildren(
    ...Object.entries(result.probabilities).map(([species, share]) => {
      const row = element("div", species === result.class ? "bar-row winner" : "bar-row");
      const name = element("dt", "");
      name.append(element("i", "", species));
      const value = element("dd", "");
      const track = element("span", "track");
      track.style.setProperty("--share", String(share));
      value.append(track, element("span", "share", inPercent(share)));
      row.append(name, value);
      return row;
    }),
  );
}

/** Grey the result out when it no longer belongs to what is on the page; said once, not at every move. */
function outdate(why) {
  if (!asked || byId("verdict").classList.contains("stale")) return;
  byId("verdict").classList.add("stale");
  byId("bars").classList.add("stale");
  show(byId("verdict-note"), why);
}

// -- the model ----------------------------------------------------------------------------------------------

function showFacts(facts) {
  const rows = [
    ["Accuracy", `${percent.format(facts.accuracy)} of ${facts.tested_on} test flowers`],
    ["Learned from", `${facts.trained_on} flowers`],
    ["Kind", facts.kind],
    ["Trained", moment.format(new Date(facts.trained_at))],
    ["Seed", String(facts.seed)],
  ];
  byId("facts").replaceChildren(
    ...rows.map(([name, value]) => {
      const row = element("div", "");
      row.append(element("dt", "", name), element("dd", "", value));
      return row;
    }),
  );
  byId("model").hidden = false;
}

byId("train").addEventListener("submit", (event) => {
  event.preventDefault();
  const seed = byId("seed");
  byId("trained").textContent = "";
  if (!seed.validity.valid) {
    show(byId("train-problem"), "The seed is a whole number from 0 to 4294967295, or empty.");
    return seed.focus();
  }
  run(byId("train-button"), byId("train-problem"), async () => {
    const body = { test_share: Number(byId("test_share").value) };
    if (seed.value) body.seed = seed.valueAsNumber;
    const facts = await confirmed(() => call("POST", "/model/train", body));
    if (facts === null) return;
    showFacts(facts);
    byId("trained").textContent = `A new model is in place: ${percent.format(facts.accuracy)} right.`;
    outdate("The model has changed since.");
  });
});

// -- who is here --------------------------------------------------------------------------------------------

enter(async (me) => {
  const may = (permission) => covers(me.permissions, permission);
  if (!may("model:predict")) {
    byId("predict").disabled = true;
    byId("predict").setAttribute("aria-describedby", "may-not");
    show(
      byId("may-not"),
      `You may look at the model, but not predict with it: ${me.username} lacks the permission model:predict.`,
    );
  }
  if (may("model:read")) showFacts(await call("GET", "/model/"));
  byId("train").hidden = !may("model:train");
});
