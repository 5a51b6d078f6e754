// The page reads without this script; with it rows can be searched, sorted and filtered.
"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
const number = n => n.toLocaleString("en-US");
const SVG = "http://www.w3.org/2000/svg";
const CHUNK = 20;

function make(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function draw(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// Lines may break inside words that are too long for a phone; see `breakable`.
function breakable(text) {
  const whole = document.createDocumentFragment();
  for (const word of String(text).split(/(\s+)/)) {
    const pieces = word.length > 20 ? word.match(/.{1,14}?[_/.,:;=&?|-]+|.{1,14}/gu) : [word];
    pieces.forEach((piece, i) => whole.append(...(i ? [make("wbr"), piece] : [piece])));
  }
  return whole;
}

// ------------------------------------------------------------------- copy buttons

function copyText(text, button) {
  const done = () => {
    button.textContent = "copied";
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  };
  const byHand = () => {
    const area = make("textarea", {"aria-hidden": "true", class: "off-page"});
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
    done();
  };
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, byHand);
  else byHand();
}

for (const place of document.querySelectorAll(".copy")) {
  const button = make("button", {type: "button", class: "copy-button", "aria-live": "polite"}, "copy");
  button.addEventListener("click", () => copyText(place.dataset.text || place.textContent.trim(), button));
  if (place.tagName === "PRE") {
    place.dataset.text = place.textContent.trim();
    place.prepend(button);
  } else place.after(" ", button);
}

// ------------------------------------------------------------------ the threshold

function share(part, whole) {
  const percent = 100 * part / whole;
  return (percent >= 10 || percent === 0 ? percent.toFixed(0) : Number(percent.toPrecision(2))) + " %";
}

function cutSentence(at) {
  const cuts = data.cuts, n = cuts.counts[at];
  let text = `A threshold of ${cuts.scores[at]} flags ${number(n)} of ${number(cuts.n)} ${data.things} (${share(n, cuts.n)})`;
  if (cuts.hits) {
    const hits = cuts.hits[at], labelled = cuts.labelled[at];
    text += labelled ? `; ${share(hits, labelled)} of those with a label are anomalies (precision)` : "; none of those has a label";
    text += `, and ${share(hits, cuts.anomalies)} of the labelled anomalies are among them (recall)`;
  }
  return text + ".";
}

function startSlider() {
  const slider = $("cut"), cuts = data.cuts;
  if (!slider) return;
  let at = cuts.start;
  const show = () => {
    const moved = at !== cuts.start;
    slider.value = cuts.places[at];
    const says = cutSentence(at);
    $("cut-says").textContent = says;
    slider.setAttribute("aria-valuetext", says);
    $("cut-apply").hidden = !moved;
    $("cut-how").hidden = cuts.shares[at] === null;
    $("cut-command").textContent = `--contamination ${cuts.shares[at]}`;
    $("would").hidden = !moved;
    $("would").style.left = cuts.places[at] + "%";
  };
  const go = place => { at = Math.max(0, Math.min(cuts.places.length - 1, place)); show(); };
  // The slider has the axis of the chart, and stops at the nearest threshold.
  slider.addEventListener("input", () => {
    const off = cuts.places.map(place => Math.abs(place - slider.value));
    go(off.indexOf(Math.min(...off)));
  });
  slider.addEventListener("keydown", event => {
    const n = cuts.places.length, steps = {ArrowLeft: 1, ArrowDown: 1, ArrowRight: -1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: n, End: -n};
    if (!(event.key in steps)) return;
    event.preventDefault();
    go(at + steps[event.key]);
  });
  $("cut-back").addEventListener("click", () => { go(cuts.start); slider.focus(); });
  show();
}
startSlider();

// ----------------------------------------------------------------------- the time

function momentText(seconds, step) {
  const moment = new Date(1000 * seconds);
  if (isNaN(moment)) return `${seconds} s`;
  const text = moment.toISOString().replace("T", " ").replace("Z", "");
  return step >= 86400 ? text.slice(0, 10) : step >= 60 ? text.slice(0, 16) : step >= 1 ? text.slice(0, 19) : text;
}

function startTime() {
  const chart = $("time"), time = data.time;
  if (!chart || !time) return;
  const n = time.counts.length, says = $("time-says"), whole = says.textContent;
  let at = -1;
  const show = place => {
    at = Math.max(0, Math.min(n - 1, place));
    const from = time.start + at * time.step;
    const score = time.highest[at];
    const odd = time.counts[at] ? `, ${number(time.counts[at])} flagged` : "";
    says.textContent = `${momentText(from, time.step)} to ${momentText(from + time.step, time.step)}: `
      + (score === null ? "no rows" : `highest score ${score}${odd}`);
    $("cursor").hidden = false;
    $("cursor").style.left = 100 * (at + 0.5) / n + "%";
  };
  const hide = () => { $("cursor").hidden = true; says.textContent = whole; };
  chart.addEventListener("pointermove", event => {
    const box = chart.getBoundingClientRect();
    show(Math.floor(n * (event.clientX - box.left) / box.width));
  });
  chart.addEventListener("pointerleave", hide);
  chart.addEventListener("blur", hide);
  chart.addEventListener("keydown", event => {
    const steps = {ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -n, End: n};
    if (event.target !== chart || !(event.key in steps)) return;
    event.preventDefault();
    show(at < 0 ? (event.key === "End" ? n - 1 : 0) : at + steps[event.key]);
  });
}
startTime();

// ----------------------------------------------------------------------- the rows

if (!data.rows || !data.rows.length) return;

const n = data.rows.length;
const scores = data.scores.split("\n");
const unpack = cells => {
  if (cells === null) return null;
  if (typeof cells === "string") return cells.split("\n");
  const words = cells[0].split("\n");
  return cells[1].map(place => words[place]);
};
const columns = data.columns.map(([name, cells, order]) => ({name, order, cells: unpack(cells)}));
const label = {a: "anomaly", n: "normal"};
const state = {query: "", reason: "", group: null, sort: "rank", reverse: false, shown: CHUNK};
const body = $("rows").tBodies[0];
let texts = null;

// "985000" finds $985,000.00: cells are searched with and without marks of thousands.
const unmarked = text => text.replace(/(\d)[.,'’\s](?=\d{3}(?!\d))/g, "$1");
function searchable(place) {
  texts ??= data.rows.map((row, i) => {
    const told = data.reasons[i].map(reason => data.words[reason[2]]);
    const cells = columns.map(c => c.cells ? c.cells[i] || "missing" : "");
    const text = [...cells, ...told].join("\n").toLowerCase();
    return text + "\n" + text.split("\n").map(unmarked).join("\n");
  });
  return texts[place];
}

function visible() {
  const words = state.query.toLowerCase().split(/\s+/).filter(Boolean);
  const inGroup = state.group === null ? null : new Set(data.groups[state.group]);
  const column = state.reason === "" ? null : Number(state.reason);
  const found = [];
  for (let i = 0; i < n; i++) {
    if (inGroup && !inGroup.has(i)) continue;
    if (column !== null && !data.reasons[i].some(reason => reason[0] === column)) continue;
    if (words.length && !words.every(word => searchable(i).includes(word))) continue;
    found.push(i);
  }
  return found.sort(comparison());
}

// Missing cells come last in either direction, equal ones by rank.
function comparison() {
  const sign = state.reverse ? -1 : 1;
  if (state.sort === "rank") return (a, b) => sign * (a - b);
  if (state.sort === "row") return (a, b) => sign * (data.rows[a] - data.rows[b]);
  const keys = sortKeys(columns[Number(state.sort)]);
  return (a, b) => {
    const [one, other] = [keys[a], keys[b]];
    if (one === null || other === null) return (one === null) - (other === null) || a - b;
    return one < other ? -sign : one > other ? sign : a - b;
  };
}

function sortKeys(column) {
  if (column.order === "n") return column.cells.map(c => c.trim() === "" || isNaN(c) ? null : Number(c));
  if (column.order === "t") return column.cells.map(c => c === "" ? null : c.toLowerCase());
  return data.rows.map((_, i) => column.order.slice(2 * i, 2 * i + 2)).map(c => c === "~~" ? null : c);
}

function stripOf(column, where, says) {
  if (!$("s" + column)) return make("span");
  const svg = draw("svg", {class: "strip", viewBox: "0 0 100 20", preserveAspectRatio: "none", role: "img", "aria-label": says});
  svg.append(draw("use", {href: "#s" + column, width: 100, height: 20}));
  if (where === "r") svg.append(draw("path", {class: "beyond", d: "M96 4l4.5 6l-4.5 6z"}));
  else if (where === "l") svg.append(draw("path", {class: "beyond", d: "M4 4l-4.5 6l4.5 6z"}));
  else if (Array.isArray(where)) svg.append(draw("rect", {class: "level", x: where[0].toFixed(1), width: (where[1] - where[0]).toFixed(1), y: 20, height: 3}));
  else if (where !== null) svg.append(draw("path", {class: "here", d: `M${where.toFixed(1)} -2V22`}));
  return svg;
}

function reasonOf([column, part, text, usual, where]) {
  const name = columns[column].name, percent = Math.round(100 * part);
  const says = data.words[usual];
  return make("li", {},
    make("span", {class: "what"}, make("span", {class: "col"}, breakable(name)), " ", make("span", {class: "val"}, breakable(data.words[text]))),
    stripOf(column, where, `${name}: ${data.words[text]}; ${says}`),
    make("span", {class: "usual"}, ...says.split(/(?<=[,;]) /).flatMap(bit => [make("span", {}, breakable(bit)), " "])),
    make("span", {class: "part", role: "img", "aria-label": `${percent} % of what makes this row odd`},
      make("i", {style: `width:${Math.round(100 * part / data.most)}%`}), make("b", {"aria-hidden": "true"}, `${percent} %`)));
}

function nameCell(i) {
  const ids = data.ids.slice(0, data.shown).filter(c => columns[c].cells);
  const cell = make("td", {role: "cell", class: "name"});
  for (const c of ids) cell.append(make("span", {class: "id", title: columns[c].name}, breakable(columns[c].cells[i])), " ");
  const line = data.lines ? `line ${data.lines[i]}` : "";
  if (ids.length) cell.append(make("span", {class: "soft"}, `row ${data.rows[i]}${line && ", " + line}`));
  else cell.append(make("span", {class: "id"}, String(data.rows[i])), " ", make("span", {class: "soft"}, line));
  const time = data.axis === null || !columns[data.axis].cells ? "" : columns[data.axis].cells[i];
  if (time) cell.append(" ", make("span", {class: "soft time"}, breakable(time)));
  return cell;
}

function scoreCell(i) {
  const cell = make("td", {role: "cell", class: "score"}, make("span", {}, scores[i]),
    make("span", {class: "meter", "aria-hidden": "true"}, make("i", {style: `width:${data.widths[i]}%`})));
  if (i >= data.flagged) cell.append(make("span", {class: "badge"}, "not flagged"), " ");
  const truth = label[data.labels[i]];
  if (truth) cell.append(make("span", {class: "badge " + truth}, "label: " + truth));
  return cell;
}

function rowOf(i) {
  const reasons = data.reasons[i].map(reasonOf);
  if (!reasons.length) reasons.push(make("li", {class: "soft"}, "no column stands out by itself"));
  const values = make("details", {}, make("summary", {}, "all values of row " + data.rows[i]), make("dl", {class: "values"}));
  return make("tr", {role: "row", "data-row": data.rows[i], ...(i < data.flagged ? {class: "is-odd"} : {})},
    make("td", {role: "cell", class: "rank"}, String(i + 1)), nameCell(i), scoreCell(i),
    make("td", {role: "cell", class: "why"}, make("ul", {class: "reasons"}, ...reasons), values));
}

// All columns, identifiers first, are filled in when a row is opened.
function fill(details) {
  const list = details.querySelector(".values");
  const row = details.closest("tr");
  if (!list || !row || list.dataset.full) return;
  const i = data.rows.indexOf(Number(row.dataset.row));
  const order = [...new Set([...data.ids, ...columns.keys()])].filter(c => columns[c].cells);
  list.replaceChildren(...order.map(c => make("div", {}, make("dt", {}, breakable(columns[c].name)),
    make("dd", columns[c].cells[i] === "" ? {class: "soft"} : {}, columns[c].cells[i] === "" ? "empty" : breakable(columns[c].cells[i])))));
  list.dataset.full = "yes";
}
$("rows").addEventListener("toggle", event => { if (event.target.open) fill(event.target); }, true);

function groupText() {
  const button = document.querySelector(`.group[data-group="${state.group}"] span`);
  return button ? button.textContent : "";
}

function show() {
  const found = visible();
  body.replaceChildren(...found.slice(0, state.shown).map(rowOf));
  say(found.length);
}

function say(count) {
  const filtered = state.query || state.reason !== "" || state.group !== null;
  const shown = Math.min(count, state.shown);
  const of = filtered ? `${number(count)} of the ${number(n)} listed rows match` : `${number(n)} rows`;
  const group = state.group === null ? "" : `: ${groupText()}`;
  $("count").textContent = count ? `${of}${group}; showing ${shown === count ? "all" : "the first " + number(shown)}.` : `No listed row matches${group}.`;
  $("clear").hidden = !filtered;
  $("more").hidden = shown === count;
  $("more-rows").textContent = `show ${number(Math.min(50, count - shown))} more`;
  $("all-rows").textContent = `show all ${number(count)}`;
  for (const button of document.querySelectorAll("[data-group]"))
    button.setAttribute("aria-pressed", String(Number(button.dataset.group) === state.group));
}

function change(values) {
  Object.assign(state, {shown: CHUNK}, values);
  show();
}

function startControls() {
  const causes = new Map();
  for (const reasons of data.reasons) for (const [column] of reasons) causes.set(column, (causes.get(column) || 0) + 1);
  for (const [column, count] of [...causes].sort((a, b) => b[1] - a[1]))
    $("reason").append(make("option", {value: column}, `${columns[column].name} (${number(count)})`));
  $("sort").append(make("option", {value: "rank"}, "score"), make("option", {value: "row"}, "row"));
  const moment = data.time ? columns.findIndex(column => column.name === data.time.column) : -1;
  if (moment >= 0 && columns[moment].cells) $("sort").append(make("option", {value: moment}, `time (${columns[moment].name})`));
  columns.forEach((column, place) => {
    if (place !== moment && column.cells) $("sort").append(make("option", {value: place}, column.name));
  });
  $("controls").addEventListener("submit", event => event.preventDefault());
  $("search").addEventListener("input", event => change({query: event.target.value}));
  $("reason").addEventListener("change", event => change({reason: event.target.value}));
  $("sort").addEventListener("change", event => change({sort: event.target.value}));
  $("direction").addEventListener("click", event => {
    event.target.setAttribute("aria-pressed", String(!state.reverse));
    change({reverse: !state.reverse});
  });
  $("clear").addEventListener("click", () => {
    $("search").value = $("reason").value = "";
    change({query: "", reason: "", group: null});
    $("search").focus();
  });
  $("more-rows").addEventListener("click", () => grow(50));
  $("all-rows").addEventListener("click", () => grow(n));
  for (const button of document.querySelectorAll("[data-group]")) button.addEventListener("click", () => {
    const group = Number(button.dataset.group);
    const same = state.group === group;
    change({group: same ? null : group});
    if (!same) toRows();
  });
}

// Rows are added, not drawn again, and the first new one is where the reader goes on.
function grow(by) {
  const found = visible(), before = state.shown;
  state.shown = Math.min(found.length, before + by);
  body.append(...found.slice(before, state.shown).map(rowOf));
  say(found.length);
  const first = body.rows[before];
  if (first) first.querySelector("summary").focus({preventScroll: true});
}

function toRows() {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  $("h-top").scrollIntoView({behavior: calm ? "auto" : "smooth", block: "start"});
  $("h-top").focus({preventScroll: true});
}

startControls();
state.shown = body.rows.length;
say(n);
})();
