import { useState } from "react";
import { Failure } from "../../ui/primitives";
import { type Chosen, choiceField, defaultOf, shown, type Widget } from "./types";
import { type Asked, useWidget } from "./useWidget";

interface Props {
  widget: Widget;
  asked: Asked;
  chosen: Chosen;
  choose: (chosen: Chosen) => void;
  label: string;
}

function Range({ chosen, choose, label, type }: Omit<Props, "widget" | "asked"> & { type: string }) {
  const input = (end: "min" | "max", word: string) => (
    <input key={`${end} ${chosen[end] ?? ""}`} type={type} className="field" aria-label={`${label} ${word}`} defaultValue={chosen[end] ?? ""} onBlur={(event) => {
      const value = event.target.value === "" ? null : type === "number" ? Number(event.target.value) : event.target.value;
      if (value !== (chosen[end] ?? null)) choose({ ...chosen, [end]: value });
    }} />
  );
  return <div className="range">{input("min", "from")}<span className="faint">to</span>{input("max", "to")}</div>;
}

function Text({ chosen, choose, label }: Omit<Props, "widget" | "asked">) {
  const now = String(chosen.values?.[0] ?? "");
  return (
    <form onSubmit={(event) => event.preventDefault()}>
      <input key={now} className="field" aria-label={label} defaultValue={now} placeholder="All" onBlur={(event) => {
        if (event.target.value !== now) choose({ values: event.target.value === "" ? [] : [event.target.value] });
      }} onKeyDown={(event) => {
        if (event.key === "Enter") event.currentTarget.blur();
      }} />
    </form>
  );
}

function Choices({ widget, asked, chosen, choose, label }: Props) {
  const query = useWidget(asked, widget, widget.queries?.[0]?.name ?? "");
  const [find, setFind] = useState("");
  if (query.error) return <Failure error={query.error} />;
  const at = query.data?.columns.findIndex((one) => one.name === choiceField(widget)?.fieldName) ?? -1;
  const type = query.data?.columns[at]?.type ?? "";
  const options = [...new Set((query.data?.rows ?? []).map((row) => (row[at] ?? null) as string | number | boolean | null))];
  const held = chosen.values ?? [];
  if (query.data && at < 0) return <p className="faint">The filter's query has no column {choiceField(widget)?.fieldName}.</p>;
  if (widget.spec?.widgetType === "filter-single-select") {
    const now = held.length > 0 ? options.findIndex((one) => one === held[0]) : -1;
    return (
      <select className="field" aria-label={label} value={now} disabled={!query.data} onChange={(event) => {
        const picked = Number(event.target.value);
        choose({ values: picked < 0 ? [] : [options[picked] ?? null] });
      }}>
        <option value={-1}>All</option>
        {options.map((one, index) => <option key={index} value={index}>{shown(one, type)}</option>)}
      </select>
    );
  }
  const matching = options.filter((one) => shown(one, type).toLowerCase().includes(find.toLowerCase()));
  return (
    <details className="choices">
      <summary className="field">{held.length === 0 ? "All" : held.map((one) => shown(one, type)).join(", ")}</summary>
      <div className="menu">
        {options.length > 8 ? <input type="search" className="field" placeholder="Find" aria-label={`Find in ${label}`} value={find} onChange={(event) => setFind(event.target.value)} /> : null}
        {query.data && options.length === 0 ? <p className="faint">Nothing to choose from.</p> : null}
        {matching.slice(0, 200).map((one, index) => (
          <label key={index}>
            <input type="checkbox" checked={held.includes(one)} onChange={(event) => choose({ values: event.target.checked ? [...held, one] : held.filter((other) => other !== one) })} /> {shown(one, type)}
          </label>
        ))}
        {held.length > 0 ? <button type="button" className="button quiet" onClick={() => choose({ values: [] })}>All</button> : null}
      </div>
    </details>
  );
}

/** What chooses the rows that the other widgets of a page show. */
export function Filter({ widget, asked, choose }: { widget: Widget; asked: Asked; choose: (chosen: Chosen) => void }) {
  const label = widget.spec?.frame?.title ?? choiceField(widget)?.displayName ?? widget.name;
  const chosen = asked.filters[widget.name] ?? defaultOf(widget);
  const parts = { chosen, choose, label };
  switch (widget.spec?.widgetType) {
    case "filter-date-range-picker":
      return <Range {...parts} type="date" />;
    case "range-slider":
      return <Range {...parts} type="number" />;
    case "filter-date-picker":
      return <input type="date" className="field" aria-label={label} value={String(chosen.min ?? chosen.values?.[0] ?? "").slice(0, 10)} onChange={(event) => {
        const day = event.target.value;
        choose(choiceField(widget) ? { min: day || null, max: day || null } : { values: day ? [day] : [] });
      }} />;
    case "filter-multi-select":
    case "filter-single-select":
      return choiceField(widget) ? <Choices {...parts} widget={widget} asked={asked} /> : <Text {...parts} />;
    case "filter-text-entry":
      return <Text {...parts} />;
    default:
      return <p className="faint">Filters of the kind {widget.spec?.widgetType} are not served here.</p>;
  }
}
