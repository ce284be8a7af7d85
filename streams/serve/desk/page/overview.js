// How it goes on the whole: scores with their margins, profiles, the funnel, and what is spoken of at each unit.
import { get } from "./api.js";
import { bars, drawn } from "./chart.js";
import { bdi, h } from "./dom.js";
import { number, signed, t, word } from "./i18n.js";
import { empty, shown } from "./states.js";

const SPANS = [7, 30, 90, 365];
const ASPECTS = 12;

const digits = (value, most = 1) => number(value, { maximumFractionDigits: most });

function tile(title, row, value, note, fewest) {
  const shown = row !== undefined && row[value] !== null;
  return h("section", { class: "card tile" }, h("h2", {}, title),
    h("p", { class: "figure" }, shown ? digits(row[value]) : "–", shown && row.margin !== null && h("span", { class: "margin" }, ` ± ${digits(row.margin)}`)),
    h("p", { class: "facts" }, row === undefined ? t("answers.none") : shown ? t("answers", { n: number(row.n) }) : t("answers.few", { n: number(row.n), fewest: number(fewest) })),
    h("p", { class: "none" }, note));
}

function scores(title, rows, value, low, high, id) {
  const named = rows.filter((one) => one.segment !== "").sort((a, b) => (a[value] ?? 1e9) - (b[value] ?? 1e9)).slice(0, 12);
  return h("section", { class: "card", "aria-labelledby": id }, h("h2", { id }, title),
    named.length ? drawn(h("div", { class: "chart" }), bars(named.map((one) => ({ label: one.segment, value: one[value], margin: one.margin, note: t("n", { n: number(one.n) }) })), low, high, 1, title))
      : h("p", { class: "none" }, t("answers.none")));
}

function aspects(rows) {
  const named = rows.filter((one) => one.segment !== "" && one.score !== null).sort((a, b) => a.score - b.score).slice(0, ASPECTS);
  return h("section", { class: "card wide", "aria-labelledby": "aspects" }, h("h2", { id: "aspects" }, t("aspects")),
    named.length === 0 ? h("p", { class: "none" }, t("answers.none")) : h("div", { class: "scroll", tabindex: 0, role: "region", "aria-labelledby": "aspects" }, h("table", {},
      h("thead", {}, h("tr", {}, ["unit", "aspect", "score", "mentions", "negative"].map((name) => h("th", { scope: "col", class: ["score", "mentions", "negative"].includes(name) ? "number" : "" }, t(`column.${name}`))))),
      h("tbody", {}, named.map((one) => h("tr", {}, h("th", { scope: "row" }, bdi(one.segment)), h("td", {}, word("aspect", one.aspect)),
        h("td", { class: `number ${one.score < 0 ? "bad" : "good"}` }, h("bdi", { dir: "ltr" }, `${signed(one.score)}${one.margin === null ? "" : ` ± ${digits(one.margin, 2)}`}`)),
        h("td", { class: "number" }, number(one.volume)), h("td", { class: "number" }, number(one.negative_share, { style: "percent" }))))))));
}

function funnel(rows) {
  return h("section", { class: "card", "aria-labelledby": "funnel" }, h("h2", { id: "funnel" }, t("funnel")),
    rows.length && rows[0].journeys ? drawn(h("div", { class: "chart" }), bars(rows.map((one) => ({ label: t(`stage.${one.stage}`), value: one.of_booked, margin: null, note: t("journeys.n", { n: number(one.journeys) }) })), 0, 100, 1, t("funnel")))
      : h("p", { class: "none" }, t("journeys.none")));
}

function profiles(rows) {
  return h("section", { class: "card", "aria-labelledby": "profiles" }, h("h2", { id: "profiles" }, t("profiles")),
    rows.length ? drawn(h("div", { class: "chart" }), bars(rows.map((one) => ({ label: t(`profile.${one.profile}`), value: one.share, margin: null, note: t("customers.n", { n: number(one.customers) }) })), 0, 100, 1, t("profiles")))
      : h("p", { class: "none" }, t("answers.none")));
}

export function open(main, { query, expired }) {
  const days = SPANS.includes(Number(query.get("days"))) ? Number(query.get("days")) : 90;
  main.append(h("div", { class: "title-bar" }, h("h1", {}, t("view.overview")),
    h("label", { class: "picker" }, h("span", {}, t("span")), h("select", { id: "span", onchange: (event) => {
      location.hash = `#/overview?days=${event.target.value}`;
    } }, SPANS.map((one) => h("option", { value: one, selected: one === days }, t("days", { n: number(one) })))))));
  const box = h("div", {});
  main.append(box);
  const reading = shown(box, {
    read: (signal) => get(`/desk/data/figures?days=${days}`, signal),
    show: (told) => {
      const parts = [
        told.nps && h("div", { class: "tiles" }, tile(t("nps"), told.nps[0], "nps", t("nps.means"), told.fewest), tile(t("csat"), told.csat[0], "csat", t("csat.means"), told.fewest), tile(t("ces"), told.ces[0], "ces", t("ces.means"), told.fewest)),
        h("div", { class: "columns" }, [
          told.profiles && profiles(told.profiles), told.funnel && funnel(told.funnel),
          scores(t("nps_by_unit"), told.nps_by_unit, "nps", -100, 100, "nps-by-unit"),
          scores(t("csat_by_unit"), told.csat_by_unit, "csat", 0, 100, "csat-by-unit")]),
        aspects(told.aspects_by_unit)];
      const nothing = !told.nps_by_unit.length && !told.aspects_by_unit.length && !told.profiles?.length;
      box.replaceChildren(...(nothing ? [empty(t("overview.empty"), t("overview.empty.hint"))] : parts.filter(Boolean)));
    },
    expired,
  });
  return reading.close;
}
