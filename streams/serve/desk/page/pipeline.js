// How the workers do: what each has still to read, how fast it comes, what was refused, what could not be told.
import { get } from "./api.js";
import { code, h } from "./dom.js";
import { distance, number, t, word } from "./i18n.js";
import { shown } from "./states.js";

const EVERY = 5000;
const OLD = 10; // seconds from which on what the desk shows is old
const BEHIND = 10000; // records from which on a worker is behind

const table = (id, title, columns, rows, none) => h("section", { class: "card wide", "aria-labelledby": id }, h("h2", { id }, title),
  rows.length === 0 ? h("p", { class: "none" }, none) : h("div", { class: "scroll", tabindex: 0, role: "region", "aria-labelledby": id }, h("table", {},
    h("thead", {}, h("tr", {}, columns.map(([name, kind]) => h("th", { scope: "col", class: kind }, t(`column.${name}`))))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell, at) => h(at === 0 ? "th" : "td", { scope: at === 0 ? "row" : undefined, class: columns[at][1] }, cell))))))));

export function open(main, { expired }) {
  let before = null;
  main.append(h("div", { class: "title-bar" }, h("h1", {}, t("view.pipeline"))));
  const box = h("div", {});
  main.append(box);
  const reading = shown(box, {
    read: (signal) => get("/desk/data/pipeline", signal),
    show: (told) => {
      const seconds = before === null ? 0 : (new Date(told.at) - new Date(before.at)) / 1000;
      const rate = (name) => (seconds > 0.5 ? number(Math.max(told.topics[name] - before.topics[name], 0) / seconds, { maximumFractionDigits: 0 }) : "–");
      if (before === null || seconds > 0.5) before = told;
      const most = Math.max(0, ...told.workers.map((one) => one.lag ?? 0));
      const dead = told.dead_letters?.reduce((sum, one) => sum + one.letters, 0);
      const tile = (title, value, note, bad) => h("section", { class: `card tile ${bad ? "alarm" : ""}` }, h("h2", {}, title), h("p", { class: "figure" }, value), h("p", { class: "none" }, note));
      const focused = document.activeElement?.closest?.(".scroll")?.getAttribute("aria-labelledby");
      box.replaceChildren(
        h("div", { class: "tiles four" },
          tile(t("throughput"), rate("interactions"), t("throughput.means")),
          tile(t("lag"), number(most), t("lag.means"), most > BEHIND),
          tile(t("fresh"), told.view_age === null ? "–" : number(told.view_age, { maximumFractionDigits: 1, style: "unit", unit: "second" }), t("fresh.means"), told.view_age === null || told.view_age > OLD),
          tile(t("dead"), dead === undefined ? "–" : number(dead), t("dead.means"), dead > 0)),
        table("lags", t("workers"), [["worker", ""], ["topic", ""], ["lag", "number"], ["rate", "number"]],
          told.workers.map((one) => [one.worker, code(one.topic), one.lag === null ? t("lag.none") : number(one.lag), rate(one.topic)]), t("workers.none")),
        table("letters", t("dead_letters"), [["topic", ""], ["cause", ""], ["letters", "number"], ["last", ""], ["replay", ""]],
          (told.dead_letters ?? []).map((one) => [code(one.topic), word("cause", one.reason), number(one.letters), distance(one.last_failed_at), code(`rihla replay --reason ${one.reason} --topic ${one.topic}`)]), told.dead_letters === null ? t("stored.unknown") : t("dead.none")),
        table("told", t("deliveries"), [["target", ""], ["state", ""], ["deliveries", "number"], ["p99", "number"]],
          (told.deliveries ?? []).map((one) => [one.target, t(`delivery.${one.status}`), number(one.deliveries), one.p99_s === null ? "–" : number(one.p99_s, { style: "unit", unit: "second" })]), told.deliveries === null ? t("stored.unknown") : t("deliveries.none")),
        h("p", { class: "none" }, t("model"), " ", code(told.model)));
      if (focused) box.querySelector(`.scroll[aria-labelledby="${focused}"]`)?.focus();
    },
    expired,
  });
  const timer = setInterval(() => document.visibilityState === "visible" && reading.again(), EVERY);
  return () => {
    clearInterval(timer);
    reading.close();
  };
}
