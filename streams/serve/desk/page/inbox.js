// What waits for somebody: alerts and cases of my units, the gravest first, as they come.
import { answer } from "./actions.js";
import { follow, get } from "./api.js";
import { bdi, coded, h } from "./dom.js";
import { distance, duration, moment, number, short, t, word } from "./i18n.js";
import { empty, shown, stale } from "./states.js";
import { offer, tell } from "./story.js";

const GAP = 1000; // milliseconds between two readings, however many events come
const CLOCK = 20000;

/** The link of a line: to the customer, remembering what led there. */
const target = (one) => `#/customer/${encodeURIComponent(one.customer_id)}?from=${encodeURIComponent(one.id)}`;

const isSnoozed = (one) => one.snoozed_until !== null && new Date(one.snoozed_until).getTime() > Date.now();

function clock(one) {
  if (isSnoozed(one)) return h("time", { class: "clock calm", datetime: one.snoozed_until }, t("snoozed", { time: moment(one.snoozed_until) }));
  if (one.due === null) return h("span", { class: "clock calm" }, t("answered"));
  const left = new Date(one.due).getTime() - Date.now();
  const label = one.kind === "case" && one.answered ? "resolve" : "answer";
  const state = left < 0 ? "late" : left < 15 * 60000 ? "soon" : "calm";
  const text = left < 0 ? t(`due.${label}.late`, { time: duration(left) }) : t(`due.${label}`, { time: distance(one.due) });
  return h("time", { class: `clock ${state}`, datetime: one.due, title: moment(one.due) }, text);
}

function inside(one) {
  const title = one.kind === "case" ? word("touchpoint", one.rule) : word("rule", one.rule);
  return [
    h("span", { class: "head" },
      h("span", { class: `severity ${one.severity}` }, t(`severity.${one.severity}`)),
      h("span", { class: "kind" }, t(`kind.${one.kind}`)),
      one.count && h("span", { class: "count" }, t("times", { n: number(one.count) }))),
    h("span", { class: "title" }, title),
    h("span", { class: "facts" },
      one.owner && bdi(one.owner, { class: "unit" }),
      one.customer_id && coded(short(one.customer_id), one.customer_id),
      one.handler && h("span", { class: "handler" }, t("handler", { who: one.handler })),
      one.contacts > 1 && h("span", {}, t("contacts", { n: number(one.contacts) })),
      h("time", { datetime: one.at, title: moment(one.at) }, distance(one.at))),
    one.reason && h("span", { class: "reason", lang: "en", dir: "auto" }, one.reason),
    clock(one),
  ];
}

function line(one, known, take) {
  const fresh = known !== null && !known.has(one.id);
  const classes = `line ${one.severity}${fresh ? " fresh" : ""}${isSnoozed(one) ? " snoozed" : ""}`;
  if (one.kind !== "storm") {
    return h("li", { class: classes, "data-key": one.id }, h("a", { class: "row", href: target(one) }, inside(one)),
      take && one.handler === null && h("button", { class: "button small take", onclick: () => take(one) }, t("act.take")));
  }
  return h("li", { class: classes, "data-key": one.id },
    h("details", {}, h("summary", { class: "row" }, inside(one)),
      h("ul", { class: "members" }, one.members.map((each) =>
        h("li", {}, h("a", { href: target(each) }, coded(short(each.customer_id), each.customer_id)), " ",
          h("time", { datetime: each.at }, distance(each.at)))))));
}

export function open(main, { me, query, live, news, expired }) {
  let known = null; // keys of the lines that were shown
  let told = null;
  let timer = 0;
  let last = 0;
  const unit = query.get("unit") ?? "";
  const path = (name) => `/desk/data/${name}${unit ? `?unit=${encodeURIComponent(unit)}` : ""}`;

  const box = h("div", { class: "lines" });
  const summary = h("p", { class: "summary" });
  const said = h("p", { class: "done", role: "status" });
  const units = h("select", { id: "unit", onchange: (event) => {
    location.hash = event.target.value ? `#/inbox?unit=${encodeURIComponent(event.target.value)}` : "#/inbox";
  } }, h("option", { value: "" }, me.all_units ? t("all_units") : t("my_units")),
    me.units.map((name) => h("option", { value: name, selected: name === unit }, name)));
  const help = h("dialog", { class: "card", "aria-labelledby": "keys-title" },
    h("h2", { id: "keys-title" }, t("keys")),
    h("dl", { class: "keys" }, [["j", "keys.next"], ["k", "keys.previous"], ["Enter", "keys.open"], ["t", "keys.take"], ["Esc", "keys.back"], ["?", "keys.help"]]
      .map(([key, text]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, t(text))])),
    h("label", { class: "check" }, h("input", { type: "checkbox", checked: keysOn(), onchange: (event) => keysOn(event.target.checked) }), t("keys.on")),
    h("form", { method: "dialog" }, h("button", { class: "button" }, t("close"))));
  main.append(h("div", { class: "title-bar" }, h("h1", {}, t("view.inbox")), summary,
    h("label", { class: "picker" }, h("span", { class: "unseen" }, t("unit")), units),
    h("button", { class: "quiet", onclick: async () => {
      said.textContent = (await tell(me)) ?? "";
    } }, t("story.button")),
    h("button", { class: "quiet keys-button", onclick: () => help.showModal() }, t("keys"))), offer(me) ?? "", said, box, help);

  async function take(one) {
    const [, text] = await answer(one, "take");
    said.textContent = text;
  }

  function show(answered) {
    told = answered;
    const lines = [...answered.items.filter((one) => !isSnoozed(one)), ...answered.items.filter(isSnoozed)];
    const focused = document.activeElement?.closest?.("[data-key]")?.dataset.key;
    const opened = new Set([...box.querySelectorAll("details[open]")].map((one) => one.parentElement.dataset.key));
    const rows = lines.map((one) => line(one, known, me.may.includes("answer") ? take : null));
    const fresh = known === null ? [] : answered.items.filter((one) => !known.has(one.id));
    for (const row of rows) {
      if (opened.has(row.dataset.key)) row.firstChild.open = true;
    }
    box.replaceChildren(...[stale(answered.age),
      rows.length === 0 ? empty(t("inbox.empty"), t("inbox.empty.hint")) : h("ol", { class: "inbox-lines", "aria-label": t("view.inbox") }, rows),
      answered.lines > rows.length && h("p", { class: "more" }, t("more", { n: number(answered.lines - rows.length) }))].filter(Boolean));
    summary.textContent = t("inbox.total", { n: number(answered.total) });
    if (focused !== undefined) focus(rows.find((one) => one.dataset.key === focused));
    if (fresh.length > 0) {
      const first = fresh[0];
      news(t("inbox.news", { n: number(fresh.length), what: first.kind === "case" ? word("touchpoint", first.rule) : word("rule", first.rule) }));
    }
    known = new Set(answered.items.map((one) => one.id));
    document.title = answered.total ? `(${answered.total}) ${t("view.inbox")} · Rihla` : `${t("view.inbox")} · Rihla`;
  }

  const focus = (row) => row?.querySelector(".row").focus();
  const reading = shown(box, { read: (signal) => get(path("inbox"), signal), show, expired });

  function heard() {
    if (timer) return;
    timer = setTimeout(() => {
      timer = 0;
      last = Date.now();
      reading.again();
    }, Math.max(0, GAP - (Date.now() - last)));
  }

  let connected = false;
  const unfollow = follow(path("events"), ["alert", "case"], heard, (state) => {
    if (state && connected === false && told !== null) heard(); // what came meanwhile
    connected = state;
    live(state);
  }, () => reading.again());

  const ticking = setInterval(() => told !== null && document.visibilityState === "visible" && refresh(), CLOCK);
  function refresh() {
    for (const one of told.items) {
      const row = box.querySelector(`[data-key="${CSS.escape(one.id)}"] .row > .clock`);
      row?.replaceWith(clock(one));
    }
  }

  function pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) || help.open) return;
    if (!keysOn()) return;
    const rows = [...box.querySelectorAll(".inbox-lines > li")];
    const at = rows.findIndex((one) => one.contains(document.activeElement));
    if (event.key === "j") focus(rows[Math.min(at + 1, rows.length - 1)]);
    else if (event.key === "k") focus(rows[Math.max(at - 1, 0)]);
    else if (event.key === "t" && at >= 0) rows[at].querySelector(".take")?.click();
    else if (event.key === "?") help.showModal();
    else return;
    event.preventDefault();
  }
  addEventListener("keydown", pressed);

  return () => {
    clearTimeout(timer);
    clearInterval(ticking);
    removeEventListener("keydown", pressed);
    unfollow();
    reading.close();
  };
}

/** Whether single keys do something; set where a value is given. */
export function keysOn(value) {
  try {
    if (value !== undefined) localStorage.setItem("rihla.keys", value ? "on" : "off");
    return localStorage.getItem("rihla.keys") !== "off";
  } catch {
    return true;
  }
}
