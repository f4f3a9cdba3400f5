import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { placed, useThreads } from "../comments/comments";
import { CommentsPanel } from "../comments/CommentsPanel";
import { mark } from "./marks";
import type { Open, OpenNotebook } from "./open";

function Of({ open, show }: { open: Open; show: () => void }) {
  const { path, panel, cells, active, quote } = open;
  const query = useThreads(path);
  const { data } = query;
  const here = useMemo(() => data && { ...data, threads: placed(data.threads, cells) }, [data, cells]);
  const notebook = panel.content;
  useEffect(() => {
    if (here === undefined || panel.isDisposed) return;
    mark(notebook, here.threads, (position) => {
      void notebook.scrollToItem(position, "center");
      Object.assign(notebook, { activeCellIndex: position });
      show();
    });
  }, [here, notebook, panel, show]);
  // Until another cell is chosen.
  const [left, setLeft] = useState<number>();
  const cell = left === active ? undefined : cells[active];
  const target = cell === undefined ? {} : { cell: { position: active, source: cell.source, cell_id: cell.id }, quote };
  const reveal = (position: number) => {
    Object.assign(notebook, { activeCellIndex: position });
    void notebook.scrollToItem(position, "center");
  };
  return <CommentsPanel path={path} query={{ data: here, error: query.error }} target={target} clear={() => setLeft(active)} reveal={reveal} />;
}

/** Comments on the notebook that is in front. */
export function LabComments({ notebook, show }: { notebook: OpenNotebook; show: () => void }) {
  const open = useSyncExternalStore(notebook.subscribe, notebook.current);
  if (open === null) return <p className="empty">Open a notebook to see what is said about it.</p>;
  return <Of key={open.path} open={open} show={show} />;
}
