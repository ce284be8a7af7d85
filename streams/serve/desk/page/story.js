// One story in two minutes, for whoever sees the desk for the first time: six steps through the views, with what to look at.
import { get } from "./api.js";
import { h } from "./dom.js";
import { number, short, t, word } from "./i18n.js";

const SEEN = "rihla.story";

function seen(value) {
  try {
    if (value) localStorage.setItem(SEEN, "seen");
    return localStorage.getItem(SEEN) === "seen";
  } catch {
    return true;
  }
}

/** The steps: [key of the text, address, what is to be looked at]. */
function steps(told, me) {
  const who = `customer/${encodeURIComponent(told.customer_id)}?from=${encodeURIComponent(told.id)}`;
  const day = new URLSearchParams({ ...(told.unit ? { unit: told.unit } : {}), ...(told.day ? { date: told.day } : {}) });
  return [
    ["story.inbox", "inbox", `main.inbox [data-key="${CSS.escape(told.id)}"]`],
    ["story.customer", who, "main.customer .person"],
    ["story.why", who, "main.customer .why", (box) => { box.open = true; }],
    ["story.act", who, `main.customer section:has(#${told.kind}s)`],
    me.may.includes("day") && ["story.today", `today?${day}`, "main.today .columns"],
    me.may.includes("figures") && ["story.overview", `overview${told.unit ? `?${new URLSearchParams({ unit: told.unit })}` : ""}`, "main.overview section:has(#journey-map)"],
    me.may.includes("pipeline") && ["story.pipeline", "pipeline", "main.pipeline .tiles"],
  ].filter(Boolean);
}

/** Waits until a view shows what a selector names: a few seconds at most. */
async function found(selector) {
  for (let turn = 0; turn < 50; turn += 1) {
    const box = document.querySelector(selector);
    if (box && !document.querySelector("#main [aria-busy]")) return box;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return null;
}

function close() {
  document.getElementById("story")?.remove();
  document.querySelector(".pointed")?.classList.remove("pointed");
  seen(true);
}

/** Begins the story. Says why not where there is none to tell. */
export async function tell(me) {
  document.getElementById("story")?.remove();
  let told;
  try {
    told = await get("/desk/data/story");
  } catch (failure) {
    if (failure.kind === undefined) throw failure;
    return t(failure.kind === "missing" ? "story.none" : `failure.${failure.kind}`);
  }
  const all = steps(told, me);
  const text = h("p", { id: "story-text" });
  const count = h("p", { class: "facts" });
  const back = h("button", { class: "button small", onclick: () => go(at - 1) }, t("story.back"));
  const on = h("button", { class: "button small primary", onclick: () => (at + 1 < all.length ? go(at + 1) : close()) });
  const panel = h("section", { id: "story", class: "card story", role: "region", "aria-label": t("story") }, count, text,
    h("div", { class: "buttons" }, back, on, h("button", { class: "button small", onclick: close }, t("story.end"))));
  let at = 0;
  async function go(turn) {
    at = turn;
    const [key, address, selector, change] = all[at];
    const values = { who: short(told.customer_id), what: word(told.kind === "case" ? "touchpoint" : "rule", told.rule), unit: told.unit ?? "–", profile: t(`profile.${told.profile}`) };
    text.textContent = t(key, values);
    count.textContent = t("story.step", { n: number(at + 1), of: number(all.length) });
    back.disabled = at === 0;
    on.textContent = t(at + 1 < all.length ? "story.next" : "story.end");
    location.hash = `#/${address}`;
    const box = await found(selector);
    if (turn !== at || !panel.isConnected) return;
    document.querySelector(".pointed")?.classList.remove("pointed");
    if (box === null) return;
    change?.(box);
    box.classList.add("pointed");
    box.scrollIntoView({ block: "center" });
  }
  document.body.append(panel);
  go(0);
  on.focus();
  return null;
}

/** The offer of the story, for a first visit; null where it was told, or declined. */
export function offer(me) {
  if (seen() || !me.may.includes("customer") || document.getElementById("story")) return null;
  const said = h("p", { role: "status" });
  const box = h("section", { class: "card offer", "aria-label": t("story") }, h("p", {}, t("story.offer")), said,
    h("div", { class: "buttons" },
      h("button", { class: "button small primary", onclick: async () => {
        const why = await tell(me);
        if (why) said.textContent = why;
        else box.remove();
      } }, t("story.begin")),
      h("button", { class: "button small", onclick: () => {
        seen(true);
        box.remove();
      } }, t("story.not_now"))));
  return box;
}
