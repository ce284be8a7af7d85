// One day of a unit: arrivals, in house, departures; who needs care first, and why.
import { get } from "./api.js";
import { code, coded, h } from "./dom.js";
import { number, short, t, wholeDay } from "./i18n.js";
import { empty, shown, stale } from "./states.js";

const LISTS = ["arrivals", "in_house", "departures"];

/** The day of this browser's clock. */
function today() {
  const now = new Date();
  return new Date(now.getTime() - now.getTimezoneOffset() * 60000).toISOString().slice(0, 10);
}

function line(one) {
  const { plan } = one;
  return h("li", { class: one.cares.length ? "stay care" : "stay" },
    h("a", { class: "row", href: `#/customer/${encodeURIComponent(one.customer_id)}?from=${encodeURIComponent(one.booking_ref)}` },
      h("span", { class: "title" }, plan.room ? [t("room"), " ", code(plan.room)] : code(one.booking_ref),
        h("span", { class: `chip ${one.profile}` }, t(`profile.${one.profile}`)),
        one.trend === "declining" && h("span", { class: "trend declining" }, t("trend.declining"))),
      h("span", { class: "facts" }, plan.room && code(one.booking_ref), coded(short(one.customer_id), one.customer_id),
        plan.nights && h("span", {}, t("nights", { n: number(plan.nights) })),
        plan.party_size > 1 && h("span", {}, t("party", { n: number(plan.party_size) })),
        one.status && h("span", {}, t(`status.${one.status}`))),
      one.cares.length > 0 && h("span", { class: "cares" }, one.cares.filter((word) => word !== "open_alert" || !one.cares.includes("critical_alert")).map((word) => h("span", { class: "caution" }, t(`caution.${word}`))))));
}

export function open(main, { me, query, expired }) {
  const unit = query.get("unit") ?? me.units[0] ?? "";
  const chosen = query.get("date");
  const date = chosen ?? today();
  const go = (changed) => {
    location.hash = `#/today?${new URLSearchParams({ unit, ...(chosen === null ? {} : { date }), ...changed })}`;
  };
  const picker = h("select", { id: "unit", onchange: (event) => go({ unit: event.target.value }) },
    me.units.map((name) => h("option", { value: name, selected: name === unit }, name)));
  main.append(h("div", { class: "title-bar" }, h("h1", {}, t("view.today")),
    h("p", { class: "summary", id: "which" }, wholeDay(date)),
    h("label", { class: "picker" }, h("span", {}, t("unit")), picker),
    h("label", { class: "picker" }, h("span", {}, t("date")), h("input", { type: "date", id: "date", value: date, required: true, onchange: (event) => event.target.value && go({ date: event.target.value }) }))));
  const box = h("div", {});
  main.append(box);
  if (!unit) {
    box.append(empty(t("today.no_unit"), t("today.no_unit.hint")));
    return () => {};
  }
  const reading = shown(box, {
    read: (signal) => get(`/desk/data/day?${new URLSearchParams({ unit, date, nearest: chosen === null })}`, signal),
    show: (told) => {
      const other = told.day !== date && h("p", { class: "stale", role: "status" }, t("today.other", { today: wholeDay(date), day: wholeDay(told.day), year: told.day.slice(0, 4) }));
      document.getElementById("which").textContent = wholeDay(told.day);
      document.getElementById("date").value = told.day;
      const none = LISTS.every((name) => told.counts[name] === 0);
      const content = none ? [empty(t("today.empty"), t("today.empty.hint"))] : [h("div", { class: "columns three" }, LISTS.map((name) =>
        h("section", { class: "card", "aria-labelledby": name },
          h("h2", { id: name }, t(`list.${name}`), " ", h("span", { class: "count" }, number(told.counts[name])),
            told.cares[name] > 0 && h("span", { class: "count care" }, t("need_care", { n: number(told.cares[name]) }))),
          told[name].length ? h("ul", { class: "plain stays" }, told[name].map(line)) : h("p", { class: "none" }, t("list.none")),
          told.counts[name] > told[name].length && h("p", { class: "more" }, t("more", { n: number(told.counts[name] - told[name].length) })))))];
      box.replaceChildren(...[stale(told.age), other, ...content].filter(Boolean));
    },
    expired,
  });
  return reading.close;
}
