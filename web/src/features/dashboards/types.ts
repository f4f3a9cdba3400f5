/** What a dashboard's file says, as far as the page draws it. */
import type { Schemas } from "../../api/client";

export type Paged = Schemas["PagedDashboard"];
export type Data = Schemas["WidgetData"];
export type Chosen = Schemas["Chosen"];
export type Filters = Record<string, Chosen>;
type Scalar = string | number | boolean | null;

export interface Encoding {
  fieldName?: string;
  displayName?: string;
  parameterName?: string;
  queryName?: string;
  scale?: { type?: string };
  fields?: Encoding[];
}

export interface Column {
  fieldName: string;
  title?: string;
  displayName?: string;
  visible?: boolean;
}

export interface Spec {
  widgetType?: string;
  encodings?: Record<string, Encoding | undefined> & { columns?: Column[]; fields?: Encoding[] };
  frame?: { title?: string; showTitle?: boolean; description?: string; showDescription?: boolean };
  mark?: { layout?: string };
  selection?: { defaultSelection?: { values?: { values?: { value: Scalar }[] }; range?: { min?: { value: Scalar }; max?: { value: Scalar } } } } | null;
}

export interface Widget {
  name: string;
  queries?: { name: string; query: { datasetName: string; fields?: { name: string; expression: string }[] } }[];
  spec?: Spec | null;
  multilineTextboxSpec?: { lines?: string[] };
  textbox_spec?: string;
}

export interface Placed {
  widget: Widget;
  position: { x?: number; y?: number; width?: number; height?: number };
}

export interface DashboardPage {
  name: string;
  displayName?: string | null;
  layout: Placed[];
  pageType?: string | null;
}

export interface Dataset {
  name: string;
  displayName?: string | null;
  query?: string | null;
  queryLines?: string[] | null;
}

export interface Document {
  datasets: Dataset[];
  pages: DashboardPage[];
}

export const CHARTS = ["bar", "line", "area", "scatter", "pie"];
export const GLOBAL = "PAGE_TYPE_GLOBAL_FILTERS";

export const isFilter = (widget: Widget): boolean => (widget.spec?.widgetType ?? "").startsWith("filter-") || widget.spec?.widgetType === "range-slider";

export const titleOf = (widget: Widget): string => widget.spec?.frame?.title ?? (isFilter(widget) ? (widget.spec?.encodings?.fields?.[0]?.displayName ?? widget.name) : "");

/** The text of a widget that is one; null of others. */
export function textOf(widget: Widget): string | null {
  return widget.multilineTextboxSpec ? (widget.multilineTextboxSpec.lines ?? []).join("") : (widget.textbox_spec ?? null);
}

/** What a filter has chosen while nobody has chosen otherwise. */
export function defaultOf(widget: Widget): Chosen {
  const found = widget.spec?.selection?.defaultSelection;
  const end = (value: Scalar | undefined) => (typeof value === "boolean" ? null : (value ?? null));
  if (found?.range) return { min: end(found.range.min?.value), max: end(found.range.max?.value) };
  return { values: (found?.values?.values ?? []).map((one) => one.value) };
}

/** The filters in a URL; what is not valid is as if nobody had chosen. */
export function parseFilters(text: string | null): Filters {
  try {
    const found: unknown = JSON.parse(text ?? "{}");
    return typeof found === "object" && found !== null && !Array.isArray(found) ? (found as Filters) : {};
  } catch {
    return {};
  }
}

/** The first column of a filter's choices that are no parameter's. */
export function choiceField(widget: Widget): Encoding | undefined {
  return widget.spec?.encodings?.fields?.find((one) => one.fieldName !== undefined);
}

export const isNumber = (type: string): boolean => /^(tinyint|smallint|int|bigint|float|double|decimal)/.test(type);

/** A number as people read it; decimals come as texts. */
export function shown(value: unknown, type: string): string {
  if (value === null || value === undefined) return "null";
  if (isNumber(type)) {
    const number = Number(value);
    return Number.isFinite(number) ? number.toLocaleString("en-US", { maximumFractionDigits: Math.abs(number) < 1 ? 6 : 2 }) : String(value);
  }
  if (typeof value === "string" && type.startsWith("timestamp")) return value.replace("T", " ").replace(/ 00:00:00(\+00:00)?$/, "");
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The document with other texts of its datasets. */
export function withQueries(document: Document, texts: Record<string, string>): Document {
  return {
    ...document,
    datasets: document.datasets.map((one) => {
      const text = texts[one.name];
      if (text === undefined || text === queryOf(one)) return one;
      return { ...one, query: undefined, queryLines: text.split(/(?<=\n)/) };
    }),
  };
}

export const queryOf = (dataset: Dataset): string => dataset.query ?? (dataset.queryLines ?? []).join("");
