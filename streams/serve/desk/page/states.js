// What every view shows while it has nothing, when it can get nothing, and when what it has is old.
import { h } from "./dom.js";
import { t } from "./i18n.js";

const STALE = 10; // seconds

export function loading() {
  return h("div", { class: "loading", role: "status", "aria-busy": "true" },
    h("span", { class: "unseen" }, t("loading")),
    h("div", { class: "bone", "aria-hidden": "true" }), h("div", { class: "bone", "aria-hidden": "true" }),
    h("div", { class: "bone", "aria-hidden": "true" }));
}

export function empty(text, hint) {
  return h("div", { class: "empty", role: "status" }, h("p", { class: "big" }, text), hint && h("p", {}, hint));
}

export function failed(failure, again) {
  return h("div", { class: "failed", role: "alert" },
    h("p", { class: "big" }, t(`failure.${failure.kind}`)),
    h("p", {}, t(`failure.${failure.kind}.hint`)),
    again && h("button", { class: "button", onclick: again }, t("again")));
}

export function stale(age) {
  return age < STALE ? null : h("p", { class: "stale", role: "status" }, t("stale", { seconds: age }));
}

/** Fills `box` with what `read` promises and `show` makes of it; asks again by itself while the server is not ready. */
export function shown(box, { read, show, expired }) {
  let timer = 0;
  let controller = null;
  let first = true;
  let over = false;
  async function run() {
    clearTimeout(timer);
    controller?.abort();
    controller = new AbortController();
    const mine = controller;
    if (first) box.replaceChildren(loading());
    try {
      const told = await read(mine.signal);
      if (over || mine !== controller) return;
      first = false;
      show(told);
    } catch (failure) {
      if (over || mine !== controller || failure.name === "AbortError") return;
      if (failure.kind === undefined) throw failure; // a fault of ours
      if (failure.kind === "expired") return expired();
      first = true;
      box.replaceChildren(failed(failure, run));
      if (failure.retry) timer = setTimeout(run, failure.retry * 1000);
    }
  }
  run();
  return { again: run, close() { over = true; clearTimeout(timer); controller?.abort(); } };
}
