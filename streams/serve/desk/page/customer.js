// Who is calling: how they feel and why, what is open, what they like, and their contacts across channels.
import { actions, correction } from "./actions.js";
import { follow, get } from "./api.js";
import { drawn, sentiment } from "./chart.js";
import { bdi, code, coded, h } from "./dom.js";
import { day, distance, moment, number, plain, short, signed, t, word } from "./i18n.js";
import { empty, shown, stale } from "./states.js";

const TYPING = 250;
const HALF_LIFE = 30 * 86400000;

function search(main, live) {
  const list = h("ul", { id: "found", class: "found", "aria-label": t("search.found") });
  const said = h("p", { class: "unseen", role: "status" });
  let timer = 0;
  let controller = null;
  const input = h("input", { id: "q", type: "search", autocomplete: "off", spellcheck: "false", placeholder: t("search.hint"),
    maxlength: 200, "aria-controls": "found", oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(run, TYPING);
    } });
  async function run() {
    controller?.abort();
    controller = new AbortController();
    const text = input.value.trim();
    if (text.length < 2) return list.replaceChildren();
    try {
      const { found } = await get(`/v1/search?q=${encodeURIComponent(text)}`, controller.signal);
      list.replaceChildren(...found.map((one) => h("li", {}, h("a", { href: `#/customer/${encodeURIComponent(one.customer_id)}` },
        h("span", { class: "kind" }, word("identifier", one.kind)), " ", code(one.value)))));
      said.textContent = t("search.number", { n: number(found.length) });
      if (found.length === 0) list.replaceChildren(h("li", { class: "none" }, t("search.none")));
    } catch (failure) {
      if (failure.name === "AbortError") return;
      if (failure.kind === undefined) throw failure;
      if (failure.kind === "expired") return live.expired();
      list.replaceChildren(h("li", { class: "none" }, t(`failure.${failure.kind}`)));
    }
  }
  main.append(h("form", { class: "search", role: "search", onsubmit: (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (text) location.hash = `#/customer/${encodeURIComponent(text)}`;
  } }, h("label", { for: "q" }, t("search")), h("div", { class: "search-row" }, input, h("button", { class: "button" }, t("search.open")))), list, said);
  return input;
}

const part = (title, content, id) =>
  h("section", { class: "card", "aria-labelledby": id }, h("h2", { id }, title), content);

function mood(profile) {
  const score = profile.sentiment_30d;
  return h("div", { class: `mood ${profile.name}` },
    h("span", { class: "chip" }, t(`profile.${profile.name}`)),
    h("span", { class: "score" }, score === null ? t("score.none") : signed(score)),
    profile.trend && h("span", { class: `trend ${profile.trend}` }, t(`trend.${profile.trend}`)));
}

/** Why a customer has the profile that they have: the rule, and what weighs most of the contacts that are shown. */
function why(told, may) {
  const last = new Date(told.profile.at).getTime();
  const scored = told.last_contacts.filter((one) => one.score !== undefined && one.score !== null);
  const weighed = scored.map((one) => {
    const weight = (one.score_weight ?? 0) * 2 ** (-(last - new Date(one.occurred_at).getTime()) / HALF_LIFE);
    return [weight * one.score, weight, one];
  }).sort((a, b) => Math.abs(b[0]) - Math.abs(a[0])).slice(0, 5);
  return h("details", { class: "why" }, h("summary", {}, t("why", { profile: t(`profile.${told.profile.name}`) })),
    h("p", {}, t("why.rule", { score: told.profile.sentiment_30d === null ? t("score.none") : signed(told.profile.sentiment_30d), evidence: number(told.profile.evidence, { maximumFractionDigits: 1 }) })),
    weighed.length === 0 ? h("p", {}, t("why.nothing")) : [
      h("p", {}, t("why.most", { n: number(scored.length) })),
      h("ol", {}, weighed.map(([effect, weight, one]) => h("li", {}, word("touchpoint", one.touchpoint), " — ",
        t("why.part", { score: signed(one.score), source: t(`source.${one.score_source}`), weight: number(weight, { maximumFractionDigits: 2 }), effect: signed(effect) }),
        " ", h("time", { datetime: one.occurred_at }, distance(one.occurred_at)), correction(one, told.customer_id, may))))]);
}

function contact(one, told, may) {
  const scored = one.score !== undefined && one.score !== null;
  const tone = !scored ? "unknown" : one.score <= -0.25 ? "bad" : one.score >= 0.25 ? "good" : "even";
  return h("li", { class: `contact ${tone}` },
    h("div", { class: "facts" },
      h("time", { datetime: one.occurred_at }, moment(one.occurred_at)),
      h("span", { class: "channel" }, t(`channel.${one.channel}`)),
      one.medium && h("span", {}, word("medium", one.medium)),
      one.unit && bdi(one.unit)),
    h("div", { class: "title" }, word("touchpoint", one.touchpoint),
      scored && h("span", { class: `mark ${tone}`, title: t(`source.${one.score_source}`) }, signed(one.score))),
    one.survey && h("div", { class: "survey" }, t("survey", { instrument: one.survey.instrument.toUpperCase(), score: number(one.survey.score) })),
    one.text && h("blockquote", { dir: "auto", lang: one.language ?? undefined }, one.text),
    correction(one, told.customer_id, may));
}

function journey(one) {
  const { plan } = one;
  return h("li", {},
    h("div", { class: "title" }, one.booking_ref ? code(one.booking_ref) : t("visit"), " ", h("span", { class: "chip plain" }, t(`status.${one.status}`))),
    h("div", { class: "facts" },
      plan.unit && bdi(plan.unit),
      plan.arrival_date && h("span", {}, t("arrival", { date: day(`${plan.arrival_date}T12:00:00`) })),
      plan.nights && h("span", {}, t("nights", { n: number(plan.nights) })),
      plan.room && h("span", {}, t("room"), " ", code(plan.room)),
      one.next_milestone && h("span", {}, t("next", { what: word("milestone", one.next_milestone) }))));
}

function identifiers(told, reveal) {
  return [h("ul", { class: "plain" }, told.identifiers.map((one) => h("li", {}, h("span", { class: "kind" }, word("identifier", one.kind)), " ", code(one.value)))),
    h("button", { class: "button small identifiers-button", onclick: reveal }, t("reveal"))];
}

/** What to do next, and why: the reason is a sentence of the rules. */
const action = (one) => h("li", {}, h("div", { class: "title" }, word("action", one.action)), h("div", { class: "reason", lang: "en", dir: "auto" }, one.reason));

const agreed = (one) => h("li", {}, h("strong", { class: one.given ? "good" : "bad" }, t(one.given ? "consent.given" : "consent.withdrawn")),
  h("div", { class: "facts" }, h("span", {}, one.purpose === "any" ? t("consent.all") : word("consent", one.purpose)), h("span", {}, one.channel === "any" ? t("consent.any_way") : word("medium", one.channel)), one.source && bdi(one.source), one.at && h("time", { datetime: one.at }, moment(one.at))));

const membership = (one) => h("li", {}, h("div", { class: "title" }, code(one.group)),
  h("div", { class: "facts" }, h("span", {}, t("group.since", { from: day(one.since) })), one.until && h("span", {}, t("group.until", { to: day(one.until) })),
    ["guide", "bus", "tent", "floor"].filter((label) => one[label]).map((label) => h("span", {}, `${t(`group.${label}`)} `, bdi(one[label])))));

/** The buttons of an alert or a case, for those who may. */
const buttons = (me, told, kind, one, id, answered) =>
  me.may.includes("answer") && actions({ kind, id, customer_id: one.customer_id ?? told.customer_id, handler: one.handler, answered }, me.name);

function page(told, focused, reveal, me) {
  const list = (items, make, none) => (items.length ? h("ul", { class: "plain" }, items.map(make)) : h("p", { class: "none" }, t(none)));
  const may = me.may.includes("answer");
  const scored = told.last_contacts.some((one) => one.score !== undefined && one.score !== null);
  return [
    h("section", { class: "card person", "aria-label": t("view.customer") },
      h("h1", {}, coded(short(told.customer_id), told.customer_id)), mood(told.profile),
      h("p", { class: "facts" }, h("span", {}, t("known", { n: number(told.interactions), since: moment(told.first_event_at) })),
        h("span", {}, t("last_seen", { when: distance(told.last_event_at) }))),
      told.cautions.length > 0 && h("div", { class: "cautions", role: "note" }, h("strong", {}, t("cautions")),
        h("ul", {}, told.cautions.map((one) => h("li", {}, t(`caution.${one}`))))),
      why(told, may)),
    h("div", { class: "columns" },
      h("div", {},
        part(t("timeline"), [scored && drawn(h("div", { class: "chart" }), sentiment(told.last_contacts)),
          told.last_contacts.length ? h("ol", { class: "contacts" }, told.last_contacts.map((one) => contact(one, told, may))) : h("p", { class: "none" }, t("timeline.none"))], "timeline")),
      h("div", {},
        part(t("open_alerts"), list(told.open_alerts, (one) => h("li", { class: one.alert_id === focused ? "focused" : "" },
          h("div", {}, h("span", { class: `severity ${one.severity}` }, t(`severity.${one.severity}`)), " ", word("rule", one.rule)),
          h("div", { class: "reason", lang: "en", dir: "auto" }, one.reason),
          h("div", { class: "facts" }, one.unit && bdi(one.unit), h("time", { datetime: one.raised_at }, distance(one.raised_at)),
            one.handler && h("span", { class: "handler" }, t("handler", { who: one.handler })),
            one.snoozed_until && h("span", {}, t("snoozed", { time: moment(one.snoozed_until) }))),
          buttons(me, told, "alert", one, one.alert_id, one.acknowledged_at !== null)), "alerts.none"), "alerts"),
        part(t("open_cases"), list(told.open_cases, (one) => h("li", { class: one.case_id === focused ? "focused" : "" },
          h("div", { class: "title" }, word("touchpoint", one.touchpoint), " ", code(one.case_id)),
          h("div", { class: "facts" }, one.unit && bdi(one.unit), one.opened_at && h("span", {}, t("opened", { when: distance(one.opened_at) })),
            h("span", {}, one.first_response_at ? t("responded") : t("not_responded")), h("span", {}, t("contacts", { n: number(one.contacts) })),
            one.handler && h("span", { class: "handler" }, t("handler", { who: one.handler })),
            one.snoozed_until && h("span", {}, t("snoozed", { time: moment(one.snoozed_until) }))),
          buttons(me, told, "case", one, one.case_id, one.first_response_at !== null)), "cases.none"), "cases"),
        (told.next_actions ?? []).length > 0 && part(t("next_actions"), list(told.next_actions.slice(0, 3), action, ""), "next-actions"),
        part(t("journeys"), list([...told.open_journeys, ...told.past_journeys].slice(0, 6), journey, "journeys.none"), "journeys"),
        part(t("preferences"), list(told.preferences, (one) => h("li", {}, word("preference", one.key), ": ", h("strong", { dir: "auto" }, plain(one.value)),
          h("div", { class: "facts" }, one.last_at && h("span", {}, distance(one.last_at)), h("span", {}, t("evidence", { n: number(one.evidence) })))), "preferences.none"), "preferences"),
        told.groups.length > 0 && part(t("groups"), list(told.groups, membership, ""), "groups"),
        part(t("consent"), list(told.consent, agreed, "consent.none"), "consent"),
        part(t("identifiers"), identifiers(told, reveal), "identifiers"))),
  ];
}

export function open(main, { me, what, query, live, news, expired }) {
  const input = search(main, { expired });
  const box = h("div", { class: "customer-page" });
  main.append(box);
  const back = (event) => {
    if (event.key === "Escape" && !document.querySelector("dialog[open]") && query.has("from")) history.back();
    if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
      event.preventDefault();
      input.focus();
    }
  };
  addEventListener("keydown", back);
  if (!what) {
    box.append(empty(t("customer.empty"), t("customer.empty.hint")));
    input.focus();
    return () => removeEventListener("keydown", back);
  }
  let unfollow = () => {};
  let reason = null;
  const path = `/v1/customers/${encodeURIComponent(what)}`;

  function show(told) {
    if (told.several) {
      box.replaceChildren(h("section", { class: "card" }, h("h1", {}, t("several")), h("ul", { class: "plain" }, told.customers.map((one) =>
        h("li", {}, h("a", { href: `#/customer/${encodeURIComponent(one)}` }, coded(short(one), one)))))));
      return;
    }
    const opened = box.querySelector(".why")?.open;
    const verb = document.activeElement?.dataset?.verb;
    const at = verb ? [...box.querySelectorAll("[data-verb]")].indexOf(document.activeElement) : -1;
    box.replaceChildren(...[stale(told.age ?? 0), ...page(told, query.get("from"), ask, me)].filter(Boolean));
    if (opened) box.querySelector(".why").open = true;
    if (at >= 0) box.querySelectorAll("[data-verb]")[at]?.focus();
    document.title = `${short(told.customer_id)} · Rihla`;
  }

  function ask() {
    const text = h("input", { id: "reason", required: true, maxlength: 200, autocomplete: "off" });
    const dialog = h("dialog", { class: "card", "aria-labelledby": "reason-title", onclose: () => dialog.remove() },
      h("h2", { id: "reason-title" }, t("reveal")),
      h("form", { onsubmit: (event) => {
        event.preventDefault();
        reason = text.value.trim();
        dialog.close();
        reading.again();
      } }, h("label", { for: "reason" }, t("reveal.reason")), text, h("p", { class: "none" }, t("reveal.hint")),
        h("button", { class: "button primary" }, t("reveal")), " ", h("button", { class: "button", type: "button", onclick: () => dialog.close() }, t("cancel"))));
    main.append(dialog);
    dialog.showModal();
  }

  const reading = shown(box, {
    read: (signal) => get(reason ? `${path}?reveal=true&reason=${encodeURIComponent(reason)}` : path, signal),
    show: (told) => {
      const first = unfollow.on === undefined;
      show(told);
      if (first && !told.several) {
        unfollow = follow(`${path}/events`, ["customer", "journey", "case", "alert"], (now) => {
          if (reason) return reading.again();
          show({ ...now, age: 0 });
          news(t("customer.news"));
        }, live, () => reading.again());
        unfollow.on = true;
      }
    },
    expired,
  });
  return () => {
    removeEventListener("keydown", back);
    unfollow();
    reading.close();
  };
}
