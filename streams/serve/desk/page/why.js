// Cards of the overview that say why, and whether it is better: each with its answers and its interval.
import { bdi, h } from "./dom.js";
import { number, t } from "./i18n.js";

const digits = (value, most = 1) => number(value, { maximumFractionDigits: most });
const date = (iso) => new Intl.DateTimeFormat(document.documentElement.lang || undefined, { dateStyle: "medium", timeZone: "UTC" }).format(new Date(iso));

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
  return h("span", { class: one.certain ? (one.status === "met" ? "good" : "bad") : "" }, notes.length ? `${text} (${notes.join(", ")})` : text);
}

export function targets(card, rows) {
  const most = (one) => (["nps", "csat"].includes(one.metric) ? 1 : 2);
  const columns = [[t("target.metric")], [t("column.unit")], [t("target.period")], [t("target.wanted"), true], [t("target.actual"), true], [t("target.answers"), true], [t("target.status")]];
  return card("targets", t("targets"), "targets", rows.length === 0 ? h("p", { class: "none" }, t("targets.none")) : [
    table("targets", columns, rows.map((one) => [metric(one.metric), one.unit ? bdi(one.unit) : t("target.all"), [`${t(`period.${one.period}`)}, `, bdi(date(one.starts))],
      ltr(digits(one.target, 2)), one.actual === null ? "–" : ltr(digits(one.actual, most(one)) + interval(one, most(one))), number(one.n), status(one)])),
    h("p", { class: "none" }, t("targets.means"))], true);
}
