// How it goes on the whole: scores with their margins, who became what, the journey, the funnel, and what hurts where.
import { definition, people } from "./behind.js";
import { get } from "./api.js";
import { bars, drawn } from "./chart.js";
import { bdi, h } from "./dom.js";
import { flow } from "./flow.js";
import { country, day, number, signed, t, word } from "./i18n.js";
import { journeyMap, places } from "./maps.js";
import { empty, shown } from "./states.js";
import { anomalies, drivers, effects, targets } from "./why.js";

const SPANS = [7, 30, 90, 365];
const ASPECTS = 12;
const FILTERS = ["brand", "unit", "channel", "country", "season", "segment", "group"];
const PEOPLE = ["segment", "group"];
const FIXED = { channel: ["booking", "check_in", "stay", "post_travel"], season: ["ramadan", "hajj", "umrah_peak", "none"] };

const digits = (value, most = 1) => number(value, { maximumFractionDigits: most });

/** The parameters that the server is asked with, of those of the address. */
function asked(query) {
  const given = new URLSearchParams();
  for (const name of ["days", "since", "until", ...FILTERS]) {
    for (const value of query.getAll(name)) if (value) given.append(name, value);
  }
  if (!given.has("since") || !given.has("until")) {
    given.delete("since");
    given.delete("until");
  } else given.delete("days");
  return given;
}

function show(name, value) {
  if (name === "channel") return t(`channel.${value}`);
  if (name === "season") return t(`season.${value}`);
  return name === "country" ? country(value) : value;
}

function filters(query, choices) {
  const go = (changed) => {
    const given = asked(query);
    for (const [name, value] of Object.entries(changed)) {
      if (value) given.set(name, value);
      else given.delete(name);
    }
    location.hash = `#/overview?${given}`;
  };
  const given = asked(query);
  const dates = ["since", "until"].map((name) => h("input", { type: "date", id: `filter-${name}`, value: given.get(name) ?? query.get(name) ?? "", onchange: (event) => {
    query.set(name, event.target.value);
    if (query.get("since") && query.get("until")) go({ since: query.get("since"), until: query.get("until"), days: null });
    else if (!event.target.value) go({ since: null, until: null });
  } }));
  return h("details", { class: "filters", open: FILTERS.some((name) => given.has(name)) || given.has("since") }, h("summary", {}, t("filters")),
    h("div", { class: "filter-row" },
      FILTERS.map((name) => {
        const values = FIXED[name] ?? choices?.[name] ?? [];
        const chosen = given.get(name) ?? "";
        if (PEOPLE.includes(name) && !values.length && !chosen) return "";
        return h("label", { class: "filter" }, h("span", {}, t(`filter.${name}`)), h("select", { id: `filter-${name}`, onchange: (event) => go({ [name]: event.target.value }) },
          h("option", { value: "" }, t("filter.all")), [...new Set(chosen ? [chosen, ...values] : values)].map((value) => h("option", { value, selected: value === chosen }, show(name, value)))));
      }),
      h("label", { class: "filter" }, h("span", {}, t("filter.since")), dates[0]),
      h("label", { class: "filter" }, h("span", {}, t("filter.until")), dates[1])));
}

export function open(main, { me, query, expired }) {
  const days = SPANS.includes(Number(query.get("days"))) ? Number(query.get("days")) : 90;
  const given = asked(query);
  const may = me.may.includes("customer");
  main.append(h("div", { class: "title-bar" }, h("h1", {}, t("view.overview")), h("p", { class: "summary", id: "of" }),
    h("label", { class: "picker" }, h("span", {}, t("span")), h("select", { id: "span", onchange: (event) => {
      const changed = asked(query);
      changed.set("days", event.target.value);
      changed.delete("since");
      changed.delete("until");
      location.hash = `#/overview?${changed}`;
    } }, SPANS.map((one) => h("option", { value: one, selected: one === days }, t("days", { n: number(one) })))))));
  const chosen = h("div", {}, filters(query, null));
  const box = h("div", {});
  main.append(chosen, box);

  const about = (figure, title) => h("button", { class: "quiet about", "aria-label": `${t("behind.what")} ${title}`, title: t("behind.what"), onclick: () => definition(main, figure, title, given) }, "?");
  const who = (title, behind) => may && (() => people(main, title, given, behind));
  const whose = (title, behind, text) => may && h("button", { class: "button small", onclick: who(title, behind) }, text);
  const card = (id, title, figure, content, wide) => h("section", { class: `card ${wide ? "wide" : ""}`, "aria-labelledby": id },
    h("div", { class: "card-bar" }, h("h2", { id }, title), about(figure, title)), content);
  const chart = (draw) => drawn(h("div", { class: "chart" }), draw);
  const none = (key) => h("p", { class: "none" }, t(key));

  function tile(figure, row, note, fewest, worst) {
    const known = row !== undefined && row[figure] !== null;
    return h("section", { class: "card tile" }, h("div", { class: "card-bar" }, h("h2", {}, t(figure)), about(figure, t(figure))),
      h("p", { class: "figure" }, known ? digits(row[figure]) : "–", known && row.margin !== null && h("span", { class: "margin" }, ` ± ${digits(row.margin)}`)),
      h("p", { class: "facts" }, row === undefined ? t("answers.none") : known ? t("answers", { n: number(row.n) }) : t("answers.few", { n: number(row.n), fewest: number(fewest) })),
      h("p", { class: "none" }, note), row !== undefined && whose(t("behind.unhappy"), { instrument: figure, ...worst }, t("behind.unhappy")));
  }

  function scores(id, rows, value, low, high) {
    const named = rows.filter((one) => one.segment !== "").sort((a, b) => (a[value] ?? 1e9) - (b[value] ?? 1e9)).slice(0, 12);
    return card(id.replaceAll("_", "-"), t(id), id, named.length ? chart(bars(named.map((one) => ({ label: one.segment, value: one[value], margin: one.margin, note: t("n", { n: number(one.n) }), open: who(`${t(value)}, ${one.segment}`, { instrument: value, unit: one.segment }) })), low, high, 1, t(id))) : none("answers.none"));
  }

  function aspects(rows) {
    const named = rows.filter((one) => one.segment !== "" && one.score !== null).sort((a, b) => a.score - b.score).slice(0, ASPECTS);
    const columns = ["unit", "aspect", "score", "mentions", "negative"];
    return card("aspects", t("aspects"), "aspects_by_unit", named.length === 0 ? none("answers.none") : h("div", { class: "scroll", tabindex: 0, role: "region", "aria-labelledby": "aspects" }, h("table", {},
      h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col", class: ["score", "mentions", "negative"].includes(name) ? "number" : "" }, t(`column.${name}`))), may && h("td", {}))),
      h("tbody", {}, named.map((one) => h("tr", {}, h("th", { scope: "row" }, bdi(one.segment)), h("td", {}, word("aspect", one.aspect)),
        h("td", { class: `number ${one.score < 0 ? "bad" : "good"}` }, h("bdi", { dir: "ltr" }, `${signed(one.score)}${one.margin === null ? "" : ` ± ${digits(one.margin, 2)}`}`)),
        h("td", { class: "number" }, number(one.volume)), h("td", { class: "number" }, number(one.negative_share, { style: "percent" })),
        may && h("td", {}, whose(`${word("aspect", one.aspect)}, ${one.segment}`, { aspect: one.aspect, unit: one.segment, mood: "negative" }, t("behind.who")))))))), true);
  }

  const funnel = (rows) => card("funnel", t("funnel"), "funnel", rows.length && rows[0].journeys
    ? chart(bars(rows.map((one) => ({ label: t(`stage.${one.stage}`), value: one.of_booked, margin: null, note: t("journeys.n", { n: number(one.journeys) }), open: who(t("behind.at_stage", { stage: t(`stage.${one.stage}`) }), one.stage === "post_travel" ? { channel: "post_travel" } : { stage: one.stage }) })), 0, 100, 1, t("funnel"))) : none("journeys.none"));

  const profiles = (rows) => card("profiles", t("profiles"), "profiles", rows.length
    ? chart(flow(rows, may ? (one) => people(main, t("flow.part", { from: t(`profile.${one.from_profile}`), to: t(`profile.${one.to_profile}`), n: number(one.customers) }), given, { from_profile: one.from_profile, to_profile: one.to_profile }) : null, t("profiles"))) : none("answers.none"));

  const map = (rows) => card("journey-map", t("map"), "map", rows.length ? [
    chart(journeyMap(rows, may ? (one) => people(main, `${t(`map.stage.${one.segment}`)}, ${word("medium", one.medium)}`, given, { stage: one.segment, medium: one.medium }) : null, t("map"))),
    h("p", { class: "none" }, t("map.means"))] : none("answers.none"), true);

  function where(rows) {
    const known = rows.filter((one) => one.latitude !== null && one.longitude !== null);
    const away = rows.length - known.length;
    return card("places", t("places"), "places", [
      known.length ? chart(places(known, may ? (one) => people(main, one.name, given, { unit: one.unit }) : null, t("places"))) : none("places.none"),
      known.length > 0 && away > 0 && h("p", { class: "none" }, t("places.away", { n: number(away) }))], true);
  }

  const reading = shown(box, {
    read: (signal) => get(`/desk/data/figures?${given}`, signal),
    show: (told) => {
      const focused = document.activeElement?.id;
      chosen.replaceChildren(filters(query, told.choices));
      if (focused) document.getElementById(focused)?.focus();
      document.getElementById("of").textContent = t("of", { from: day(told.since), to: day(new Date(new Date(told.until).getTime() - 1)), year: new Date(told.until).getUTCFullYear() });
      const past = told.is_past && h("p", { class: "stale", role: "status" }, t("overview.past"));
      const parts = [
        h("div", { class: "tiles" }, tile("nps", told.nps[0], t("nps.means"), told.fewest, { high: 6 }), tile("csat", told.csat[0], t("csat.means"), told.fewest, { high: 3 }), tile("ces", told.ces[0], t("ces.means"), told.fewest, { high: 3 })),
        targets(card, told.targets), anomalies(card, told.anomalies),
        h("div", { class: "columns" }, profiles(told.profiles), funnel(told.funnel)),
        map(told.map),
        h("div", { class: "columns" }, scores("nps_by_unit", told.nps_by_unit, "nps", -100, 100), scores("csat_by_unit", told.csat_by_unit, "csat", 0, 100)),
        drivers(card, told.drivers), effects(card, told.effects), aspects(told.aspects_by_unit), where(told.places)];
      const nothing = !told.nps_by_unit.length && !told.aspects_by_unit.length && !told.profiles.length && !told.map.length;
      box.replaceChildren(...[past, ...(nothing ? [empty(t("overview.empty"), t("overview.empty.hint"))] : parts)].filter(Boolean));
    },
    expired,
  });
  return reading.close;
}
