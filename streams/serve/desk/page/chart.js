// Charts as SVG: few marks, drawn at the width they have, in the direction of the language.
import { s } from "./dom.js";
import { mark } from "./flow.js";
import { day, isRtl, moment, number, signed, t, word } from "./i18n.js";

/** Draws into `box` now and whenever its width changes. */
export function drawn(box, draw) {
  let width = 0;
  const observer = new ResizeObserver(() => {
    const now = Math.floor(box.clientWidth);
    if (now > 0 && now !== width) {
      width = now;
      box.replaceChildren(draw(width, isRtl()));
    }
  });
  observer.observe(box);
  return box;
}

const mood = (score) => (score <= -0.25 ? "bad" : score >= 0.25 ? "good" : "even");

/** Sentiment of contacts along time: -1 at the bottom, +1 at the top, the line through what was expressed. */
export function sentiment(contacts) {
  const scored = contacts.filter((one) => one.score !== undefined && one.score !== null).reverse();
  return (width, rtl) => {
    const [height, left, right, top, bottom] = [170, 34, 12, 12, 26];
    const times = scored.map((one) => new Date(one.occurred_at).getTime());
    const [from, to] = [Math.min(...times), Math.max(...times)];
    const across = width - left - right;
    const x = (time) => {
      const part = to === from ? 0.5 : (time - from) / (to - from);
      return rtl ? width - left - part * across : left + part * across;
    };
    const y = (score) => top + ((1 - score) / 2) * (height - top - bottom);
    const points = scored.map((one, at) => [x(times[at]), y(one.score), one]);
    const axis = rtl ? width - left + 6 : left - 6;
    const texts = [[1, "\u200e+1"], [0, "0"], [-1, "\u200e−1"]].map(([score, text]) =>
      s("text", { x: axis, y: y(score) + 4, class: "axis", "text-anchor": "end" }, text));
    const ends = to === from ? [[from, "middle"]] : [[from, "start"], [to, "end"]];
    return s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
      "aria-label": t("chart.sentiment", { n: number(scored.length), from: moment(scored[0].occurred_at), to: moment(scored.at(-1).occurred_at), last: signed(scored.at(-1).score) }) },
    s("rect", { x: rtl ? right : left, y: y(1), width: across, height: y(0.25) - y(1), class: "zone good" }),
    s("rect", { x: rtl ? right : left, y: y(-0.25), width: across, height: y(-1) - y(-0.25), class: "zone bad" }),
    s("line", { x1: rtl ? right : left, x2: rtl ? width - left : width - right, y1: y(0), y2: y(0), class: "grid" }),
    s("polyline", { points: points.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join(" "), class: "trace" }),
    points.map(([px, py, one]) => s("circle", { cx: px.toFixed(1), cy: py.toFixed(1), r: 5, class: `dot ${mood(one.score)}` },
      s("title", {}, `${moment(one.occurred_at)} · ${word("touchpoint", one.touchpoint)} · ${signed(one.score)}`))),
    texts,
    ends.map(([time, anchor]) => s("text", { x: x(time), y: height - 6, class: "axis", "text-anchor": anchor }, day(time))));
  };
}

/** The ends of a row's interval; null: it has none. */
const ends = (one) => (one.low !== undefined ? [one.low, one.high] : one.margin === null || one.margin === undefined ? null : [one.value - one.margin, one.value + one.margin]);

/** Bars from `low` to `high` with their margin of error. rows: {label, value, note, open} and `margin`, or `low` and `high` of an interval;
 * said: the value in words; middle: below it a value is bad, 0 unless given; open: what a click on a row does; unknown: what stands for a value of null. */
export function bars(rows, low, high, digits, name) {
  return (width, rtl) => {
    const step = 46;
    const x = (value) => {
      const part = (Math.min(Math.max(value, low), high) - low) / (high - low);
      return rtl ? width - 4 - part * (width - 8) : 4 + part * (width - 8);
    };
    const zero = x(Math.min(Math.max(0, low), high));
    const height = rows.length * step;
    return s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: rows.some((one) => one.open) ? "group" : "img",
      "aria-label": `${name}: ${rows.map((one) => `${one.label} ${one.value === null ? one.unknown ?? t("too_few") : number(one.value, { maximumFractionDigits: digits })}`).join("; ")}` },
    rows.map((one, at) => {
      const [above, middle] = [at * step + 14, at * step + 29];
      const [begin, end] = rtl ? [width - 4, 4] : [4, width - 4];
      const marks = one.value === null ? [] : [
        s("rect", { x: Math.min(zero, x(one.value)), y: middle - 7, width: Math.max(Math.abs(x(one.value) - zero), 1), height: 14, rx: 2, class: `bar ${one.value < (one.middle ?? 0) ? "bad" : "good"}` }),
        ends(one) && [
          s("line", { x1: x(ends(one)[0]), x2: x(ends(one)[1]), y1: middle, y2: middle, class: "whisker" }),
          ends(one).map((end) => s("line", { x1: x(end), x2: x(end), y1: middle - 5, y2: middle + 5, class: "whisker" })),
        ],
      ];
      // SVG takes the direction of the page for the side on which a text begins
      const figure = one.value === null ? one.unknown ?? t("too_few") : one.said ?? number(one.value, { maximumFractionDigits: digits });
      return mark(one.open, { "aria-label": one.open ? `${one.label}: ${figure}` : undefined },
        s("rect", { x: 4, y: middle - 7, width: width - 8, height: 14, rx: 2, class: "track" }), marks,
        s("line", { x1: zero, x2: zero, y1: middle - 9, y2: middle + 9, class: "grid" }),
        s("text", { x: begin, y: above, class: "label", "text-anchor": "start" }, one.label),
        s("text", { x: end, y: above, class: "label figure", "text-anchor": "end" }, `${figure}${one.note ? ` · ${one.note}` : ""}`));
    }));
  };
}
