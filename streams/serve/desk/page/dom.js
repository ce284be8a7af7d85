// Builds elements. Texts go in as text, never as HTML: the policy of the page forbids it, too.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else element.setAttribute(name, value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

/** h("a", {href, class, onclick}, children...): an element of HTML. Properties that are null or false are left out. */
export const h = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);

/** The same of SVG. */
export const s = (tag, properties, ...children) => fill(document.createElementNS(SVG, tag), properties, children);

/** A text of unknown direction (a name, an id) inside a sentence. */
export const bdi = (text, properties) => h("bdi", properties, text);

/** An identifier or a code: always from left to right. */
export const code = (text) => h("bdi", { class: "code", dir: "ltr" }, text);

/** The same of one that is shown shortened; whole on hover. */
export const coded = (text, whole) => h("bdi", { class: "code", dir: "auto", title: text === whole ? undefined : whole }, text);
