// What stands behind a figure: its definition with the query, and the customers whom it counts.
import { get } from "./api.js";
import { code, coded, h } from "./dom.js";
import { distance, number, short, signed, t } from "./i18n.js";

/** A dialog that is gone once it is closed, and gives the focus back. */
export function opened(main, title, ...content) {
  const before = document.activeElement;
  const dialog = h("dialog", { class: "card broad", "aria-labelledby": "behind-title", onclose: () => {
    dialog.remove();
    before?.focus?.();
  } }, h("div", { class: "dialog-bar" }, h("h2", { id: "behind-title" }, title),
    h("button", { class: "button small", onclick: () => dialog.close() }, t("close"))), content);
  main.append(dialog);
  dialog.showModal();
  return dialog;
}

const failed = (box, failure) => {
  if (failure.kind === undefined) throw failure;
  box.replaceChildren(h("p", { class: "said", role: "alert" }, t(failure.kind === "expired" ? "expired" : `failure.${failure.kind}`)));
};

/** A word of a command line, quoted where a shell would take it apart. */
const quoted = (text) => (/^[\w./:=@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** What a figure is: words, columns, the command and the SQL that give it. asked: the parameters of the view. */
export async function definition(main, figure, title, asked) {
  const box = h("div", { class: "definition" }, t("loading"));
  opened(main, title, box);
  try {
    const told = await get(`/desk/data/figures/${figure}/definition?${asked}`);
    const command = ["rihla query", told.query, ...Object.entries(told.parameters).map(([name, value]) => `--param ${quoted(`${name}=${value}`)}`),
      ...told.where.map((one) => `--where ${quoted(one)}`)].join(" ");
    box.replaceChildren(
      h("p", { lang: "en", dir: "ltr" }, h("strong", {}, told.title), h("br"), told.doc),
      h("dl", { class: "columns-of", lang: "en", dir: "ltr" }, told.columns.map((one) => [h("dt", {}, code(one.name)), h("dd", {}, one.about)])),
      h("h3", {}, t("behind.command")), h("pre", { dir: "ltr", tabindex: 0, role: "region", "aria-label": t("behind.command") }, command),
      h("details", {}, h("summary", {}, "SQL"), h("pre", { dir: "ltr", tabindex: 0, role: "region", "aria-label": "SQL" }, told.sql)));
  } catch (failure) {
    failed(box, failure);
  }
}

/** Who is behind a mark of a chart; each who is shown is a look-up. behind: parameters that name the mark. */
export async function people(main, title, asked, behind) {
  const box = h("div", {}, t("loading"));
  const dialog = opened(main, title, h("p", { class: "none" }, t("behind.looked_up")), box);
  try {
    const query = new URLSearchParams(asked);
    for (const [name, value] of Object.entries(behind)) query.set(name, value);
    const told = await get(`/desk/data/people?${query}`);
    box.replaceChildren(
      h("p", { class: "facts" }, told.people.length === told.most ? t("behind.first", { n: number(told.most) }) : t("customers.n", { n: number(told.people.length) })),
      h("ul", { class: "plain" }, told.people.map((one) => h("li", { class: "behind-row" },
        h("a", { href: `#/customer/${encodeURIComponent(one.customer_id)}`, onclick: () => dialog.close() }, coded(short(one.customer_id), one.customer_id)),
        h("span", { class: "facts" },
          one.answer !== undefined && one.answer !== null && h("span", {}, t("behind.answer", { score: number(one.answer) })),
          one.score !== undefined && one.score !== null && h("span", { class: one.score < 0 ? "bad" : "good" }, h("bdi", { dir: "ltr" }, signed(one.score))),
          one.profile && h("span", {}, t(`profile.${one.profile}`)),
          one.last_at && h("time", { datetime: one.last_at }, distance(one.last_at)))))));
  } catch (failure) {
    failed(box, failure);
  }
}
