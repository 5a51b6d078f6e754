// The labelling page. The server holds all state; this file shows it and sends answers.
// An answer shows at once, from the questions that the server prepared ahead, and is
// sent in order behind that; a failure brings the question back.
"use strict";

const KEYS = { a: "anomaly", n: "normal", u: "unsure", s: "skip" };
const WORDS = { anomaly: "anomaly", normal: "normal", unsure: "can’t tell", skip: "skip" };
const THING = document.body.dataset.kind === "picture" ? "picture" : "row";
const SVG = ["svg", "path", "rect"];
const $ = (id) => document.getElementById(id);

let state = null; // what the server said last
let queue = []; // questions that are ready, the next one first
let current = null; // the one on the page
let opened = false; // whether the user chose it
let saving = Promise.resolve(); // requests, one after another
let generation = 0; // a failure makes what was waiting void
let undoing = 0; // undos under way; what is pressed meanwhile comes after them
const later = [];
let finished = ""; // what it said last about the writing
let drawn = ""; // what the list of decisions shows
const pending = new Map(); // answers that are not confirmed yet

// ------------------------------------------------------------------- small tools

function el(name, attributes = {}, ...children) {
  const node = SVG.includes(name)
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

function width(node, percent, left = null) {
  // Through the object model: the page's policy forbids style attributes.
  node.style.width = `${percent}%`;
  if (left !== null) node.style.left = `${left}%`;
  return node;
}

// A path may break after its folders, rather than anywhere.
const path = (name) => name.split(/(?<=\/)/).flatMap((part) => [part, el("wbr")]).slice(0, -1);

const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
const say = (text) => { $("said").textContent = text; };

function complain(text) {
  $("alert").textContent = text;
  $("alert").hidden = !text;
}

async function talk(method, path, body = null, headers = {}) {
  let reply;
  try {
    reply = await fetch(path, { method, body, headers });
  } catch {
    throw new Error(`The server does not answer${method === "GET" ? "" : ", so this was not saved"}. ` +
      "Run the same command again and open the address that it prints.");
  }
  const data = await reply.json().catch(() => ({}));
  if (!reply.ok) throw new Error(data.error || `the server refused (${reply.status})`);
  return data;
}

const post = (path, values) =>
  talk("POST", path, JSON.stringify(values), { "Content-Type": "application/json" });

function inOrder(work) {
  const mine = generation;
  saving = saving
    .then(() => (mine === generation ? work() : null))
    .then((data) => { if (data) { complain(""); update(data); } })
    .catch((error) => recover(error));
  return saving;
}

async function recover(error) {
  generation += 1;
  const [lost] = pending.values();
  pending.clear();
  drawn = ""; // a choice in the list that was refused goes back
  complain(error.message);
  try {
    update(await talk("GET", "/api/state"));
  } catch { /* the first message says what to do */ }
  if (lost) {
    opened = false;
    show(queue.find((question) => question.id === lost.id) || lost);
  }
}

// ------------------------------------------------------------------- the question

function show(question, byUser = false) {
  current = question;
  opened = byUser && question !== null;
  $("back").hidden = !opened;
  const parts = [];
  if (question === null) {
    $("asked").textContent = "";
    $("name").textContent = idleTitle();
    $("note").textContent = idleText();
  } else {
    $("asked").textContent = askedText(question);
    $("name").textContent = question.name;
    $("note").textContent = question.note || "";
    if (question.picture) parts.push(picture(question));
    if (question.reasons) parts.push(reasons(question.reasons));
    if (question.values.length) parts.push(values(question));
    if (question.neighbours.length) parts.push(neighbours(question.neighbours));
  }
  $("shown").replaceChildren(...parts);
  for (const button of document.querySelectorAll("[data-answer]"))
    button.disabled = question === null;
}

function idleTitle() {
  if (!state) return "…";
  if (state.left === 0) return "The budget is used up";
  return state.open === 0 ? `Every ${THING} has an answer` : "The next questions are on their way";
}

function idleText() {
  if (!state || (state.left > 0 && state.open > 0)) return "";
  return "Finish writes the labels, the model and the report. Every decision can still be " +
    `changed in the list, and any ${THING} can be found and labelled.`;
}

function askedText(question) {
  const rank = `rank ${question.rank.toLocaleString("en")} of ${state.n_rows.toLocaleString("en")}`;
  const known = question.answer ? `now: ${WORDS[question.answer]}` : "";
  return [question.why || "found by you", `detector score ${question.score}, ${rank}`, known].filter(Boolean).join(" · ");
}

function picture(question) {
  const seen = el("img", { src: question.picture, alt: question.name, class: question.sharp ? "sharp" : null });
  const box = el("div", { class: "large", id: "large" }, seen);
  if (!question.heat) return el("div", {}, box); // it cannot be explained: the note says why
  box.append(
    el("img", { src: question.heat, alt: "", class: "heat" }));
  box.classList.toggle("calm-heat", !showsHeat);
  const button = el("button", { type: "button", id: "heat-key", "aria-pressed": showsHeat,
    "aria-keyshortcuts": "H", onclick: toggleHeat }, el("kbd", {}, "H"), " heat map");
  return el("div", {}, box, el("p", { class: "hint" }, button,
    ` The detector looks at ${question.place}.`));
}

let showsHeat = false;
function toggleHeat() {
  showsHeat = !showsHeat;
  $("large")?.classList.toggle("calm-heat", !showsHeat);
  $("heat-key")?.setAttribute("aria-pressed", showsHeat);
}

function reasons(list) {
  if (!list.length) return el("p", { class: "soft" }, "No column stands out by itself.");
  return el("ul", { class: "reasons", "aria-label": "What makes it odd" }, ...list.map(reason));
}

function reason(one) {
  const bar = width(el("i"), one.width);
  return el("li", {},
    el("span", {}, el("span", { class: "col" }, one.column), " ", el("span", { class: "val" }, one.text)),
    strip(one),
    el("span", { class: "usual" }, one.usual),
    el("span", { class: "part", role: "img", "aria-label": `${one.share} % of what makes it odd` },
      bar, el("b", { "aria-hidden": "true" }, `${one.share} %`)));
}

function strip(one) {
  const svg = el("svg", { class: "strip", viewBox: "0 0 100 20", preserveAspectRatio: "none",
    role: "img", "aria-label": `${one.column}: ${one.text}; ${one.usual}` });
  const chart = one.chart;
  if (chart.band) svg.append(el("rect", { class: "band", x: chart.band[0], y: 0, height: 20,
    width: Math.max(chart.band[1] - chart.band[0], 0.8) }));
  svg.append(el("path", { class: "shape", d: chart.path }), el("path", { class: "base", d: "M0 20H100" }));
  const arrow = { right: "M96 4l4.5 6l-4.5 6z", left: "M4 4l-4.5 6l4.5 6z" }[one.beyond];
  if (arrow) svg.append(el("path", { class: "beyond", d: arrow }));
  else if (one.mark !== null) svg.append(el("path", { class: "here", d: `M${one.mark} -2V22` }));
  else if (one.bar) svg.append(el("rect", { class: "level", x: one.bar[0], y: 20, height: 3,
    width: one.bar[1] - one.bar[0] }));
  return svg;
}

function values(question) {
  const title = question.reasons?.length ? "The other columns" : "All columns";
  return el("div", {}, el("h2", {}, title), el("dl", { class: "values" },
    ...question.values.map(([name, text]) => el("div", {}, el("dt", {}, name), el("dd", {}, text)))));
}

function neighbours(list) {
  return el("div", {}, el("h2", {}, `Nearest labelled ${THING}s`),
    el("ul", { class: `near ${THING}s` }, ...list.map((one) => el("li", {},
      one.picture ? el("img", { src: one.picture, alt: "", class: one.sharp ? "sharp" : null }) : null,
      el("span", { class: `tag ${one.answer}` }, WORDS[one.answer]), " ", one.name,
      one.text ? el("span", { class: "soft" }, one.text) : null))));
}

// -------------------------------------------------------------------- the answers

function act(work) {
  if (undoing) later.push(work);
  else work();
}

function answer(word) {
  if (current === null) return;
  const item = current;
  pending.set(item.id, { ...item, word });
  queue = queue.filter((question) => !pending.has(question.id));
  show(queue[0] || null);
  showWaiting();
  scrollTo({ top: 0 });
  say(`${item.name}: ${WORDS[word]}. ` + (current ? `${current.name}, ${current.why}` : $("name").textContent));
  inOrder(async () => {
    const data = await post("/api/answer", { id: item.id, answer: word, seen: item.seen });
    pending.delete(item.id);
    return data;
  });
}

function undo(n = 1) {
  undoing += 1;
  inOrder(async () => {
    const data = await post("/api/undo", { n, last: state.last });
    if (data.question) {
      state = data.state;
      show(data.question, true);
      say(`${plural(n, "decision")} undone. ${data.question.name}`);
    }
    return data;
  }).then(() => {
    undoing -= 1;
    while (!undoing && later.length) later.shift()();
  });
}

function relabel(decision, word) {
  inOrder(async () => {
    const data = await post("/api/answer", { id: decision.id, answer: word, seen: decision.seq });
    say(`${decision.name}: ${WORDS[word]}`);
    return data;
  });
}

async function open(id) {
  try {
    const data = await talk("GET", `/api/question/${id}`);
    show(data.question, true);
    for (const box of document.querySelectorAll("dialog[open]")) box.close();
    scrollTo({ top: 0 });
    $("name").focus();
  } catch (error) { complain(error.message); }
}

function back() {
  show(queue[0] || null);
  $("name").focus();
}

// ----------------------------------------------------------------------- progress

function update(data) {
  state = data.state;
  queue = data.queue.filter((question) => !pending.has(question.id));
  const same = current && queue.find((question) => question.id === current.id);
  if (!opened && !same) show(queue[0] || null);
  const n = state.used;
  $("done").textContent = `${n.toLocaleString("en")} of ${state.budget.toLocaleString("en")} questions`;
  $("bar").max = state.budget;
  $("bar").value = n;
  $("bar").setAttribute("aria-valuetext", `${n} of ${state.budget}, ${state.left} left`);
  showCounts();
  plot($("found"), state.found, "anomalies found against questions");
  $("found-text").textContent = state.found.text;
  showRatio();
  plot($("quality"), state.quality, "quality of the detector against questions");
  $("quality-text").textContent = state.quality.text;
  showDecisions();
  $("check").hidden = !state.conflicts.length;
  fill($("conflicts"), ...state.conflicts.map((one) => entry(one)));
  showAgreement();
  showFinish();
}

function showCounts() {
  const names = { anomaly: "anomalies", normal: "normal", unsure: "can’t tell", skip: "skipped" };
  $("counts").replaceChildren(...Object.entries(names).map(([key, name]) =>
    el("div", {}, el("dd", { class: key }, String(state.counts[key])), el("dt", {}, name))));
  $("model").textContent = state.model;
  $("undo").disabled = !state.decisions.length && !pending.size;
}

function plot(box, chart, label) {
  if (!chart.path) return box.replaceChildren();
  box.setAttribute("aria-label", `${label}: ${chart.text}`);
  const svg = el("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", "aria-hidden": "true" });
  if (chart.band) svg.append(el("path", { class: "unknown", d: chart.band }));
  if (chart.list) svg.append(el("path", { class: "list", d: chart.list }));
  svg.append(el("path", { d: chart.path }));
  box.replaceChildren(svg, ...["x0", "x1", "y0", "y1"].map((name) =>
    el("span", { class: name }, chart[name])));
}

function showRatio() {
  const ratio = state.ratio;
  $("ratio-text").textContent = ratio.text;
  if (ratio.high === null) return $("ratio").replaceChildren();
  const scale = 100 / ratio.scale;
  const mark = el("b");
  mark.style.left = `${scale * ratio.estimate}%`;
  $("ratio").setAttribute("aria-label", ratio.text);
  $("ratio").replaceChildren(
    width(el("i"), scale * (ratio.high - ratio.low), scale * ratio.low), mark);
}

function showAgreement() {
  const list = state.agreement;
  $("agreement").hidden = $("agreement-link").hidden = !list.length;
  $("agreements").replaceChildren(...list.map((one) => el("div", {},
    el("p", { class: "hint" }, one.text), crossTable(one))));
}

function crossTable(one) {
  const names = one.words.map((word) => el("th", { scope: "col" }, WORDS[word]));
  const rows = one.words.map((word, i) => el("tr", {}, el("th", { scope: "row" }, WORDS[word]),
    ...one.counts[i].map((n, j) => el("td", { class: n && i !== j ? "differ" : null }, String(n)))));
  return el("table", { class: "cross" },
    el("caption", {}, `down: ${one.side}; across: ${one.top}`),
    el("tr", {}, el("td"), ...names), ...rows);
}

function showWaiting() {
  // Apart from the list that it goes to: this is drawn before the next question shows.
  $("waiting").replaceChildren(...[...pending.values()].reverse().map((item) => el("li", {},
    el("span", { class: "pending" }, item.name),
    el("span", { class: `tag ${item.word}` }, WORDS[item.word]), el("span", { class: "soft" }, "…"))));
}

function showDecisions() {
  showWaiting();
  const shown = JSON.stringify(state.decisions);
  if (shown === drawn) return; // a list that is drawn anew closes its open menu
  drawn = shown;
  fill($("decisions"), ...state.decisions.map((decision, index) => entry(decision, index)));
  $("no-decisions").hidden = state.decisions.length > 0;
}

function fill(list, ...items) {
  // The lists are drawn anew with every reply; who is inside one stays there.
  const inside = list.contains(document.activeElement);
  const label = inside && document.activeElement.getAttribute("aria-label");
  list.replaceChildren(...items);
  if (label) list.querySelector(`[aria-label="${CSS.escape(label)}"]`)?.focus();
}

function entry(one, index = null) {
  const name = el("button", { type: "button", class: "open", "aria-label": `open ${one.name}`,
    onclick: () => open(one.id) }, ...path(one.name));
  const select = el("select", { "aria-label": `answer for ${one.name}`,
    onchange: (event) => relabel(one, event.target.value) },
  one.answer in WORDS ? null : el("option", { value: "", selected: true, disabled: true }, "which?"),
  ...Object.entries(WORDS).map(([key, word]) => el("option", { value: key, selected: key === one.answer }, word)));
  // Only answers that the log has in this order can be undone from here.
  const undoable = index !== null && one.depth > 0;
  const to = undoable ? el("button", { type: "button", class: "back", title: "undo back to here",
    "aria-label": `undo ${plural(one.depth, "decision")}, back to ${one.name}`,
    onclick: () => act(() => undo(one.depth)) }, "↶") : null;
  const text = one.text ? el("span", { class: "text" }, one.text) : null;
  return el("li", {}, name, select, to, text);
}

function showFinish() {
  const finish = state.finish;
  $("finish").disabled = finish.running;
  if (finish.text === finished) return; // read aloud once, and no other message goes
  finished = finish.text;
  $("finished").textContent = finished;
}

// -------------------------------------------------------------------- finding rows

async function search() {
  const query = new URLSearchParams({ q: $("query").value, show: $("filter").value });
  try {
    const data = await talk("GET", `/api/rows?${query}`);
    $("hits").textContent = data.text;
    $("results").replaceChildren(...data.rows.map((one) => el("li", {},
      el("button", { type: "button", class: "open", onclick: () => open(one.id) }, ...path(one.name)),
      el("span", { class: `tag ${one.answer}` }, WORDS[one.answer] || one.answer || ""),
      el("span", { class: "soft" }, `score ${one.score}`),
      one.text ? el("span", { class: "text" }, one.text) : null)));
  } catch (error) {
    $("hits").textContent = error.message;
    $("results").replaceChildren(); // the list of an earlier search answers no other one
  }
}

let typing = 0;
function searchSoon() {
  clearTimeout(typing);
  typing = setTimeout(search, 120);
}

function find() {
  $("find-box").showModal();
  $("query").focus();
  $("query").select();
  search();
}

// ------------------------------------------------------------------ in and out

function load(event) {
  const [file] = event.target.files;
  if (!file) return;
  inOrder(async () => {
    const data = await talk("POST", `/api/import?name=${encodeURIComponent(file.name)}`, file,
      { "Content-Type": "application/octet-stream" });
    say(data.text);
    $("finished").textContent = data.text;
    return data;
  });
  event.target.value = "";
}

function finish() {
  // What is said next shows in any case, also where it is the same failure again.
  finished = "Writing the labels, the model and the report …";
  $("finished").textContent = finished;
  inOrder(() => post("/api/finish", {}));
}

async function watch() {
  // Another tab, a new model or the end of the writing: nothing of it waits for a key.
  const busy = !state || state.busy || !queue.length;
  await new Promise((done) => setTimeout(done, busy ? 700 : 4000));
  if (!pending.size && !document.hidden) {
    // In its turn, so that no older state comes after a newer one; messages stay.
    saving = saving.then(() => talk("GET", "/api/state")).then(update)
      .catch((error) => complain(error.message));
    await saving;
  }
  watch();
}

// ------------------------------------------------------------------------- keys

const ACTIONS = {
  z: () => act(undo), h: toggleHeat, f: find, q: back, "/": find,
  "?": () => $("help-box").showModal(),
};

function onKey(event) {
  // A dialog that has just closed may keep the focus until the next frame.
  const dialog = event.target.closest("dialog");
  const field = event.target.closest("input:not([type=checkbox]), select, textarea");
  const typed = dialog ? dialog.open : field;
  if (typed || event.ctrlKey || event.metaKey || event.altKey || !$("keys").checked) return;
  const key = event.key.toLowerCase();
  if (key in KEYS && !event.repeat) act(() => answer(KEYS[key]));
  else if (key in ACTIONS) ACTIONS[key]();
  else return;
  event.preventDefault();
}

document.addEventListener("keydown", onKey);
for (const button of document.querySelectorAll("[data-answer]"))
  button.addEventListener("click", () => act(() => answer(button.dataset.answer)));
$("undo").addEventListener("click", () => act(undo));
$("back").addEventListener("click", back);
$("help").addEventListener("click", ACTIONS["?"]);
$("find").addEventListener("click", find);
$("query").addEventListener("input", searchSoon);
$("filter").addEventListener("change", search);
$("import").addEventListener("change", load);
$("finish").addEventListener("click", finish);
inOrder(() => talk("GET", "/api/state")).then(watch);
