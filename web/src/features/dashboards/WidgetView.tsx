import { Failure, Loading } from "../../ui/primitives";
import { Chart } from "./Chart";
import { Filter } from "./Filter";
import { CHARTS, type Chosen, type Data, isFilter, isNumber, shown, type Spec, textOf, titleOf, type Widget } from "./types";
import { type Asked, useWidget } from "./useWidget";

function Counter({ spec, data }: { spec: Spec; data: Data }) {
  const value = spec.encodings?.value;
  const at = data.columns.findIndex((one) => one.name === value?.fieldName);
  const type = data.columns[at]?.type ?? "";
  const target = data.columns.findIndex((one) => one.name === spec.encodings?.target?.fieldName);
  if (at < 0) return <p className="faint">The counter has no value.</p>;
  return (
    <p className="counter">
      <strong>{shown(data.rows[0]?.[at], type)}</strong>
      {target >= 0 ? <span className="faint">of {shown(data.rows[0]?.[target], data.columns[target]?.type ?? "")}</span> : null}
    </p>
  );
}

function Rows({ spec, data }: { spec: Spec; data: Data }) {
  const wanted = spec.encodings?.columns?.filter((one) => one.visible !== false);
  const columns = (wanted ?? data.columns.map((one) => ({ fieldName: one.name, title: undefined, displayName: undefined })))
    .map((one) => ({ at: data.columns.findIndex((column) => column.name === one.fieldName), title: one.title ?? one.displayName ?? one.fieldName }))
    .filter((one) => one.at >= 0);
  return (
    <div className="scroll rows">
      <table className="data list">
        <thead><tr>{columns.map(({ at, title }) => <th key={at} className={isNumber(data.columns[at]?.type ?? "") ? "num" : ""}>{title}</th>)}</tr></thead>
        <tbody>
          {data.rows.map((row, line) => (
            <tr key={line}>{columns.map(({ at }) => <td key={at} className={row[at] === null ? "faint" : isNumber(data.columns[at]?.type ?? "") ? "num" : "wrap"}>{shown(row[at], data.columns[at]?.type ?? "")}</td>)}</tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Drawn({ widget, spec, asked }: { widget: Widget; spec: Spec; asked: Asked }) {
  const query = useWidget(asked, widget, widget.queries?.[0]?.name ?? "");
  if (query.error) return <Failure error={query.error} title="The query has failed" />;
  if (!query.data) return widget.queries?.length ? <Loading lines={3} /> : <p className="faint">The widget has no query.</p>;
  const data = query.data;
  if (data.rows.length === 0) return <p className="faint">No rows.</p>;
  return (
    <>
      {spec.widgetType === "counter" ? <Counter spec={spec} data={data} /> : spec.widgetType === "table" ? <Rows spec={spec} data={data} /> : <Chart spec={spec} data={data} label={`${spec.widgetType} of ${titleOf(widget) || widget.name}`} />}
      {data.truncated ? <p className="faint">The first {data.rows.length.toLocaleString("en-US")} rows of more.</p> : null}
    </>
  );
}

/** Headings, lists, emphasis and paragraphs of a text; everything else as it stands there. */
function Text({ text }: { text: string }) {
  return text.split(/\n/).map((line, index) => {
    const heading = /^(#{1,3})\s+(.*)$/.exec(line);
    const words = (heading?.[2] ?? line.replace(/^[-*]\s+/, "• ")).split(/(\*\*[^*]+\*\*|\*[^*]+\*|`[^`]+`)/).map((part, at) =>
      /^\*\*.+\*\*$/.test(part) ? <strong key={at}>{part.slice(2, -2)}</strong> : /^\*.+\*$/.test(part) ? <em key={at}>{part.slice(1, -1)}</em> : /^`.+`$/.test(part) ? <code key={at}>{part.slice(1, -1)}</code> : part);
    if (line.trim() === "") return null;
    return heading ? <h2 key={index} className={`h${heading[1]?.length ?? 1}`}>{words}</h2> : <p key={index}>{words}</p>;
  });
}

/** One widget of a dashboard. */
export function WidgetView({ widget, asked, choose }: { widget: Widget; asked: Asked; choose: (chosen: Chosen) => void }) {
  const text = textOf(widget);
  if (text !== null) return <div className="text"><Text text={text} /></div>;
  const spec = widget.spec ?? {};
  const kind = spec.widgetType ?? "";
  const title = titleOf(widget);
  const served = kind === "counter" || kind === "table" || CHARTS.includes(kind);
  return (
    <section className="panel widget" aria-label={title || widget.name}>
      {title && spec.frame?.showTitle !== false ? <h2 title={title}>{title}</h2> : null}
      {spec.frame?.description && spec.frame.showDescription !== false ? <p className="soft">{spec.frame.description}</p> : null}
      {isFilter(widget) ? <Filter widget={widget} asked={asked} choose={choose} /> : served ? <Drawn widget={widget} spec={spec} asked={asked} /> : <p className="faint">Widgets of the kind {kind || "that has no name"} are not drawn here.</p>}
    </section>
  );
}
