"""The part of the index's script that compares two runs, by the rule of ``harness/measure/compare.py``.

Which two is only known in the browser, so the rule is written here a second time; a test holds it to the first. The
test and the effect size are the same numbers. The interval is bootstrapped with another random generator, so its last
digits may differ.
"""

COMPARE_SCRIPT = r"""
const data = JSON.parse(document.getElementById("data").textContent);
const median = values => {
  const sorted = Float64Array.from(values).sort(), n = sorted.length;
  return n % 2 ? sorted[(n - 1) / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
};
const quantile = (sorted, share) => {
  const at = share * (sorted.length - 1), below = Math.floor(at), above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
};
// Numerical Recipes, 6.2.2: erfc by a Chebyshev fit.
const erfc = x => {
  const z = Math.abs(x), t = 1 / (1 + z / 2);
  const terms = [-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587,
    -0.82215223, 0.17087277];
  const fit = terms.reduceRight((sum, term) => sum * t + term, 0);
  const tail = t * Math.exp(-z * z + fit);
  return x >= 0 ? tail : 2 - tail;
};
// How many of the orders of n and m values give each U: the coefficients of a Gaussian binomial.
const counts = (n, m) => {
  const size = n * m + 1, ways = new Float64Array(size);
  ways[0] = 1;
  for (let i = 1; i <= n; i++) {
    for (let u = size - 1; u >= m + i; u--) ways[u] -= ways[u - m - i];
    for (let u = i; u < size; u++) ways[u] += ways[u - i];
  }
  return ways;
};
// Two-sided, exact where a group is small and nothing is tied, as scipy.stats.mannwhitneyu.
const mannWhitney = (b, a) => {
  const n = b.length, m = a.length;
  const all = [...b.map(v => [v, 1]), ...a.map(v => [v, 0])].sort(([v], [w]) => v - w);
  let ranks = 0, ties = 0;
  for (let i = 0; i < all.length;) {
    let j = i;
    while (j < all.length && all[j][0] === all[i][0]) j++;
    const size = j - i;
    for (let k = i; k < j; k++) ranks += all[k][1] * (i + j + 1) / 2;
    ties += size ** 3 - size;
    i = j;
  }
  const u = ranks - n * (n + 1) / 2, most = Math.max(u, n * m - u);
  let p;
  if (Math.min(n, m) <= 8 && !ties) {
    const ways = counts(Math.min(n, m), Math.max(n, m));
    let tail = 0, total = 0;
    ways.forEach((count, at) => { total += count; if (at >= most) tail += count; });
    p = 2 * tail / total;
  } else {
    const size = n + m, spread = Math.sqrt(n * m / 12 * (size + 1 - ties / (size * (size - 1))));
    p = spread ? erfc((most - n * m / 2 - 0.5) / spread / Math.SQRT2) : 1;
  }
  return {p: Math.min(1, p), delta: 2 * u / (n * m) - 1};
};
const random = seed => () => {  // mulberry32
  seed = seed + 0x6D2B79F5 | 0;
  let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
  t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
  return ((t ^ t >>> 14) >>> 0) / 4294967296;
};
const resampled = (values, draw) => {
  const drawn = new Float64Array(values.length);
  for (let i = 0; i < drawn.length; i++) drawn[i] = values[Math.floor(draw() * values.length)];
  drawn.sort();
  const middle = drawn.length >> 1;
  return drawn.length % 2 ? drawn[middle] : (drawn[middle - 1] + drawn[middle]) / 2;
};
const compareRuns = (a, b) => {
  const n = Math.min(a.length, b.length), result = {verdict: "ambiguous", ratio: NaN, low: NaN, high: NaN, p: NaN};
  if (!n) return result;
  Object.assign(result, mannWhitney(b, a), {ratio: median(b) / median(a)});
  const tail = (1 - data.confidence) / 2, few = 0.5 ** n > tail;
  if (n > 1 && few) {
    result.low = Math.min(...b) / Math.max(...a);
    result.high = Math.max(...b) / Math.min(...a);
  } else if (!few) {
    const draw = random(1), ratios = new Float64Array(data.resamples);
    for (let i = 0; i < ratios.length; i++) ratios[i] = resampled(b, draw) / resampled(a, draw);
    ratios.sort();
    result.low = quantile(ratios, tail);
    result.high = quantile(ratios, 1 - tail);
  }
  result.few = few;
  const most = 1 + data.smallest_effect, significant = result.p < 1 - data.confidence;
  if (significant && result.low > 1 && result.ratio >= most) result.verdict = "faster";
  else if (significant && result.high < 1 && result.ratio <= 1 / most) result.verdict = "slower";
  else if (!few && result.low >= 1 / most && result.high <= most) result.verdict = "same";
  return result;
};
const digits = (value, unit = "") => !Number.isFinite(value) ? "\u2013"
  : value.toLocaleString("en", value >= 1000 ? {maximumFractionDigits: 0} : {maximumSignificantDigits: 3}) + unit;
const share = value => value === null || value === undefined ? "\u2013" : digits(100 * value, "%");
const element = (name, text, attributes = {}) => {
  const made = document.createElement(name);
  if (text instanceof Node) made.append(text); else made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};
const form = document.getElementById("compare-form");
const levels = {faster: "good", slower: "bad", ambiguous: "unclear"};
const showComparison = () => {
  const [a, b] = ["a", "b"].map(key => data.runs[form.querySelector(`#run-${key}`).value]);
  let drift = null;
  const names = [...new Set([...Object.keys(a.modes), ...Object.keys(b.modes)])];
  const rows = names.map(name => {
    const [x, y] = [a, b].map(run => (run.modes[name] || {}).rates || []), row = element("tr", "");
    const found = compareRuns(x, y);
    if (name === "sequential" && ["faster", "slower"].includes(found.verdict)) drift = found;
    const middle = values => values.length ? digits(median(values)) : "\u2013";
    row.append(element("th", name, {scope: "row"}));
    for (const text of [middle(x), middle(y), Number.isFinite(found.ratio) ? digits(found.ratio, "x") : "\u2013",
      Number.isFinite(found.low) ? `${digits(found.low, "x")} to ${digits(found.high, "x")}` : "\u2013",
      Number.isFinite(found.p) ? (found.p < 0.0001 ? "< 0.0001" : found.p.toPrecision(2)) : "\u2013"]) {
      row.append(element("td", text, {class: "n"}));
    }
    const both = x.length && y.length, word = both ? found.verdict
      : x.length ? "only in A" : y.length ? "only in B" : "measured in neither";
    const why = both && found.few ? " few blocks: the range seen" : "";
    const last = element("td", element("span", word, {class: `badge ${both ? levels[word] || "soft" : "soft"}`}));
    last.append(why);
    row.append(last);
    return row;
  });
  document.querySelector("#compare-table tbody").replaceChildren(...rows);
  const facts = new Map();
  [a, b].forEach((run, side) => {
    const pairs = run.facts.map(at => data.facts[at]);
    for (const [name, mode] of Object.entries(run.modes)) {
      pairs.push([`${name}: speedup`, mode.speedup ? digits(mode.speedup, "x") : "\u2013"]);
      if (mode.device) pairs.push([`${name}: done by devices`, share(mode.share)],
        [`${name}: GPU busy`, share(mode.busy)]);
    }
    for (const [key, text] of [["verdict", run.verdict], ["status", run.status], ["commit", run.commit],
      ["started", run.started], ...pairs]) {
      if (!facts.has(key)) facts.set(key, ["\u2013", "\u2013"]);
      facts.get(key)[side] = text || "\u2013";
    }
  });
  const differing = [...facts].filter(([, [x, y]]) => x !== y).map(([key, texts]) => {
    const row = element("tr", "");
    row.append(element("th", key, {scope: "row"}), ...texts.map(text => element("td", text, {class: "wrap"})));
    return row;
  });
  if (!differing.length) {
    const row = element("tr", "");
    row.append(element("td", "Nothing that was recorded.", {colspan: 3}));
    differing.push(row);
  }
  document.querySelector("#difference-table tbody").replaceChildren(...differing);
  const unlike = [...facts].filter(([key, [x, y]]) => key.startsWith("config.") && x !== y).length;
  document.getElementById("compare-note").textContent = a === b ? "This is one run, compared with itself."
    : unlike ? `The configurations differ in ${unlike} ${unlike > 1 ? "keys" : "key"}: not all of the change is due to `
      + "the program that was measured." : "Both ran with the same configuration.";
  if (drift) document.getElementById("compare-note").textContent += ` The baseline, plain Python, is ${drift.verdict} `
    + `in B, too (${digits(drift.ratio, "x")}): so much of the change may be the machine's.`;
  document.getElementById("compare-command").textContent = `python -m harness compare ${a.path} ${b.path}`;
};
if (form) {
  form.hidden = false;
  document.getElementById("compare-results").hidden = false;
  for (const choice of form.querySelectorAll("select")) choice.addEventListener("change", showComparison);
  form.querySelector("button").addEventListener("click", () => {
    const [a, b] = form.querySelectorAll("select");
    [a.value, b.value] = [b.value, a.value];
    showComparison();
  });
  showComparison();
}
"""
