// The desk: signing in, the frame around the views, and which view an address names.
import { Failure, get, send } from "./api.js";
import { h } from "./dom.js";
import { LANGUAGES, language, preferred, speak, t } from "./i18n.js";
import { failed } from "./states.js";

const VIEWS = [
  ["inbox", "alerts", () => import("./inbox.js")],
  ["customer", "customer", () => import("./customer.js")],
  ["today", "day", () => import("./today.js")],
  ["overview", "figures", () => import("./overview.js")],
  ["readiness", "figures", () => import("./readiness.js")],
  ["pipeline", "pipeline", () => import("./pipeline.js")],
];

const AGAIN = 3000; // ms until a view that could not be loaded is asked for again

let me = null;
let close = null;
let shows = 0;

const mine = () => VIEWS.filter(([, right]) => me.may.includes(right));

/** `#/customer/C1?from=x`: the view's name, what stands behind it, and the parameters. */
function address() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  return { name, what: decodeURIComponent(rest.join("/")), query: new URLSearchParams(query ?? "") };
}

function languages() {
  const choice = h("select", { id: "language", "aria-label": t("language"), onchange: async (event) => {
    await speak(event.target.value, true);
    if (me === null) signIn();
    else frame();
    document.getElementById("language").focus();
  } }, Object.entries(LANGUAGES).map(([name, [own]]) =>
    h("option", { value: name, lang: name, selected: name === language }, own)));
  return choice;
}

const brand = () => [h("img", { src: "/desk/assets/icon.svg", alt: "", width: 28, height: 28 }), h("span", {}, "Rihla")];

function stop() {
  close?.();
  close = null;
  shows += 1;
}

function signIn(why) {
  stop();
  me = null;
  document.title = `${t("sign_in")} · Rihla`;
  const token = h("input", { id: "token", type: "password", autocomplete: "current-password", required: true,
    "aria-describedby": "said", dir: "ltr", spellcheck: "false" });
  const said = h("p", { id: "said", class: why ? "said" : "", role: why ? "alert" : undefined }, why ? t(why) : t("sign_in.hint"));
  const form = h("form", { class: "card sign-in", onsubmit: async (event) => {
    event.preventDefault();
    const refused = await enter(token.value);
    if (refused) {
      said.className = "said";
      said.setAttribute("role", "alert");
      said.textContent = t(refused);
      token.select();
    }
  } },
    h("h1", {}, brand()), h("label", { for: "token" }, t("token")), token, said,
    h("button", { class: "button primary" }, t("sign_in")), languages());
  document.body.replaceChildren(h("main", { class: "door" }, form));
  token.focus();
  offerCompany(form);
}

/** A link to the company's own sign-in, where there is one. */
async function offerCompany(form) {
  let ways;
  try {
    ways = await get("/desk/data/sign-in");
  } catch {
    return; // a token does without
  }
  if (ways.company) form.querySelector("button").after(h("a", { class: "button", href: "/desk/company" }, t("sign_in.company")));
}

/** Signs in. The key of the text that says why not, where that fails. */
async function enter(token) {
  try {
    await send("POST", "/desk/session", { token });
    me = await get("/desk/data/me");
  } catch (failure) {
    return { expired: "sign_in.refused", offline: "failure.offline" }[failure.kind] ?? "sign_in.refused";
  }
  frame();
  return null;
}

async function signOut() {
  await send("DELETE", "/desk/session").catch(() => null);
  location.hash = "";
  signIn();
}

function frame() {
  const links = mine().map(([name]) =>
    h("a", { href: `#/${name}`, id: `to-${name}`, class: `tab ${name}` }, h("span", {}, t(`view.${name}`))));
  document.body.replaceChildren(
    h("a", { class: "skip", href: "#main", onclick: (event) => {
      event.preventDefault();
      document.getElementById("main").focus();
    } }, t("skip")),
    h("header", { class: "top" },
      h("a", { class: "brand", href: "#/", "aria-label": "Rihla" }, brand()),
      h("nav", { "aria-label": t("views") }, links),
      h("div", { class: "who" },
        h("span", { id: "live", class: "live", hidden: true }),
        languages(),
        h("button", { class: "quiet", onclick: signOut, title: me.name }, t("sign_out")))),
    h("main", { id: "main", tabindex: "-1" }),
    h("div", { id: "news", class: "unseen", role: "status", "aria-live": "polite" }));
  show();
}

async function show() {
  if (me === null) return;
  stop();
  const turn = shows;
  const { name, what, query } = address();
  const found = mine().find(([one]) => one === name) ?? mine()[0];
  for (const link of document.querySelectorAll(".tab")) {
    if (found && link.id === `to-${found[0]}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const main = document.getElementById("main");
  if (found === undefined) {
    main.replaceChildren(h("p", { class: "empty" }, t("failure.forbidden")));
    return;
  }
  document.title = `${t(`view.${found[0]}`)} · Rihla`;
  let view = null;
  try {
    view = await found[2]();
  } catch { // the server or the network is away
  }
  if (turn !== shows) return;
  main.className = found[0];
  main.replaceChildren();
  live(null);
  if (view === null) {
    main.append(failed(new Failure("offline"), show));
    const timer = setTimeout(show, AGAIN);
    close = () => clearTimeout(timer);
    return;
  }
  close = view.open(main, { me, what: found[0] === name ? what : "", query, live, news, expired: () => signIn("expired") });
}

/** Says whether events come: true, false, or null where a view has none. */
function live(state) {
  const sign = document.getElementById("live");
  if (sign === null) return;
  sign.hidden = state === null;
  sign.className = state ? "live on" : "live off";
  sign.textContent = state ? t("live.on") : t("live.off");
}

/** Tells people who hear the page what is new. */
function news(text) {
  const box = document.getElementById("news");
  if (box !== null) box.textContent = text;
}

async function begin() {
  await speak(preferred(), false);
  addEventListener("hashchange", show);
  const told = new URLSearchParams(location.hash.slice(1));
  const given = told.get("token"), back = told.get("sign_in");
  if (["refused", "away", "over"].includes(back)) {
    history.replaceState(null, "", location.pathname);
    signIn(`sign_in.company_${back}`);
    return;
  }
  if (given) {
    history.replaceState(null, "", location.pathname); // out of the address before anything else
    const refused = await enter(given);
    if (refused) signIn(refused);
    return;
  }
  try {
    me = await get("/desk/data/me");
  } catch (failure) {
    signIn(failure.kind === "offline" ? "failure.offline" : undefined);
    return;
  }
  frame();
}

begin();
