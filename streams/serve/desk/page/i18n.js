// Languages: texts from a file each, numbers and times from the browser's own Intl.

export const LANGUAGES = {
  en: ["English", "ltr", "en-GB"],
  ar: ["العربية", "rtl", "ar-u-ca-gregory-nu-latn"],
  id: ["Bahasa Indonesia", "ltr", "id"],
  tr: ["Türkçe", "ltr", "tr"],
  ur: ["اردو", "rtl", "ur-u-ca-gregory-nu-latn"],
  fr: ["Français", "ltr", "fr"],
};

let texts = {};
let english = {};
let locale = "en-GB";
export let language = "en";

function stored() {
  try {
    return localStorage.getItem("rihla.language");
  } catch {
    return null; // a browser that keeps nothing
  }
}

/** The language that was chosen here, else the first of the browser's that there is, else English. */
export function preferred() {
  const wanted = [stored(), ...(navigator.languages ?? [])].map((one) => (one ?? "").slice(0, 2).toLowerCase());
  return wanted.find((one) => one in LANGUAGES) ?? "en";
}

/** Loads a language and turns the page to its direction. */
export async function speak(chosen, keep) {
  const load = async (name) => (await fetch(`/desk/assets/${name}.json`, { cache: "no-cache" })).json();
  [texts, english] = await Promise.all([load(chosen), load("en")]);
  language = chosen;
  locale = LANGUAGES[chosen][2];
  document.documentElement.lang = chosen;
  document.documentElement.dir = LANGUAGES[chosen][1];
  if (keep) {
    try {
      localStorage.setItem("rihla.language", chosen);
    } catch {
      // for this page alone, then
    }
  }
}

/** The text of a key, with {name} filled in. */
export function t(key, values = {}) {
  const text = texts[key] ?? english[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** The text of a word of a list that others extend (rules, touchpoints ...); the word itself, readable, where there is none. */
export function word(list, name) {
  const bare = `${list}.${String(name).replace(/^\w+\./, "")}`; // `stay.complaint_made` is a complaint on every channel
  const key = `${list}.${name}` in english ? `${list}.${name}` : bare;
  return texts[key] ?? english[key] ?? plain(name);
}

/** `stay.halal_breach` as people write it. */
export function plain(name) {
  const last = String(name).replaceAll("_", " ").replace(/^\w+\./, "");
  return last.charAt(0).toUpperCase() + last.slice(1);
}

/** A customer_id for people: one that is a hash or another long name by its kind and its beginning. */
export function short(id) {
  const at = id.indexOf(":");
  const value = id.slice(at + 1);
  if (at < 0) return id;
  return `${word("identifier", id.slice(0, at))} ${value.length > 14 ? `${value.slice(0, 10)}…` : value}`;
}

export const isRtl = () => document.documentElement.dir === "rtl";

export const number = (value, options) => new Intl.NumberFormat(locale, options).format(value);
export const signed = (value, digits = 2) =>
  number(value, { signDisplay: "exceptZero", minimumFractionDigits: digits, maximumFractionDigits: digits });
export const moment = (iso) =>
  new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }).format(new Date(iso));
export const day = (iso) => new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" }).format(new Date(iso));
/** A day that is the same everywhere (ISO 8601), with its year. */
export const date = (iso) => new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeZone: "UTC" }).format(new Date(iso));
export const wholeDay = (iso) =>
  new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long" }).format(new Date(`${iso}T12:00:00`));

/** The name of a country, by its ISO 3166-1 code. */
export function country(iso) {
  try {
    return new Intl.DisplayNames(locale, { type: "region" }).of(iso) ?? iso;
  } catch {
    return iso; // no code of a country
  }
}

/** Some texts as a list: Arabic and Urdu have a comma of their own. */
export const listed = (parts) => parts.flatMap((part, at) => (at === 0 ? [part] : [isRtl() ? "، " : ", ", part]));

const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];

/** How far a moment is from now, in words: "in 5 minutes", "2 hours ago". */
export function distance(iso, style = "short") {
  const seconds = (new Date(iso).getTime() - Date.now()) / 1000;
  const [unit, size] = UNITS.find(([, each]) => Math.abs(seconds) >= each) ?? ["minute", 60];
  return new Intl.RelativeTimeFormat(locale, { numeric: "always", style }).format(Math.trunc(seconds / size), unit);
}

/** How long, in words without "in" or "ago": "5 minutes". */
export function duration(milliseconds) {
  const seconds = Math.abs(milliseconds) / 1000;
  const [unit, size] = UNITS.find(([, each]) => seconds >= each) ?? ["minute", 60];
  return number(Math.floor(seconds / size), { style: "unit", unit, unitDisplay: "long" });
}
