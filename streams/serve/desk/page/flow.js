// Who became what: profiles at the beginning of a span, at its end, and the customers between them (a Sankey diagram).
import { s } from "./dom.js";
import { number, t } from "./i18n.js";

const LEFT = ["new", "negative", "non_committal", "advocate"];
const RIGHT = ["negative", "non_committal", "advocate"];
const GAP = 14;
const NODE = 12;

/** A mark that opens something: by mouse, by Enter and by the blank. */
export function mark(open, properties, ...children) {
  if (!open) return s("g", properties, ...children);
  return s("g", { ...properties, class: `${properties.class ?? ""} opens`, role: "button", tabindex: 0, onclick: open,
    onkeydown: (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      open();
    } }, ...children);
}

/** Places of the nodes of one side: [name, top, height, customers]. */
function stack(names, sums, scale, height) {
  const shown = names.filter((name) => sums.get(name));
  const used = shown.reduce((sum, name) => sum + sums.get(name) * scale, 0) + GAP * (shown.length - 1);
  let top = (height - used) / 2;
  return shown.map((name) => {
    const tall = sums.get(name) * scale;
    const node = [name, top, tall, sums.get(name)];
    top += tall + GAP;
    return node;
  });
}

/** rows: {from_profile, to_profile, customers}; open: what a click on {from_profile, to_profile} does, or null. */
export function flow(rows, open, name) {
  return (width, rtl) => {
    const height = 300;
    const total = rows.reduce((sum, one) => sum + one.customers, 0);
    const sums = (part) => {
      const found = new Map();
      for (const one of rows) found.set(one[part], (found.get(one[part]) ?? 0) + one.customers);
      return found;
    };
    const scale = (height - 20 - GAP * 3) / total;
    const [left, right] = [stack(LEFT, sums("from_profile"), scale, height), stack(RIGHT, sums("to_profile"), scale, height)];
    const label = width < 520 ? 104 : 150;
    const x = (part) => (rtl ? width - part : part);
    const [from, to] = [label + NODE, width - label - NODE];
    const offsets = new Map([...left.map(([one, top]) => [`l${one}`, top]), ...right.map(([one, top]) => [`r${one}`, top])]);
    const ordered = [...rows].sort((a, b) => LEFT.indexOf(a.from_profile) - LEFT.indexOf(b.from_profile) || RIGHT.indexOf(a.to_profile) - RIGHT.indexOf(b.to_profile));
    const ribbons = ordered.map((one) => {
      const tall = Math.max(one.customers * scale, 1);
      const [a, b] = [offsets.get(`l${one.from_profile}`), offsets.get(`r${one.to_profile}`)];
      offsets.set(`l${one.from_profile}`, a + one.customers * scale);
      offsets.set(`r${one.to_profile}`, b + one.customers * scale);
      const middle = (from + to) / 2;
      const text = t("flow.part", { from: t(`profile.${one.from_profile}`), to: t(`profile.${one.to_profile}`), n: number(one.customers) });
      return mark(open && (() => open(one)), { class: `ribbon ${one.to_profile}`, "aria-label": text },
        s("path", { d: `M${x(from)},${a} C${x(middle)},${a} ${x(middle)},${b} ${x(to)},${b} L${x(to)},${b + tall} C${x(middle)},${b + tall} ${x(middle)},${a + tall} ${x(from)},${a + tall} Z` },
          s("title", {}, text)));
    });
    const nodes = (side, at, edge, anchor) => side.map(([one, top, tall, customers]) => [
      s("rect", { x: Math.min(x(at), x(at + NODE)), y: top, width: NODE, height: Math.max(tall, 1), class: `node ${one}` }),
      s("text", { x: x(edge), y: top + tall / 2 - 2, class: "label", "text-anchor": anchor }, t(`profile.${one}`)),
      s("text", { x: x(edge), y: top + tall / 2 + 13, class: "axis", "text-anchor": anchor }, `${number(customers)} · ${number(customers / total, { style: "percent" })}`)]);
    return s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: open ? "group" : "img", "aria-label": `${name}: ${ordered.map((one) => t("flow.part", { from: t(`profile.${one.from_profile}`), to: t(`profile.${one.to_profile}`), n: number(one.customers) })).join("; ")}` },
      ribbons, nodes(left, label, label - 6, "end"), nodes(right, to, to + NODE + 6, "start"));
  };
}
