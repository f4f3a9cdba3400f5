/** Vega-Lite specs of charts over data that SQL has aggregated already. */
import { type Data, type Encoding, isNumber, type Spec } from "./types";

export interface Colours {
  ink: string;
  soft: string;
  line: string;
}

const PALETTE = ["#2f8796", "#d08a3c", "#6b8f4e", "#a2557c", "#5b74b8", "#b5523f", "#7a6f9b", "#8a7a3d", "#3f9a78", "#8f8f8f"];

/** A moment of the text as it stands there, in whatever zone the browser is. */
function moment(value: unknown): number | null {
  const at = typeof value === "string" ? Date.parse(value.length === 10 ? `${value}T00:00:00` : value.replace(" ", "T")) : Number.NaN;
  return Number.isNaN(at) ? null : at;
}

/** Charts know columns by their place: names can be anything. */
const place = (data: Data, name: string | undefined): number => data.columns.findIndex((one) => one.name === name);

function typeOf(encoding: Encoding | undefined, type: string): "quantitative" | "temporal" | "nominal" {
  const wanted = encoding?.scale?.type;
  if (wanted === "temporal" && /^(date|timestamp)/.test(type)) return "temporal";
  if (wanted === "quantitative" && isNumber(type)) return "quantitative";
  return "nominal";
}

function rows(data: Data): Record<string, unknown>[] {
  return data.rows.map((row) => Object.fromEntries(row.map((value, at) => {
    const type = data.columns[at]?.type ?? "";
    const key = `c${at}`;
    if (value === null || value === undefined) return [key, null];
    if (isNumber(type)) return [key, Number(value)];
    return [key, /^(date|timestamp)/.test(type) ? (moment(value) ?? value) : typeof value === "object" ? JSON.stringify(value) : value];
  })));
}

/** The spec of a widget, or what keeps it from being drawn. */
export function chart(spec: Spec, data: Data, colours: Colours): Record<string, unknown> | string {
  const kind = spec.widgetType ?? "";
  const encodings = spec.encodings ?? {};
  const channel = (encoding: Encoding | undefined): Record<string, unknown> | null => {
    const at = place(data, encoding?.fieldName);
    const column = data.columns[at];
    if (!encoding || !column) return null;
    const type = typeOf(encoding, column.type);
    return { field: `c${at}`, type, title: encoding.displayName ?? column.name };
  };
  const base = {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    data: { values: rows(data) },
    autosize: { type: "fit", contains: "padding" },
    config: {
      background: "transparent",
      view: { stroke: null },
      font: "inherit",
      axis: { labelColor: colours.soft, titleColor: colours.soft, gridColor: colours.line, domainColor: colours.line, tickColor: colours.line, titleFontWeight: 500, labelLimit: 120 },
      legend: { labelColor: colours.soft, titleColor: colours.soft, titleFontWeight: 500, labelLimit: 140 },
      range: { category: PALETTE },
    },
  };
  if (kind === "pie") {
    const angle = channel(encodings.angle);
    if (!angle) return "The pie has no angle.";
    return { ...base, mark: { type: "arc", innerRadius: 0, tooltip: true, stroke: colours.line }, encoding: { theta: { ...angle, type: "quantitative", stack: true }, color: { ...channel(encodings.color), sort: null } } };
  }
  const several = encodings.y?.fields;
  const transform: Record<string, unknown>[] = [];
  let y = channel(encodings.y);
  let color = channel(encodings.color);
  if (several?.length) {
    const known = several.map((one) => ({ at: place(data, one.fieldName), name: one.displayName ?? one.fieldName ?? "" })).filter((one) => one.at >= 0);
    transform.push({ fold: known.map((one) => `c${one.at}`), as: ["series", "number"] });
    transform.push({ lookup: "series", from: { data: { values: known.map((one) => ({ series: `c${one.at}`, name: one.name })) }, key: "series", fields: ["name"] } });
    y = known.length > 0 ? { field: "number", type: "quantitative", title: "" } : null;
    color = { field: "name", type: "nominal", title: "" };
  }
  const x = channel(encodings.x);
  if (!x || !y) return `The ${kind} chart has no ${x ? "y" : "x"}.`;
  const mark = { bar: { type: "bar" }, line: { type: "line", point: data.rows.length <= 60 }, area: { type: "area", opacity: 0.75 }, scatter: { type: "point", filled: true } }[kind];
  if (!mark) return `Charts of the kind ${kind} are not drawn here.`;
  const encoding: Record<string, unknown> = { x: { ...x, axis: { labelOverlap: true, ...(x.type === "nominal" && data.rows.length <= 6 ? { labelAngle: 0 } : {}) } }, y };
  if (color) encoding.color = color;
  const size = channel(encodings.size);
  if (size) encoding.size = size;
  if (kind === "bar" && spec.mark?.layout === "group" && color) encoding[x.type === "quantitative" ? "yOffset" : "xOffset"] = { field: color.field };
  return { ...base, transform, mark: { ...mark, tooltip: true, ...(color ? {} : { color: PALETTE[0] }) }, encoding };
}
