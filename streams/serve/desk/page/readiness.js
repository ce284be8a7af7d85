// Halal readiness of a unit: needs with their intervals, what they rest on, the times of prayer; and all of it on paper.
import { bars, drawn } from "./chart.js";
import { get } from "./api.js";
import { bdi, h } from "./dom.js";
import { day, moment, number, t, word } from "./i18n.js";
import { empty, shown } from "./states.js";

const IMPORTANCE = ["need", "good", "nice"];
const PRAYERS = ["fajr", "dhuhr", "asr", "maghrib", "isha"];
const percent = (share) => number(share, { style: "percent", maximumFractionDigits: 0 });

const card = (id, title, content, wide) => h("section", { class: `card ${wide ? "wide" : ""}`, "aria-labelledby": id }, h("h2", { id }, title), content);

function group(name, needs) {
  const rows = needs.filter((one) => one.importance === name).map((one) => ({
    label: t(`need.${one.need}`).replace(/ \(.*\)$/, ""), said: one.share === null ? null : percent(one.share), value: one.share === null ? null : one.share * 100, low: one.low * 100, high: one.high * 100, middle: 50, unknown: t("readiness.silent"),
    note: one.share === null ? null : t("n", { n: number(one.experiences) }) }));
  return card(`needs-${name}`, t(`importance.${name}`), h("div", {}, drawn(h("div", { class: "chart" }), bars(rows, 0, 100, 0, t(`importance.${name}`)))));
}

function figures(needs) {
  const heads = [["need", ""], ["share", "number"], ["interval", "number"], ["experiences", "number"], ["guests", "number"], ["against", "number"], ["last", ""]];
  return card("figures", t("readiness.figures"), h("div", { class: "scroll", tabindex: 0, role: "region", "aria-labelledby": "figures" }, h("table", {},
    h("thead", {}, h("tr", {}, heads.map(([name, kind]) => h("th", { scope: "col", class: kind }, t(`column.${name}`))))),
    h("tbody", {}, needs.map((one) => h("tr", {}, h("th", { scope: "row" }, t(`need.${one.need}`)),
      h("td", { class: "number" }, one.share === null ? "–" : percent(one.share)),
      h("td", { class: "number" }, one.share === null ? "–" : h("bdi", { dir: "ltr" }, `${percent(one.low)} – ${percent(one.high)}`)),
      h("td", { class: "number" }, number(one.experiences)), h("td", { class: "number" }, number(one.guests)), h("td", { class: "number" }, number(one.against)),
      h("td", {}, one.last_at === null ? "–" : day(one.last_at))))))), true);
}

function prayers(one) {
  if (one === null) return card("prayers", t("readiness.prayers"), h("p", { class: "none" }, t("readiness.no_place")));
  const friday = new Date(`${one.date}T12:00:00Z`).getUTCDay() === 5;
  return card("prayers", t("readiness.prayers"), [
    h("p", { class: "facts" }, h("span", {}, day(`${one.date}T12:00:00`)), h("span", {}, t("readiness.clock"), " ", bdi(one.timezone)), one.ramadan === 1 && h("span", {}, t("season.ramadan"))),
    h("dl", { class: "prayers" }, PRAYERS.map((name) => h("div", {}, h("dt", {}, t(`prayer.${name === "dhuhr" && friday ? "jumua" : name}`)), h("dd", {}, h("bdi", { dir: "ltr" }, one[name])))))]);
}

function piece(one) {
  const tone = one.well < 0.5 ? "bad" : one.well > 0.5 ? "good" : "even";
  return h("li", { class: `contact ${tone}` },
    h("div", { class: "title" }, t(`need.${one.need}`), h("span", { class: `mark ${tone}` }, percent(one.well))),
    h("div", { class: "facts" }, h("time", { datetime: one.at }, moment(one.at)), h("span", {}, word("touchpoint", one.touchpoint)),
      one.prayer_window && h("span", {}, t(`prayer.${one.prayer_window}`)), h("span", {}, t("readiness.weight", { n: number(one.weight, { maximumFractionDigits: 2 }) }))),
    one.text && h("blockquote", { dir: "auto", lang: one.language ?? undefined }, one.text));
}

export function open(main, { me, query, expired }) {
  const unit = query.get("unit") ?? me.units[0];
  main.append(h("div", { class: "title-bar" }, h("h1", {}, t("readiness"), unit && [": ", bdi(unit)]), h("p", { class: "summary", id: "until" }),
    h("label", { class: "picker" }, h("span", {}, t("unit")), h("select", { id: "unit", onchange: (event) => {
      location.hash = `#/readiness?${new URLSearchParams({ unit: event.target.value })}`;
    } }, me.units.map((name) => h("option", { value: name, selected: name === unit }, name)))),
    h("button", { class: "button print", onclick: () => print() }, t("readiness.print"))));
  const box = h("div", {});
  main.append(box);
  if (!unit) {
    box.append(empty(t("today.no_unit"), t("today.no_unit.hint")));
    return () => {};
  }
  const reading = shown(box, {
    read: (signal) => get(`/desk/data/readiness?${new URLSearchParams({ unit })}`, signal),
    show: (told) => {
      document.getElementById("until").textContent = moment(told.until);
      if (told.needs.length === 0) return box.replaceChildren(empty(t("readiness.empty"), t("readiness.empty.hint")));
      box.replaceChildren(...[
        told.is_past && h("p", { class: "stale", role: "status" }, t("overview.past")),
        h("p", { class: "lead" }, t("readiness.lead")),
        h("div", { class: "columns" }, h("div", {}, IMPORTANCE.slice(0, 2).map((name) => group(name, told.needs))), h("div", {}, group(IMPORTANCE[2], told.needs), prayers(told.prayers))),
        figures(told.needs),
        card("evidence", t("readiness.evidence"), [
          !told.with_words && h("p", { class: "none" }, t("readiness.no_words")),
          told.evidence.length ? h("ol", { class: "contacts" }, told.evidence.map(piece)) : h("p", { class: "none" }, t("readiness.silent"))], true),
        h("p", { class: "on-paper none" }, t("readiness.made", { who: me.name, when: moment(new Date().toISOString()) }))].filter(Boolean));
    },
    expired,
  });
  return reading.close;
}
