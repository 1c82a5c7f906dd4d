// The looks and the behaviour of an attention map, beside what all pages share.
#pragma once

namespace lintel::train {

/// The style sheet that `attention_map_html` adds to that of `html_page`.
inline constexpr const char* attention_map_style = R"css(
main { max-width: none; }
.controls { display: flex; flex-wrap: wrap; gap: 6px 22px; align-items: center; margin: 0 0 14px; color: var(--quiet);
  font-size: 13px; }
.controls label { cursor: pointer; color: var(--ink); }
.controls input { margin: 0 5px 0 0; vertical-align: -1px; accent-color: var(--first); }
.ramp { display: inline-block; width: 96px; height: 10px; border-radius: 3px; border: 1px solid var(--rule);
  vertical-align: -1px; margin: 0 5px; }
.reading { position: sticky; top: 0; z-index: 1; padding: 10px 18px 12px; margin-bottom: 16px; max-height: 40vh;
  overflow-y: auto; box-shadow: 0 6px 14px -12px #0008; }
.reading p { margin: 0 0 6px; font-size: 13px; color: var(--quiet); }
.reading p b { color: var(--ink); }
.reading div { display: grid; grid-template-columns: 64px 1fr; gap: 8px; margin-top: 4px; }
.reading div > b { font-size: 13px; font-weight: 600; line-height: 22px; }
.kernel b { color: var(--first); } .softmax b { color: var(--second); }
.line { font: 13px/22px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.line span { padding: 2px 1px; border-radius: 3px; }
.spaced .line span { padding: 2px 4px; margin-right: 2px; }
.line .query { outline: 1.5px solid var(--ink); }
.heads { display: flex; flex-wrap: wrap; gap: 16px; align-items: flex-start; }
.head { padding: 12px 16px; }
.head h2 { margin: 0 0 8px; }
.head h2 small { font-weight: 400; color: var(--quiet); margin-left: 10px; }
.pair { display: flex; gap: 10px; }
.pair figure { border: 0; padding: 0; max-width: none; }
.pair figcaption { font-size: 13px; white-space: nowrap; }
.pair small { font-weight: 400; font-size: 12px; color: var(--quiet); margin-left: 8px; }
canvas { display: block; cursor: crosshair; }
.tip { position: fixed; z-index: 2; pointer-events: none; background: var(--card); color: var(--ink); font-size: 13px;
  border: 1px solid var(--pale); border-radius: 8px; padding: 8px 12px; box-shadow: 0 8px 24px -10px #000a; }
.tip[hidden] { display: none; }
.tip table { width: auto; }
.tip th, .tip td { border: 0; padding: 1px 14px 1px 0; }
.tip td { text-align: right; padding-right: 0; }
.tip .here { font-weight: 700; }
)css";

/// The script of the page. It reads the JSON of the element `data` and needs nothing else.
inline constexpr const char* attention_map_script = R"js(
'use strict';
const data = JSON.parse(document.getElementById('data').textContent);
const labels = data.tokens, n = labels.length;
const kinds = data.heads[0].kernel ? ['kernel', 'softmax'] : ['softmax'];
const captions = {kernel: 'kernel: φ(q)·φ(k) / D', softmax: 'softmax of q·k / √d'};
const longestLabel = 96, barWidth = 24, gap = 5;

function decode(text) {
  const bytes = Uint8Array.from(atob(text), character => character.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

function element(tag, parent, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

/* A row's sum and largest weight, and what is told of a whole matrix. Keys that a query does not see have no part. */
function measured(weights) {
  const sums = new Float64Array(n), largest = new Float64Array(n);
  let entropy = 0, least = Infinity;
  for (let i = 0; i < n; ++i) {
    for (let j = 0; j < (data.causal ? i + 1 : n); ++j) {
      const weight = weights[i * n + j];
      sums[i] += weight;
      least = Math.min(least, weight);
      largest[i] = Math.max(largest[i], weight);
      if (weight > 0) entropy -= weight * Math.log(weight) / n;
    }
  }
  return {weights, sums, largest, least, peak: Math.max(...largest), keys: Math.exp(entropy)};
}

const heads = data.heads.map(head => {
  const matrices = {};
  for (const kind of kinds) matrices[kind] = measured(decode(head[kind]));
  return matrices;
});

function overlap(head) {
  let shared = 0;
  for (let i = 0; i < n * n; ++i) shared += Math.min(head.kernel.weights[i], head.softmax.weights[i]) / n;
  return shared;
}

/* Colours: from the card's through the kind's own to the ink's. */
let ramps, ink, quiet, rule, pale;
function channels(name) {
  const probe = element('i', document.body);
  probe.style.color = 'var(--' + name + ')';
  const found = getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number);
  probe.remove();
  return found;
}
function css(rgb) { return 'rgb(' + rgb.map(Math.round).join(',') + ')'; }
function blend(a, b, share) { return a.map((from, i) => from + (b[i] - from) * share); }
function readColours() {
  const card = channels('card'), inkChannels = channels('ink');
  ink = css(inkChannels), quiet = css(channels('quiet')), rule = css(channels('rule')), pale = css(channels('pale'));
  ramps = {};
  for (const [kind, name] of [['kernel', 'first'], ['softmax', 'second']]) {
    const own = channels(name), end = blend(own, inkChannels, 0.65);
    ramps[kind] = Array.from({length: 256}, (_, i) =>
      i < 160 ? blend(card, own, i / 160) : blend(own, end, (i - 160) / 95));
    const stops = [0, 64, 128, 192, 255].map(i => css(ramps[kind][i]));
    for (const ramp of document.querySelectorAll('.ramp.' + kind)) {
      ramp.style.background = 'linear-gradient(to right,' + stops.join(',') + ')';
    }
  }
}

let scale = 'range';
/* The place on the ramp is the square root of the place between the two ends, so that small weights show. */
function shade(matrix, i, weight) {
  const low = scale === 'range' ? matrix.least : 0;
  const high = scale === 'row' ? matrix.largest[i] : scale === 'one' ? 1 : matrix.peak;
  if (high <= low) return weight > 0 ? 128 : 0;
  return Math.round(255 * Math.sqrt(Math.max(0, Math.min(1, (weight - low) / (high - low)))));
}

/* Sizes: two heads beside each other where their labels stay legible, else one. */
let cell, fontSize, font, everyLabel, margin;
function layOut() {
  const context = document.createElement('canvas').getContext('2d');
  const family = 'px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace';
  context.font = 12 + family;
  const widest = Math.min(longestLabel, Math.max(...labels.map(label => context.measureText(label).width)));
  const available = document.getElementById('heads').clientWidth;
  for (const columns of [2, 1]) {
    const card = (available - 16 * (columns - 1)) / columns - 34;
    const room = (card - 10 * (kinds.length - 1)) / kinds.length - widest - barWidth - 3 * gap;
    cell = Math.max(3, Math.min(18, Math.floor(room / n)));
    if (cell >= 9) break;
  }
  fontSize = Math.max(8, Math.min(12, cell - 1));
  font = fontSize + family;
  everyLabel = Math.max(1, Math.ceil((fontSize + 1) / cell));
  margin = Math.ceil(widest * fontSize / 12) + gap + 1;
}

function paintImage(view) {
  const image = new ImageData(n, n), matrix = heads[view.head][view.kind];
  for (let i = 0; i < n; ++i) {
    for (let j = 0; j < n; ++j) {
      const colour = ramps[view.kind][shade(matrix, i, matrix.weights[i * n + j])];
      image.data.set([...colour.map(Math.round), 255], 4 * (i * n + j));
    }
  }
  view.image.getContext('2d').putImageData(image, 0, 0);
}

function paintLabels(context, at) {
  context.font = font;
  context.textBaseline = 'middle';
  for (let i = 0; i < n; ++i) {
    const isQuery = at && at.i === i, isKey = at && at.j === i;
    const near = hovered => at && hovered !== undefined && hovered !== i && Math.abs(hovered - i) < everyLabel;
    const place = margin + (i + 0.5) * cell;
    if (isQuery || (i % everyLabel === 0 && !near(at && at.i))) {
      context.fillStyle = isQuery ? ink : quiet;
      context.textAlign = 'right';
      context.fillText(labels[i], margin - gap, place, longestLabel);
    }
    if (isKey || (i % everyLabel === 0 && !near(at && at.j))) {
      context.save();
      context.translate(place, margin - gap);
      context.rotate(-Math.PI / 2);
      context.fillStyle = isKey ? ink : quiet;
      context.textAlign = 'left';
      context.fillText(labels[i], 0, 0, longestLabel);
      context.restore();
    }
  }
}

function paintSums(context, matrix) {
  const left = margin + n * cell + gap;
  context.fillStyle = pale;
  for (let i = 0; i < n; ++i) {
    const height = cell > 4 ? cell - 1 : cell;
    context.fillRect(left, margin + i * cell, Math.max(0, Math.min(1, matrix.sums[i])) * barWidth, height);
  }
  context.fillStyle = quiet;
  context.textAlign = 'left';
  context.textBaseline = 'alphabetic';
  context.font = '11px sans-serif';
  context.fillText('Σ', left, margin - gap);
}

function paint(view, at) {
  const context = view.canvas.getContext('2d'), ratio = window.devicePixelRatio || 1;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, view.width, view.height);
  context.imageSmoothingEnabled = false;
  context.drawImage(view.image, margin, margin, n * cell, n * cell);
  context.strokeStyle = rule;
  context.strokeRect(margin - 0.5, margin - 0.5, n * cell + 1, n * cell + 1);
  paintLabels(context, at);
  paintSums(context, heads[view.head][view.kind]);
  if (!at) return;
  context.strokeStyle = ink;
  context.strokeRect(margin - 0.5, margin + at.i * cell - 0.5, n * cell + 1, cell + 1);
  if (at.j === undefined) return;
  context.strokeRect(margin + at.j * cell - 0.5, margin - 0.5, cell + 1, n * cell + 1);
}

function resize(view) {
  const ratio = window.devicePixelRatio || 1;
  view.width = margin + n * cell + 2 * gap + barWidth;
  view.height = margin + n * cell + 1;
  view.canvas.width = Math.round(view.width * ratio);
  view.canvas.height = Math.round(view.height * ratio);
  view.canvas.style.width = view.width + 'px';
  view.canvas.style.height = view.height + 'px';
}

/* The text, as one query of one head reads it. */
const reading = document.getElementById('reading'), spans = {};
function buildReading() {
  if (data.spaced) reading.classList.add('spaced');
  element('p', reading);
  for (const kind of kinds) {
    const row = element('div', reading, kind);
    element('b', row, '', kind);
    const line = element('span', row, 'line');
    spans[kind] = labels.map(label => {
      const span = element('span', line, '', label);
      line.append(data.spaced ? ' ' : '\u200b');
      return span;
    });
  }
}
function lightness(rgb) { return 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]; }
function read(head, query) {
  const line = reading.querySelector('p');
  line.replaceChildren('What ', element('b', null, '', labels[query]), ' (token ' + query + ') reads in head ' + head +
    (data.causal ? ', of itself and the tokens before it' : ''));
  for (const kind of kinds) {
    const matrix = heads[head][kind];
    spans[kind].forEach((span, j) => {
      const colour = ramps[kind][shade(matrix, query, matrix.weights[query * n + j])];
      span.style.background = css(colour);
      span.style.color = lightness(colour) > 140 ? '#16181c' : '#f2f3f5';
      span.className = j === query ? 'query' : '';
    });
  }
}

const tip = document.getElementById('tip');
function number(weight) {
  return weight === 0 ? '0' : weight >= 0.001 ? weight.toFixed(4) : weight.toExponential(2);
}
function showTip(event, view, at) {
  tip.replaceChildren();
  element('div', tip, '', 'query ' + at.i + ': ' + labels[at.i]);
  if (at.j !== undefined) element('div', tip, '', 'key ' + at.j + ': ' + labels[at.j]);
  const table = element('table', tip);
  const row = (name, value, className) => {
    const line = element('tr', table, className);
    element('th', line, '', name);
    element('td', line, '', value);
  };
  for (const kind of kinds) {
    const matrix = heads[view.head][kind], hidden = data.causal && at.j > at.i;
    const className = kind === view.kind ? 'here' : '';
    if (at.j !== undefined) row(kind + ' weight', hidden ? 'not seen' : number(matrix.weights[at.i * n + at.j]), className);
    row(kind + ' row sum', number(matrix.sums[at.i]), className);
  }
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.min(event.clientX + 16, innerWidth - box.width - 8) + 'px';
  tip.style.top = (event.clientY + 18 + box.height > innerHeight ? event.clientY - box.height - 12 : event.clientY + 18) + 'px';
}

const views = [];
function cellAt(event, view) {
  const box = view.canvas.getBoundingClientRect();
  const i = Math.floor((event.clientY - box.top - margin) / cell), j = Math.floor((event.clientX - box.left - margin) / cell);
  if (i < 0 || i >= n || j < 0) return null;
  return j < n ? {i, j} : {i};
}
function point(event, view) {
  const at = cellAt(event, view);
  for (const other of views) if (other.head === view.head) paint(other, at);
  if (!at) { tip.hidden = true; return; }
  read(view.head, at.i);
  showTip(event, view, at);
}
function leave(view) {
  tip.hidden = true;
  for (const other of views) if (other.head === view.head) paint(other, null);
}

function buildHeads() {
  const list = document.getElementById('heads');
  heads.forEach((head, index) => {
    const card = element('section', list, 'card head'), title = element('h2', card, '', 'head ' + index);
    const keys = kinds.map(kind => kind + ' ' + head[kind].keys.toFixed(1)).join(', ');
    element('small', title, '', (kinds.length > 1 ? 'overlap ' + (100 * overlap(head)).toFixed(0) + ' % · ' : '') +
      'keys seen: ' + keys);
    const pair = element('div', card, 'pair');
    for (const kind of kinds) {
      const figure = element('figure', pair, kind);
      const caption = element('figcaption', figure);
      element('b', caption, '', captions[kind]);
      element('small', caption, '', number(head[kind].least) + ' … ' + number(head[kind].peak));
      const canvas = element('canvas', figure), image = document.createElement('canvas');
      canvas.setAttribute('role', 'img');
      canvas.setAttribute('aria-label', kind + ' weights of head ' + index);
      image.width = image.height = n;
      const view = {head: index, kind, canvas, image};
      views.push(view);
      resize(view);
      canvas.addEventListener('pointermove', event => point(event, view));
      canvas.addEventListener('pointerleave', () => leave(view));
    }
  });
}

function repaint() {
  readColours();
  for (const view of views) { paintImage(view); paint(view, null); }
  read(0, data.causal ? n - 1 : 0);
}
buildReading();
layOut();
buildHeads();
repaint();
for (const input of document.querySelectorAll('input[name=scale]')) {
  input.addEventListener('change', () => { scale = input.value; repaint(); });
}
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', repaint);
)js";

}  // namespace lintel::train
