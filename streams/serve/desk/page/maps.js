// Two maps: the journey (stages by how people are met), and where the units are. Both without anything from elsewhere.
import { s } from "./dom.js";
import { mark } from "./flow.js";
import { number, signed, t, word } from "./i18n.js";

const STAGES = ["exploring", "booked", "checked_in", "in_stay", "completed", "cancelled", "no_show"];
const ROW = 44;
const CURVE = 96;
const PAINS = 3; // cells that are ringed

const tone = (score) => (score === null ? "unknown" : score <= -0.1 ? "bad" : score >= 0.1 ? "good" : "even");
const weighed = (cells, value, weight) => {
  const total = cells.reduce((sum, one) => sum + (one[value] === null ? 0 : one[weight]), 0);
  return total === 0 ? null : cells.reduce((sum, one) => sum + (one[value] ?? 0) * one[weight], 0) / total;
};

function said(cell) {
  const parts = [t("map.volume", { n: number(cell.volume) })];
  if (cell.sentiment !== null) parts.push(t("map.sentiment", { score: signed(cell.sentiment) }));
  if (cell.negative_share !== null) parts.push(t("map.negative", { share: number(cell.negative_share, { style: "percent" }) }));
  if (cell.drop_off) parts.push(t("map.drop_off", { share: number(cell.drop_off, { style: "percent" }) }));
  if (cell.pain) parts.push(t("map.pain", { n: number(cell.pain, { maximumFractionDigits: 1 }) }));
  return `${t(`map.stage.${cell.segment}`)}, ${word("medium", cell.medium)}: ${parts.join(", ")}`;
}

/** rows: of the query journey_map by stage; open: what a click on a cell does, or null. */
export function journeyMap(rows, open, name) {
  return (width, rtl) => {
    const stages = STAGES.filter((stage) => rows.some((one) => one.segment === stage));
    const total = (medium) => rows.filter((one) => one.medium === medium).reduce((sum, one) => sum + one.volume, 0);
    const media = [...new Set(rows.map((one) => one.medium))].sort((a, b) => total(b) - total(a)).slice(0, 9);
    const label = width < 520 ? 92 : 120;
    const edge = width < 520 ? 10 : 0; // for words that are wider than their column
    const step = (width - label - edge) / stages.length;
    const x = (part) => (rtl ? width - part : part);
    const centre = (at) => label + (at + 0.5) * step;
    const top = 36 + CURVE;
    const height = top + media.length * ROW + 44;
    const most = Math.max(...rows.map((one) => one.volume));
    const radius = Math.min(ROW / 2 - 3, step / 2 - 2);
    const pains = new Set([...rows].filter((one) => one.pain).sort((a, b) => b.pain - a.pain).slice(0, PAINS));
    const of = (stage) => rows.filter((one) => one.segment === stage);
    const felt = stages.map((stage) => weighed(of(stage), "sentiment", "scored"));
    const y = (score) => 36 + ((1 - score) / 2) * (CURVE - 16);
    const points = felt.map((score, at) => [x(centre(at)), score === null ? null : y(score), score]).filter((one) => one[1] !== null);
    const heads = stages.map((stage, at) => {
      const words = t(`map.stage.${stage}`).split(" ");
      const lines = step > 95 ? [words.join(" ")] : words;
      return lines.slice(0, 2).map((line, row) => s("text", { x: x(centre(at)), y: 14 + row * 13, class: step > 60 ? "label" : "axis", "text-anchor": "middle" }, line));
    });
    const curve = [
      s("line", { x1: x(label), x2: x(width), y1: y(0), y2: y(0), class: "grid faint" }),
      s("text", { x: x(label - 8), y: y(0) + 4, class: "axis", "text-anchor": "end" }, t("map.mood")),
      s("polyline", { points: points.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join(" "), class: "trace" }),
      points.map(([px, py, score]) => [s("circle", { cx: px, cy: py, r: 5, class: `dot ${tone(score)}` }),
        s("text", { x: px, y: py - 9, class: "axis", "text-anchor": "middle" }, `\u200e${signed(score)}`)])];
    const lines = media.map((medium, at) => [
      s("line", { x1: x(label), x2: x(width), y1: top + (at + 0.5) * ROW, y2: top + (at + 0.5) * ROW, class: "grid faint" }),
      s("text", { x: x(label - 8), y: top + (at + 0.5) * ROW + 4, class: "label", "text-anchor": "end" }, word("medium", medium))]);
    const cells = rows.filter((one) => media.includes(one.medium) && stages.includes(one.segment)).map((one) => {
      const text = said(one);
      const place = { cx: x(centre(stages.indexOf(one.segment))), cy: top + (media.indexOf(one.medium) + 0.5) * ROW };
      const size = Math.max(radius * Math.sqrt(one.volume / most), 3);
      return mark(open && (() => open(one)), { class: "cell", "aria-label": text },
        s("circle", { ...place, r: Math.max(size, 12), class: "reach" }),
        s("circle", { ...place, r: size.toFixed(1), class: `bubble ${tone(one.sentiment)}` }, s("title", {}, text)),
        pains.has(one) && s("circle", { ...place, r: (size + 4).toFixed(1), class: "ring" }));
    });
    const foot = height - 30;
    const lost = [s("text", { x: x(label - 8), y: foot + 10, class: "axis", "text-anchor": "end" }, t("map.lost")),
      stages.map((stage, at) => {
        const share = weighed(of(stage), "drop_off", "journeys") ?? 0;
        const long = share * (step - 12);
        const begin = centre(at) - (step - 12) / 2;
        return [s("rect", { x: rtl ? width - begin - (step - 12) : begin, y: foot, width: step - 12, height: 8, class: "track" }),
          s("rect", { x: rtl ? width - begin - long : begin, y: foot, width: long, height: 8, class: "bar bad" }),
          s("text", { x: x(centre(at)), y: foot + 22, class: "axis", "text-anchor": "middle" }, number(share, { style: "percent" }))];
      })];
    return s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: open ? "group" : "img", "aria-label": `${name}: ${[...rows].sort((a, b) => b.volume - a.volume).slice(0, 12).map(said).join("; ")}` },
      heads, curve, lines, cells, lost);
  };
}

const STEPS = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 45];

/** rows: of the query places, with coordinates; open: what a click on a place does, or null. East is right in every language. */
export function places(rows, open, name) {
  return (width) => {
    const [south, north] = [Math.min(...rows.map((one) => one.latitude)), Math.max(...rows.map((one) => one.latitude))];
    const [west, east] = [Math.min(...rows.map((one) => one.longitude)), Math.max(...rows.map((one) => one.longitude))];
    const [middle, centre] = [(south + north) / 2, (west + east) / 2];
    const shrink = Math.max(Math.cos((middle * Math.PI) / 180), 0.2);
    const height = Math.min(Math.max(width * 0.6, 240), 440);
    const scale = Math.min((width - 110) / Math.max((east - west) * shrink, 0.05), (height - 120) / Math.max(north - south, 0.05));
    const x = (longitude) => width / 2 + (longitude - centre) * shrink * scale;
    const y = (latitude) => height / 2 - (latitude - middle) * scale;
    const step = STEPS.find((one) => one * scale >= 80) ?? 60;
    const ticks = (from, to) => {
      const found = [];
      for (let at = Math.ceil(from / step); at * step <= to; at += 1) found.push(at * step);
      return found;
    };
    const seen = { west: centre - width / 2 / shrink / scale, east: centre + width / 2 / shrink / scale, south: middle - height / 2 / scale, north: middle + height / 2 / scale };
    const degrees = (value, [plus, minus]) => `\u200e${number(Math.abs(value), { maximumFractionDigits: 2 })}°${value === 0 ? "" : value > 0 ? plus : minus}`;
    const net = [
      ticks(Math.max(seen.west, -180), Math.min(seen.east, 180)).map((at) => [s("line", { x1: x(at), x2: x(at), y1: 0, y2: height, class: "grid faint" }),
        s("text", { x: x(at) + 3, y: height - 4, class: "axis", direction: "ltr" }, degrees(at, ["E", "W"]))]),
      ticks(Math.max(seen.south, -90), Math.min(seen.north, 90)).map((at) => [s("line", { x1: 0, x2: width, y1: y(at), y2: y(at), class: "grid faint" }),
        s("text", { x: 4, y: y(at) < 14 ? y(at) + 11 : y(at) - 3, class: "axis", direction: "ltr", "text-anchor": "start" }, degrees(at, ["N", "S"]))])];
    const most = Math.max(...rows.map((one) => one.interactions));
    const taken = [];
    const marks = [...rows].sort((a, b) => b.interactions - a.interactions).map((one) => {
      const [px, py] = [x(one.longitude), y(one.latitude)];
      const size = 5 + 15 * Math.sqrt(one.interactions / most);
      const text = `${one.name}: ${t("map.volume", { n: number(one.interactions) })}${one.sentiment === null ? "" : `, ${t("map.sentiment", { score: signed(one.sentiment) })}`}`;
      const box = [px - one.name.length * 3.2, py + size, px + one.name.length * 3.2, py + size + 14];
      const free = box[0] > 0 && box[2] < width && taken.every((other) => box[2] < other[0] || box[0] > other[2] || box[3] < other[1] || box[1] > other[3]);
      if (free) taken.push(box);
      return mark(open && (() => open(one)), { class: "cell", "aria-label": text },
        s("circle", { cx: px.toFixed(1), cy: py.toFixed(1), r: size.toFixed(1), class: `bubble ${tone(one.sentiment)}` }, s("title", {}, text)),
        free && s("text", { x: px, y: py + size + 11, class: "axis", "text-anchor": "middle" }, one.name));
    });
    return s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: open ? "group" : "img", "aria-label": `${name}: ${rows.map((one) => one.name).join("; ")}` }, net, marks);
  };
}
