// What people do with an alert or a case, and what they say of a text that was read wrongly: each is an event, and what it
// changes comes back by the stream.
import { send } from "./api.js";
import { h } from "./dom.js";
import { t } from "./i18n.js";

const HOUR = 3600000;

/** A name for what was shown: a double click is one answer, the same answer tomorrow is another. */
const click = () => `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;

function tomorrow() {
  const at = new Date(Date.now() + 24 * HOUR);
  at.setHours(9, 0, 0, 0);
  return at.getTime();
}

const UNTIL = [["hour", () => Date.now() + HOUR], ["four", () => Date.now() + 4 * HOUR], ["tomorrow", tomorrow]];

/** Sends an answer. what: {kind, id, customer_id}. Returns the text that says how it went, and whether it did. */
export async function answer(what, verb, more = {}) {
  return sent("/desk/data/answer", { kind: what.kind, id: what.id, customer_id: what.customer_id, verb, ...more });
}

async function sent(path, body) {
  try {
    await send("POST", path, { ...body, click: click() });
    return [true, t("act.sent")];
  } catch (failure) {
    if (failure.kind === undefined) throw failure;
    const key = { missing: "act.gone", failed: "act.refused" }[failure.kind] ?? `failure.${failure.kind}`;
    return [false, t(failure.kind === "expired" ? "expired" : key)];
  }
}

const VERDICTS = ["positive", "neutral", "negative"];

/** What the text of a contact was read as: by its score, as it was computed. */
const read = (one) => (one.score_source !== "text" ? null : one.score >= 0.25 ? "positive" : one.score <= -0.25 ? "negative" : "neutral");

/** What a person said of a text, and one click to say that it was read wrongly. may: whether whoever is signed in may say so. */
export function correction(one, customer_id, may) {
  if (!one.text || one.score_source === "survey") return null;
  const said = h("span", { class: "done", role: "status" });
  const now = one.corrected?.verdict ?? read(one);
  return h("div", { class: "correction" },
    one.corrected && h("p", { class: "corrected" }, t("correct.was", { verdict: t(`correct.${one.corrected.verdict}`), who: one.corrected.who ?? "–" })),
    may && h("div", { class: "buttons", role: "group", "aria-label": t("correct") }, h("span", { class: "none" }, t("correct")),
      VERDICTS.filter((verdict) => verdict !== now).map((verdict) => h("button", { class: "button tiny", "data-verb": `correct-${verdict}`, onclick: async (event) => {
        event.target.disabled = true;
        const [went, text] = await sent("/desk/data/correction", { customer_id, event_id: one.event_id, verdict });
        event.target.disabled = went;
        said.textContent = text;
      } }, t(`correct.${verdict}`))), said));
}

function ask(what, verb, said) {
  const id = `act-${verb}`;
  const note = h("textarea", { id: `${id}-note`, rows: 3, maxlength: 1000, "aria-describedby": `${id}-hint` });
  const to = verb === "assign" && h("input", { id: `${id}-to`, required: true, maxlength: 100, autocomplete: "off" });
  const until = verb === "snooze" && h("select", { id: `${id}-until` }, UNTIL.map(([name]) => h("option", { value: name }, t(`until.${name}`))));
  const wrong = h("p", { class: "said", role: "alert" });
  const dialog = h("dialog", { class: "card", "aria-labelledby": `${id}-title`, onclose: () => dialog.remove() },
    h("h2", { id: `${id}-title` }, t(`act.${verb}`)),
    h("form", { onsubmit: async (event) => {
      event.preventDefault();
      const more = { note: note.value.trim() || null };
      if (to) more.to = to.value.trim();
      if (until) more.until = UNTIL.find(([name]) => name === until.value)[1]();
      const [went, text] = await answer(what, verb, more);
      if (went) {
        dialog.close();
        said(text);
      } else wrong.textContent = text;
    } },
      to && [h("label", { for: to.id }, t("act.to")), to],
      until && [h("label", { for: until.id }, t("act.until")), until],
      h("label", { for: note.id }, t("act.note")), note, h("p", { class: "none", id: `${id}-hint` }, t("act.note.hint")), wrong,
      h("div", { class: "buttons" }, h("button", { class: "button primary" }, t("act.send")),
        h("button", { class: "button", type: "button", onclick: () => dialog.close() }, t("cancel")))));
  document.getElementById("main").append(dialog);
  dialog.showModal();
}

/** The buttons of an alert or a case. what: {kind, id, customer_id, handler, answered}; name: of whoever is signed in. */
export function actions(what, name) {
  const said = h("p", { class: "done", role: "status" });
  const say = (text) => {
    said.textContent = text;
  };
  const taken = what.handler === name;
  const verbs = [!taken && "take", !what.answered && "answer", "resolve", "assign", "snooze", taken && "decline"].filter(Boolean);
  return h("div", { class: "actions", role: "group", "aria-label": t("act.actions") },
    h("div", { class: "buttons" }, verbs.map((verb) =>
      h("button", { class: `button small ${verb === "take" ? "primary" : ""}`, "data-verb": verb, onclick: async (event) => {
        if (verb !== "take" && verb !== "decline") return ask(what, verb, say);
        event.target.disabled = true;
        const [went, text] = await answer(what, verb);
        event.target.disabled = went;
        say(text);
      } }, t(`act.${verb}`)))), said);
}
