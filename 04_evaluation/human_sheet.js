"use strict";
// The sheet in `#sheet`: pairs of texts, one pair at a time. Which text is whose is sealed and goes back unread.
const sheet = JSON.parse(document.getElementById("sheet").textContent);
const SIDES = ["left", "right"];
const byId = (id) => document.getElementById(id);
const storage = (() => {
  // Some browsers refuse to store anything for a page that is opened as a file.
  try { localStorage.getItem(""); return localStorage; } catch { return null; }
})();
const empty = () => sheet.pairs.map((pair) => ({ item: pair.id, preference: null, left: {}, right: {}, seconds: 0 }));
const stored = storage && JSON.parse(storage.getItem(sheet.id) || "null");
const state = stored || { rater: "", at: 0, answers: empty() };
// The questions of a pair in the order in which keys fill them.
const questions = [
  ...SIDES.flatMap((side) => sheet.criteria.map((criterion) => ({ side, criterion: criterion.name }))),
  { side: null, criterion: null },
];
let current = 0;
let since = Date.now();

function answered(answer, question) {
  return question.side ? answer[question.side][question.criterion] !== undefined : answer.preference !== null;
}

function keep() {
  if (storage) storage.setItem(sheet.id, JSON.stringify(state));
}

function radio(name, value, text, checked, change) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  Object.assign(input, { type: "radio", name, value, checked });
  input.addEventListener("change", change);
  label.append(input, text);
  return label;
}

function group(legend, number, options) {
  const fieldset = document.createElement("fieldset");
  fieldset.id = `question-${number}`;
  const heading = document.createElement("legend");
  heading.textContent = legend;
  const choices = document.createElement("div");
  choices.className = "choices";
  choices.append(...options);
  fieldset.append(heading, choices);
  fieldset.addEventListener("focusin", () => mark(number));
  return fieldset;
}

function mark(number) {
  current = number;
  document.querySelectorAll("fieldset").forEach((f) => f.classList.toggle("current", f.id === `question-${number}`));
}

function show() {
  const pair = sheet.pairs[state.at];
  const answer = state.answers[state.at];
  byId("prompt").textContent = pair.prompt;
  SIDES.forEach((side, column) => {
    byId(side).textContent = pair[side];
    byId(`${side}-ratings`).replaceChildren(...sheet.criteria.map((criterion, row) => {
      const number = column * sheet.criteria.length + row;
      const options = [1, 2, 3, 4, 5].map((value) => radio(
        `${side}-${criterion.name}`, value, String(value), answer[side][criterion.name] === value,
        () => rate(number, value),
      ));
      return group(criterion.question, number, options);
    }));
  });
  const last = questions.length - 1;
  byId("preference").replaceChildren(group("Which text goes on better?", last, [
    ["left", "A"], ["right", "B"], ["tie", "no difference"],
  ].map(([value, text]) => radio("preference", value, text, answer.preference === value, () => prefer(value)))));
  const next = questions.findIndex((question) => !answered(answer, question));
  mark(next < 0 ? last : next);
  since = Date.now();
  progress();
}

function progress() {
  const done = state.answers.filter((answer) => questions.every((question) => answered(answer, question))).length;
  byId("progress").textContent = `Pair ${state.at + 1} of ${sheet.pairs.length}; ${done} complete`;
  byId("back").disabled = state.at === 0;
  byId("next").disabled = state.at === sheet.pairs.length - 1;
}

function changed() {
  state.answers[state.at].seconds += (Date.now() - since) / 1000;
  since = Date.now();
  keep();
  progress();
}

function check(number, value) {
  const input = document.querySelector(`#question-${number} input[value="${value}"]`);
  input.checked = true;
}

function rate(number, value) {
  const { side, criterion } = questions[number];
  state.answers[state.at][side][criterion] = value;
  check(number, value);
  mark(number + 1);
  changed();
}

function prefer(value) {
  state.answers[state.at].preference = value;
  check(questions.length - 1, value);
  changed();
}

function go(step) {
  const to = state.at + step;
  if (to < 0 || to >= sheet.pairs.length) return;
  state.at = to;
  keep();
  show();
  byId("pair-heading").focus();
}

function save() {
  const rater = byId("rater").value.trim();
  if (!rater) {
    byId("message").textContent = "Enter your name first, so that your answers can be told from others'.";
    byId("rater").focus();
    return;
  }
  const content = {
    schema: sheet.schema, sheet: sheet.id, rater, criteria: sheet.criteria.map((criterion) => criterion.name),
    sealed: sheet.sealed, answers: state.answers,
  };
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(content, null, 1)], { type: "application/json" }));
  link.download = `ratings-${sheet.id}-${rater.replace(/[^\p{L}\p{N}]+/gu, "_")}.json`;
  link.click();
  URL.revokeObjectURL(link.href);
  byId("message").textContent = `Saved as ${link.download}.`;
}

document.addEventListener("keydown", (event) => {
  if (event.target.matches("input[type=text]") || event.ctrlKey || event.metaKey || event.altKey) return;
  const last = questions.length - 1;
  const keys = {
    a: () => prefer("left"), b: () => prefer("right"), t: () => prefer("tie"),
    n: () => go(1), p: () => go(-1), s: save,
  };
  const key = event.key.toLowerCase();
  if ("12345".includes(key) && current < last) rate(current, Number(key));
  else if (keys[key]) keys[key]();
  else return;
  event.preventDefault();
});
byId("rater").value = state.rater;
byId("rater").addEventListener("input", () => { state.rater = byId("rater").value; keep(); });
byId("back").addEventListener("click", () => go(-1));
byId("next").addEventListener("click", () => go(1));
byId("save").addEventListener("click", save);
show();
