// Cards of the overview that say why, and whether it is better: each with its answers and its interval.
import { bdi, h } from "./dom.js";
import { date, listed, number, signed, t, word } from "./i18n.js";

const digits = (value, most = 1) => number(value, { maximumFractionDigits: most });

const ltr = (text) => h("bdi", { dir: "ltr" }, text);
const interval = (one, most) => (one.low === null ? "" : ` (${digits(one.low, most)} – ${digits(one.high, most)})`);
export const metric = (name) => (name === "sentiment" ? t("metric.sentiment") : t(name));

/** A table that scrolls inside its card. columns: [text, whether it is of numbers]. rows: cells of each; the first is its head. */
export function table(labelled, columns, rows) {
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-labelledby": labelled }, h("table", {},
    h("thead", {}, h("tr", {}, columns.map(([text, isNumber]) => h("th", { scope: "col", class: isNumber ? "number" : "" }, text)))),
    h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell, at) => at === 0 ? h("th", { scope: "row" }, cell) : h("td", { class: columns[at][1] ? "number" : "" }, cell)))))));
}

function status(one) {
  if (one.status === "not enough answers") return t("target.few");
  const notes = [one.certain ? null : t("target.unsure"), one.running ? t("target.running") : null].filter(Boolean);
  const text = t(one.status === "met" ? "target.met" : "target.missed");
  return h("span", { class: one.certain ? (one.status === "met" ? "good" : "bad") : "" }, notes.length ? `${text} (${listed(notes).join("")})` : text);
}

export function targets(card, rows) {
  const most = (one) => (["nps", "csat"].includes(one.metric) ? 1 : 2);
  const columns = [[t("target.metric")], [t("column.unit")], [t("target.period")], [t("target.wanted"), true], [t("target.actual"), true], [t("target.answers"), true], [t("target.status")]];
  return card("targets", t("targets"), "targets", rows.length === 0 ? h("p", { class: "none" }, t("targets.none")) : [
    table("targets", columns, rows.map((one) => [metric(one.metric), one.unit ? bdi(one.unit) : t("target.all"), listed([t(`period.${one.period}`), bdi(date(one.starts))]),
      ltr(digits(one.target, 2)), one.actual === null ? "–" : ltr(digits(one.actual, most(one)) + interval(one, most(one))), number(one.n), status(one)])),
    h("p", { class: "none" }, t("targets.means"))], true);
}

const named = (driver) => (driver.startsWith("aspect ") ? word("aspect", driver.slice(7)) : t(`driver.${driver}`));
const percent = (value, most = 0) => number(value, { style: "percent", maximumFractionDigits: most });

/** Answers, R2 and back-test of one metric and unit stand above its drivers. */
function ofOne(rows) {
  const [first] = rows;
  const said = { n: number(first.n), from: date(first.since), to: date(first.until), r2: percent(first.r2, 1), tested: number(first.tested), test: percent(first.tested_r2, 1) };
  return [h("h3", { id: `drivers-${first.metric}-${first.unit}` }, first.unit ? listed([metric(first.metric), bdi(first.unit)]) : metric(first.metric)),
    h("p", { class: "facts" }, t("drivers.of", said)), !first.useful && h("p", { class: "stale" }, t("drivers.useless")),
    table(`drivers-${first.metric}-${first.unit}`, [[t("driver.name")], [t("driver.share"), true], [t("driver.effect"), true]], rows.map((one) => [named(one.driver),
      ltr(`${percent(one.share, 1)} (${percent(one.low, 1)} – ${percent(one.high, 1)})`),
      one.effect === null ? "–" : ltr(`${signed(one.effect, 1)} (${signed(one.effect_low, 1)} – ${signed(one.effect_high, 1)})`)]))];
}

export function drivers(card, rows) {
  const key = (one) => `${one.metric} ${one.unit}`;
  const runs = [...new Set(rows.map(key))].map((name) => rows.filter((one) => key(one) === name));
  return card("drivers", t("drivers"), "drivers", rows.length === 0 ? h("p", { class: "none" }, t("drivers.none")) : [...runs.flatMap(ofOne), h("p", { class: "none" }, t("drivers.means"))], true);
}

export function effects(card, rows) {
  const columns = [[t("effect.action")], [t("target.metric")], [t("effect.verdict")], [t("effect.change"), true], [t("effect.sample"), true], [t("effect.test")]];
  const most = (one) => (one.metric === "sentiment" ? 2 : 1);
  const tone = { better: "good", worse: "bad" };
  return card("effects", t("effects"), "effects", rows.length === 0 ? h("p", { class: "none" }, t("effects.none")) : [
    table("effects", columns, rows.map((one) => [listed([bdi(one.action), bdi(date(one.acted_on))]), metric(one.metric), h("span", { class: tone[one.verdict] ?? "" }, t(`verdict.${one.verdict}`)),
      ltr(signed(one.effect, most(one)) + interval(one, most(one))), ltr(`${number(one.n_before)}, ${number(one.n_after)}; ${number(one.comparable)}`),
      t("effect.tested", { covered: number(one.covered), placebos: number(one.placebos) })])),
    h("p", { class: "none" }, t("effects.means"))], true);
}

export function anomalies(card, rows) {
  const alarms = rows.filter((one) => one.alarm).slice(0, 12);
  const most = (one) => (one.metric === "sentiment" ? 2 : 1);
  const name = (one) => (one.metric === "contacts" ? t("metric.contacts") : metric(one.metric));
  const columns = [[t("anomaly.day")], [t("column.unit")], [t("target.metric")], [t("target.actual"), true], [t("anomaly.expected"), true], [t("target.answers"), true], [t("effect.test")]];
  return card("anomalies", t("anomalies"), "anomalies", alarms.length === 0 ? h("p", { class: "none" }, t("anomalies.none", { days: number(rows.length) })) : [
    table("anomalies", columns, alarms.map((one) => [bdi(date(one.day)), bdi(one.unit), name(one), h("span", { class: one.metric === "contacts" ? "" : one.actual < one.expected ? "bad" : "good" }, ltr(digits(one.actual, most(one)))),
      ltr(digits(one.expected, most(one)) + interval(one, most(one))), number(one.n),
      t("anomaly.tested", { alarms: number(one.tested_alarms), days: number(one.tested_days), within: percent(one.within) })])),
    h("p", { class: "none" }, t("anomalies.means"))], true);
}
