// Asks the monitor once a second what it thinks, and shows it. No request leaves this server.
"use strict";

const EVERY_MS = 1000;
const SECONDS = 300;
const cards = new Map();
const dark = matchMedia("(prefers-color-scheme: dark)");
let said = "";
let latest = null;

const by = (id) => document.getElementById(id);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function usd(amount) {
  const size = Math.abs(amount);
  for (const [limit, unit, digits] of [[1e9, "B", 2], [1e6, "M", 2], [1e3, "k", 1]])
    if (size >= limit) return (amount / limit).toFixed(digits) + unit;
  return amount.toFixed(0);
}

function price(value) {
  if (value === null || value === undefined) return "no price";
  const digits = value >= 1000 ? 1 : value >= 1 ? 3 : 8;
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}

const clock = (us) => (us === null ? "–" : new Date(us / 1000).toISOString().slice(11, 19));
const day = (us) => (us === null ? "–" : new Date(us / 1000).toISOString().slice(5, 19).replace("T", " "));

function words(asset) {
  if (asset.phase === "calm") return "calm";
  const side = asset.direction === "long" ? "longs" : "shorts";
  return { building: `building: ${side}`, cascade: `cascade of ${side}`, relief: `relief after ${side}` }[asset.phase];
}

function evidence(item) {
  const value = Math.abs(item.value) >= 1000 ? usd(item.value) : Number(item.value.toPrecision(3));
  return `${item.feature.replaceAll("_", " ")}: ${value} (normal ${Number(item.baseline.toPrecision(3))}), +${item.contribution.toFixed(1)} points`;
}

function options(width) {
  const axis = { stroke: colour("quiet"), grid: { stroke: colour("line"), width: 0.5 }, ticks: { show: false }, font: "11px system-ui" };
  const bars = uPlot.paths.bars({ size: [0.9, 12] });
  const side = (name) => ({ label: name, scale: "usd", stroke: colour(name), fill: colour(name), paths: bars, points: { show: false } });
  return {
    width, height: 170, cursor: { show: false }, legend: { show: false },
    scales: { x: { time: true, range: (_, low, high) => [high - SECONDS, high] }, price: {}, usd: { range: (_, low, high) => { const most = Math.max(-low, high, 1000); return [-most, most]; } } },
    axes: [
      { ...axis, space: 70, size: 26, values: (_, ticks) => ticks.map((at) => new Date(at * 1000).toISOString().slice(11, 19)) },
      { ...axis, scale: "price", size: 64, values: (_, ticks) => ticks.map(price) },
      { ...axis, scale: "usd", side: 1, size: 48, grid: { show: false }, values: (_, ticks) => ticks.map((tick) => usd(Math.abs(tick))) },
    ],
    series: [{}, side("long"), side("short"), { label: "price", scale: "price", stroke: colour("price"), width: 1.5, spanGaps: false, points: { show: false } }],
  };
}

function makeCard(asset) {
  const node = by("card").content.firstElementChild.cloneNode(true);
  (asset.asset === "MARKET" ? by("market-card") : by("assets")).append(node);
  const card = { node, chart: null };
  cards.set(asset.asset, card);
  return card;
}

function draw(card, asset) {
  const { second, long, short, price: prices } = asset.series;
  const data = [second, long.map((value) => -value), short, prices.map((value) => value ?? null)];
  const place = card.node.querySelector(".chart");
  if (!card.chart) card.chart = new uPlot(options(place.clientWidth || 300), data, place);
  else card.chart.setData(data);
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  place.setAttribute("aria-label", `${asset.asset}, last ${second.length} seconds: price ${price(asset.price)}, ` +
    `longs ${usd(sum(long))} and shorts ${usd(sum(short))} liquidated`);
}

function show(asset) {
  const card = cards.get(asset.asset) ?? makeCard(asset);
  const find = (selector) => card.node.querySelector(selector);
  card.node.dataset.phase = asset.phase;
  find("h3").textContent = `${asset.asset} ${asset.asset === "MARKET" ? "" : price(asset.price)}`;
  find(".phase").textContent = document.body.classList.contains("blind") ? `last known: ${words(asset)}` : words(asset);
  find(".risk").textContent = `risk ${asset.risk.toFixed(0)} of 100`;
  find(".meter").setAttribute("aria-valuenow", asset.risk.toFixed(0));
  find(".meter").setAttribute("aria-label", `risk of ${asset.asset}`);
  find(".meter div").style.width = `${Math.min(100, asset.risk)}%`;
  const minute = asset.windows["1m"], hour = asset.windows["1h"];
  const seen = asset.coverage === null ? "" : `, ${(100 * asset.coverage).toFixed(0)} % from complete feeds`;
  find(".sums").textContent = minute && hour
    ? `longs ${usd(minute.long)} / shorts ${usd(minute.short)} in a minute, ${usd(hour.long)} / ${usd(hour.short)} in an hour${seen}`
    : "no liquidation seen yet";
  const list = find(".why");
  const items = asset.evidence.filter((item) => item.contribution > 0).slice(0, 6).map(evidence);
  list.replaceChildren(...(items.length ? items : ["nothing unusual"]).map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  draw(card, asset);
}

function row(cells) {
  const line = document.createElement("tr");
  for (const [text, kind] of cells) line.append(Object.assign(document.createElement("td"), { textContent: text, className: kind ?? "" }));
  return line;
}

function degraded(seen) {
  return seen?.state === "degraded" ? ` Only ${seen.connected} of ${seen.expected} exchanges are connected since ${day(seen.since_us)} UTC.` : "";
}

function blindness(seen) { // null while anything can be seen
  if (!seen || (seen.state !== "blind" && seen.state !== "starting")) return null;
  return `No data: ${seen.connected} of ${seen.expected} exchanges connected since ${day(seen.since_us)} UTC. ` +
    (seen.state === "starting" ? "The monitor is starting." : "What is below is old, and nothing can be detected.");
}

function update(state) {
  by("clock").textContent = `decided up to ${clock(state.second * 1e6)} UTC, this machine's clock says ${clock(state.now_us)}`;
  by("version").textContent = `version ${state.version}`;
  const market = state.assets.find((asset) => asset.asset === "MARKET");
  const busy = state.assets.filter((asset) => asset.asset !== "MARKET" && asset.phase !== "calm");
  const blind = blindness(state.visibility);
  document.body.classList.toggle("blind", blind !== null);
  const text = blind ?? (market ? `The market is ${market.phase === "calm" ? "calm" : `in ${words(market)}`}` +
    (busy.length ? `; ${busy.map((asset) => `${asset.asset}: ${words(asset)}`).join(", ")}.` : ".") : "The market is judged elsewhere.") + degraded(state.visibility);
  if (text !== said) by("headline").textContent = said = text; // said aloud only when it changes
  by("gaps").textContent = state.gaps.map((gap) => `${gap.venue}: liquidations are missing from ${Object.entries(gap.windows)
    .map(([window, share]) => `${(100 * share).toFixed(share < 0.01 ? 2 : 0)} % of ${window}`).join(", ")}`).join("; ");
  by("gaps").hidden = !state.gaps.length;
  const shown = new Set(state.assets.map((asset) => asset.asset));
  for (const [name, card] of cards) if (!shown.has(name)) { card.chart?.destroy(); card.node.remove(); cards.delete(name); }
  state.assets.forEach(show);
  by("episodes").replaceChildren(...(state.episodes.length ? state.episodes.map((one) => row([
    [one.asset], [one.direction === "long" ? "longs" : "shorts"], [day(one.started_us)], [clock(one.cascade_us)], [clock(one.relief_us)],
    [one.ended_us === null ? "still on" : clock(one.ended_us)], [one.peak_score.toFixed(0), "num"],
    [usd(one.liquidated_usd.long), "num"], [usd(one.liquidated_usd.short), "num"]])) : [row([["none so far"]])]));
  by("feeds").replaceChildren(...(state.feeds.length ? state.feeds.map((feed) => {
    const up = feed.connected === feed.connections && feed.connections > 0;
    const ago = feed.last_message_us ? `${Math.max(0, (state.now_us - feed.last_message_us) / 1e6).toFixed(0)} s ago` : "never";
    return row([[feed.venue], [up ? "up" : feed.connected ? "partly down" : "down", up ? "" : "down"], [`${feed.connected} of ${feed.connections}`, "num"],
      [ago, "num"], [feed.events.toLocaleString("en"), "num"], [feed.liquidations.toLocaleString("en"), "num"],
      [feed.rejects.toLocaleString("en"), "num"], [`${feed.gap_s.toFixed(0)} s`, "num"]]);
  }) : [row([["none"]])]));
}

async function ask() {
  try {
    const answer = await fetch("state.json", { cache: "no-store" });
    if (!answer.ok) throw new Error(await answer.text());
    update(latest = await answer.json());
    by("trouble").hidden = true;
  } catch (error) {
    by("trouble").textContent = `The monitor does not answer (${error.message.trim()}): what is below is old.`;
    by("trouble").hidden = false;
  }
  setTimeout(ask, EVERY_MS);
}

function redraw() { // colours and widths belong to the chart's options
  for (const card of cards.values()) { card.chart?.destroy(); card.chart = null; }
  if (latest) latest.assets.forEach(show);
}

dark.addEventListener("change", redraw);
addEventListener("resize", redraw);
ask();
