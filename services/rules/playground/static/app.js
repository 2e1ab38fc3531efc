// The playground: two editors, one question to the service, and the answer as text. Everything that comes back is set as
// text, never as markup: a rule file cannot write to this page.
"use strict";

const LINT_AFTER_MS = 400;
const byId = (id) => document.getElementById(id);
const rules = byId("rules");
const events = byId("events");
const key = byId("key");
let samples = [];
let lintTimer = 0;
let asked = 0;

function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function numbersOf(area) {
  return area.parentElement.querySelector(".numbers");
}

function drawNumbers(area, problems) {
  const wrong = new Map();
  for (const problem of problems) {
    wrong.set(problem.line, `${wrong.get(problem.line) || ""}${problem.line}:${problem.column}: ${problem.message}\n`);
  }
  const lines = area.value.split("\n").length;
  const drawn = document.createDocumentFragment();
  for (let line = 1; line <= lines; line += 1) {
    const number = make("div", String(line), wrong.has(line) ? "wrong" : "");
    if (wrong.has(line)) number.title = wrong.get(line);
    drawn.append(number);
  }
  numbersOf(area).replaceChildren(drawn);
  numbersOf(area).scrollTop = area.scrollTop;
}

function goTo(area, problem) {
  const lines = area.value.split("\n");
  let start = 0;
  for (let line = 1; line < problem.line && line <= lines.length; line += 1) start += lines[line - 1].length + 1;
  // Columns count characters, the text area counts UTF-16 units.
  const written = Array.from(lines[problem.line - 1] || "");
  const before = written.slice(0, problem.column - 1).join("").length;
  const length = written.slice(problem.column - 1, problem.column - 1 + problem.length).join("").length;
  area.focus();
  area.setSelectionRange(start + before, start + before + length);
  area.scrollTop = Math.max(0, (problem.line - 4) * parseFloat(getComputedStyle(area).lineHeight));
}

function drawProblems(area, problems, what) {
  drawNumbers(area, problems);
  area.setAttribute("aria-invalid", problems.some((each) => each.severity === "error") ? "true" : "false");
  const title = byId(`${area.id}-problems-title`);
  title.textContent = problems.length ? `${problems.length} ${problems.length === 1 ? "problem" : "problems"} in the ${what}` : `No problems in the ${what}`;
  const list = byId(`${area.id}-problems`);
  list.replaceChildren();
  for (const problem of problems) {
    const item = make("li", undefined, problem.severity);
    const button = make("button", `${problem.line}:${problem.column}: ${problem.message}`);
    button.type = "button";
    button.addEventListener("click", () => goTo(area, problem));
    item.append(button, make("span", ` [${problem.code}]${problem.help ? ` ${problem.help}` : ""}`, "faint"));
    list.append(item);
  }
}

async function ask(run) {
  const answer = await fetch("v1/playground", {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${key.value}` },
    body: JSON.stringify({ rules: rules.value, events: events.value, run }),
  });
  const told = await answer.json();
  if (!answer.ok) throw new Error(`${told.title}${told.detail ? ` (${told.detail})` : ""}`);
  return told;
}

function say(text) {
  byId("status").textContent = text;
}

async function lint() {
  const mine = (asked += 1);
  try {
    const told = await ask(false);
    if (mine !== asked) return;
    drawProblems(rules, told.problems, "rules");
  } catch (error) {
    if (mine === asked) say(error.message);
  }
}

async function run() {
  clearTimeout(lintTimer);
  const mine = (asked += 1);
  byId("run").disabled = true;
  say("Playing…");
  try {
    const told = await ask(true);
    if (mine !== asked) return;
    drawProblems(rules, told.problems, "rules");
    drawProblems(events, told.event_problems, "events");
    draw(told);
  } catch (error) {
    if (mine === asked) say(error.message);
  } finally {
    byId("run").disabled = false;
  }
}

function draw(told) {
  const hasErrors = [...told.problems, ...told.event_problems].some((each) => each.severity === "error");
  byId("results").hidden = hasErrors;
  if (hasErrors) {
    say("Nothing was played: there are problems.");
    return;
  }
  const decisions = told.steps.flatMap((step) => step.decisions);
  const granted = decisions.filter((each) => each.granted).length;
  say(`${told.steps.length} ${told.steps.length === 1 ? "event" : "events"}: ${granted} granted, ${decisions.length - granted} denied.${told.cut_short ? ` ${told.cut_short}.` : ""}`);
  drawTests(told.tests);
  byId("steps").replaceChildren(...told.steps.map(drawStep));
  byId("partners").replaceChildren(...told.partners.map(drawPartner));
  byId("partners-title").hidden = told.partners.length === 0;
}

function drawTests(tests) {
  const place = byId("tests");
  place.replaceChildren();
  if (!tests || tests.tests.length === 0) return;
  const wrong = tests.tests.filter((each) => each.verdict !== "pass");
  const words = `Tests in the file: ${tests.passed} passed, ${tests.failed} failed, ${tests.errors} could not be run`;
  place.append(make("p", words, wrong.length ? "denied" : "granted"));
  for (const each of wrong) {
    const why = each.error || `expected ${each.expected.join(", ") || "nothing"}, got ${each.got.join(", ") || "nothing"}`;
    place.append(make("p", `line ${each.line}: ${each.name}: ${why}`));
  }
}

function amountOf(decision) {
  if (decision.amount_minor === null || decision.unit === null) return "";
  const decimals = decision.decimals === null ? (/^[A-Z]{3}$/.test(decision.unit) ? currencyDecimals(decision.unit) : 0) : decision.decimals;
  const digits = String(Math.abs(decision.amount_minor)).padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals);
  const part = decimals ? `.${digits.slice(digits.length - decimals)}` : "";
  return `${decision.amount_minor < 0 ? "−" : ""}${whole}${part} ${decision.unit}`;
}

function currencyDecimals(code) {
  try {
    return new Intl.NumberFormat("en", { style: "currency", currency: code }).resolvedOptions().maximumFractionDigits;
  } catch {
    return 0;
  }
}

function drawStep(step) {
  const item = make("li");
  const head = make("p");
  head.append(make("strong", step.event.type), make("span", ` ${step.event.id}, ${step.event.time}, ${step.event.partner || "no partner"}`, "faint"));
  item.append(head);
  if (step.problem) item.append(make("p", `into the dead-letter queue: ${step.problem}`, "denied"));
  if (!step.problem && step.decisions.length === 0) item.append(make("p", "No rule had anything to say.", "faint"));
  item.append(...step.decisions.map(drawDecision));
  if (step.tier) item.append(make("p", `Tier after it: ${step.tier}`, "faint"));
  return item;
}

function drawDecision(decision) {
  const box = make("details");
  box.open = !decision.granted;
  const summary = make("summary");
  summary.append(make("span", decision.granted ? "granted" : "denied", `verdict ${decision.granted ? "granted" : "denied"}`));
  const amount = amountOf(decision);
  const moved = decision.tier_to ? `: ${decision.tier || "none"} → ${decision.tier_to}` : "";
  summary.append(` ${decision.rule}${moved}${amount ? `: ${amount} to ${decision.beneficiary}` : ""}`);
  if (decision.reason) summary.append(make("span", ` because: ${decision.reason}`, "faint"));
  box.append(summary);
  const facts = [
    decision.tier && !decision.tier_to ? `tier used: ${decision.tier}` : "",
    decision.percent_ppm !== null ? `${decision.percent_ppm / 10000} %` : "",
    decision.clamped_minor ? `a ceiling took off ${amountOf({ ...decision, amount_minor: decision.clamped_minor })}` : "",
    decision.available_at ? `on hold until ${decision.available_at}` : "",
    decision.expires_at ? `expires at ${decision.expires_at}` : "",
    decision.takes_back ? `takes back from ${decision.takes_back}` : "",
  ].filter(Boolean);
  if (facts.length) box.append(make("p", facts.join(" · ")));
  if (decision.trace.length) box.append(table(["condition", "saw", "verdict", "part"], decision.trace, (cell, line, name) => {
    if (name === "verdict") cell.className = { met: "granted", "not met": "denied" }[line.verdict] || "unknown";
  }));
  return box;
}

function drawPartner(partner) {
  const box = make("div");
  box.append(make("h4", `${partner.partner}${partner.tier ? `: ${partner.tier}` : ""}`));
  if (partner.metrics.length) box.append(table(["metric", "customer", "value"], partner.metrics));
  return box;
}

function table(names, rows, decorate) {
  const made = make("table");
  const head = make("tr");
  for (const name of names) {
    const cell = make("th", name);
    cell.scope = "col";
    head.append(cell);
  }
  const top = make("thead");
  top.append(head);
  const body = make("tbody");
  for (const row of rows) {
    const line = make("tr");
    for (const name of names) {
      const cell = make("td", String(row[name] ?? ""));
      if (decorate) decorate(cell, row, name);
      line.append(cell);
    }
    body.append(line);
  }
  made.append(top, body);
  const scroll = make("div", undefined, "scroll");
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", names.join(", "));
  scroll.append(made);
  return scroll;
}

function choose(name) {
  const sample = samples.find((each) => each.name === name);
  if (!sample) return;
  rules.value = sample.rules;
  events.value = sample.events;
  byId("results").hidden = true;
  say("");
  drawProblems(rules, [], "rules");
  drawProblems(events, [], "events");
}

function takeKey() {
  // Behind the #, so that no server and no log ever sees it; taken out of the address at once.
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given) {
    key.value = given;
    history.replaceState(null, "", location.pathname);
  }
}

async function start() {
  takeKey();
  for (const area of [rules, events]) {
    area.addEventListener("scroll", () => { numbersOf(area).scrollTop = area.scrollTop; });
    area.addEventListener("input", () => {
      drawNumbers(area, []);
      clearTimeout(lintTimer);
      if (area === rules && key.value) lintTimer = setTimeout(lint, LINT_AFTER_MS);
    });
  }
  byId("form").addEventListener("submit", (event) => { event.preventDefault(); run(); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); run(); }
  });
  byId("sample").addEventListener("change", (event) => choose(event.target.value));
  const answer = await fetch("v1/playground/samples");
  samples = (await answer.json()).samples;
  byId("sample").append(...samples.map((each) => {
    const option = make("option", each.title);
    option.value = each.name;
    return option;
  }));
  if (samples.length) choose(samples[0].name);
  document.documentElement.dataset.ready = "yes";
}

start();
