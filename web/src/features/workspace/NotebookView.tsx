import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { get, type Schemas } from "../../api/client";
import { Empty, Loaded, Snippet } from "../../ui/primitives";
import { Editor } from "./Editor";
import { LabLink } from "./LabLink";
import { download, downloadName, edits, type WorkspaceObject } from "./paths";

type Cell = Schemas["PageCell"];

const FORMATS = [
  { format: "SOURCE", label: "Download source" },
  { format: "JUPYTER", label: "Download .ipynb" },
] as const;

function CellView({ cell, language }: { cell: Cell; language: string }) {
  return (
    <article className="cell">
      {cell.title === null ? null : <h3>{cell.title}</h3>}
      {cell.kind === language ? null : cell.html === null ? <div className="faint mono">%{cell.kind}</div> : null}
      {/* The server renders it with HTML shown as text and links to scripts left out. */}
      {cell.html === null ? <Snippet text={cell.source} /> : <div className="markdown" dangerouslySetInnerHTML={{ __html: cell.html }} />}
    </article>
  );
}

/** The cells of a notebook. */
export function NotebookView({ object }: { object: WorkspaceObject }) {
  const [editing, setEditing] = useState(false);
  const query = useQuery({
    queryKey: ["workspace", "notebook", object.path],
    queryFn: () => get<Schemas["PageNotebook"]>(`/api/boathouse/v1/workspace/notebook?path=${encodeURIComponent(object.path)}`),
  });
  return (
    <>
      <div className="actions">
        {edits(object) && !editing && query.data?.text != null ? <button type="button" className="button" onClick={() => setEditing(true)}>Edit</button> : null}
        <LabLink path={object.path} />
        {FORMATS.map(({ format, label }) => <a key={format} className="button quiet" href={download(object, format)} download={downloadName(object, format)}>{label}</a>)}
      </div>
      <Loaded query={query}>
        {({ cells, language, text }) => editing && text !== null ? <Editor object={object} text={text} done={() => setEditing(false)} /> : cells.length === 0 ? (
          <Empty title="No cells yet">Write them here with Edit, or in any editor: the notebook is a file under the lake's workspace folder.</Empty>
        ) : (
          <section className="panel notebook" aria-label="Cells">
            {cells.map((cell, index) => <CellView key={index} cell={cell} language={language.toLowerCase()} />)}
          </section>
        )}
      </Loaded>
    </>
  );
}
