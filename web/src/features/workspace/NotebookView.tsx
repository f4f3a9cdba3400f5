import { useQuery } from "@tanstack/react-query";
import { MessageSquare, MessageSquarePlus } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useSearchParams } from "react-router";
import { get, type Schemas } from "../../api/client";
import { Empty, Loaded, Snippet } from "../../ui/primitives";
import { openAt, selectedIn, type Target, useThreads } from "./comments/comments";
import { CommentsPanel } from "./comments/CommentsPanel";
import { Editor } from "./Editor";
import { LabLink } from "./LabLink";
import { download, downloadName, edits, type WorkspaceObject } from "./paths";

type Cell = Schemas["PageCell"];

const FORMATS = [
  { format: "SOURCE", label: "Download source" },
  { format: "JUPYTER", label: "Download .ipynb" },
] as const;

interface CellProps {
  cell: Cell;
  position: number;
  language: string;
  open: number;
  chosen: boolean;
  comment: (quote: string | undefined) => void;
}

function CellView({ cell, position, language, open, chosen, comment }: CellProps) {
  const body = useRef<HTMLDivElement>(null);
  const label = open === 0 ? `Comment on cell ${position + 1}` : `${open} open ${open === 1 ? "thread" : "threads"} at cell ${position + 1}`;
  return (
    <article className={`cell marked${chosen ? " chosen" : ""}`} id={`cell-${position + 1}`}>
      <div className="body" ref={body}>
        {cell.title === null ? null : <h3>{cell.title}</h3>}
        {cell.kind === language ? null : cell.html === null ? <div className="faint mono">%{cell.kind}</div> : null}
        {/* The server renders it with HTML shown as text and links to scripts left out. */}
        {cell.html === null ? <Snippet text={cell.source} /> : <div className="markdown" dangerouslySetInnerHTML={{ __html: cell.html }} />}
      </div>
      {/* A press would take the selection away, which is to be quoted. */}
      <button type="button" className={`mark${open ? " some" : ""}`} aria-label={label} title={label} onMouseDown={(event) => event.preventDefault()} onClick={() => comment(selectedIn(body.current))}>
        {open ? <><MessageSquare size={13} aria-hidden /> {open}</> : <MessageSquarePlus size={13} aria-hidden />}
      </button>
    </article>
  );
}

/** The cells of a notebook, and what is said about them: which cell's is in the URL. */
export function NotebookView({ object }: { object: WorkspaceObject }) {
  const [editing, setEditing] = useState(false);
  const [quote, setQuote] = useState<string>();
  const [params, setParams] = useSearchParams();
  const shown = params.get("comments");
  const chosen = Number(shown) > 0 ? Number(shown) - 1 : undefined;
  const query = useQuery({
    queryKey: ["workspace", "notebook", object.path],
    queryFn: () => get<Schemas["PageNotebook"]>(`/api/boathouse/v1/workspace/notebook?path=${encodeURIComponent(object.path)}`),
  });
  const threads = useThreads(object.path);
  const open = openAt(threads.data?.threads ?? []);
  const changed = threads.data?.modified_at;
  const { refetch } = query;
  // Others may edit it meanwhile: threads and cells are of the same state.
  useEffect(() => {
    if (changed !== undefined) void refetch();
  }, [changed, refetch]);
  const show = (what: string | null, selected?: string) => {
    setQuote(selected);
    setParams((before) => {
      const after = new URLSearchParams(before);
      if (what === null) after.delete("comments");
      else after.set("comments", what);
      return after;
    }, { replace: true });
  };
  const reveal = (position: number) => {
    show(String(position + 1));
    document.getElementById(`cell-${position + 1}`)?.scrollIntoView({ block: "center" });
  };
  const count = threads.data?.threads.filter((one) => one.resolved_at === null).length;
  return (
    <>
      <div className="actions">
        {edits(object) && !editing && query.data?.text != null ? <button type="button" className="button" onClick={() => setEditing(true)}>Edit</button> : null}
        <LabLink path={object.path} />
        {FORMATS.map(({ format, label }) => <a key={format} className="button quiet" href={download(object, format)} download={downloadName(object, format)}>{label}</a>)}
        <button type="button" className="button quiet" aria-expanded={shown !== null} onClick={() => show(shown === null ? "all" : null)}>Comments{count ? ` (${count})` : ""}</button>
      </div>
      <Loaded query={query}>
        {({ cells, language, text }) => {
          if (editing && text !== null) return <Editor object={object} text={text} done={() => setEditing(false)} />;
          const cell = chosen === undefined ? undefined : cells[chosen];
          const target: Target = chosen === undefined || cell === undefined ? {} : { cell: { position: chosen, source: cell.source, cell_id: cell.id }, quote };
          return (
            <div className={shown === null ? undefined : "commented"}>
              {cells.length === 0 ? (
                <Empty title="No cells yet">Write them here with Edit, or in any editor: the notebook is a file under the lake's workspace folder.</Empty>
              ) : (
                <section className="panel notebook" aria-label="Cells">
                  {cells.map((one, position) => (
                    <CellView key={position} cell={one} position={position} language={language.toLowerCase()} open={open.get(position) ?? 0} chosen={position === chosen} comment={(selected) => show(String(position + 1), selected)} />
                  ))}
                </section>
              )}
              {shown === null ? null : <CommentsPanel path={object.path} query={threads} target={target} clear={() => show("all")} reveal={reveal} close={() => show(null)} />}
            </div>
          );
        }}
      </Loaded>
    </>
  );
}
