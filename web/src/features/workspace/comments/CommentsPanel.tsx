import { X } from "lucide-react";
import { useState } from "react";
import { call, type Schemas } from "../../../api/client";
import { Empty, Loaded } from "../../../ui/primitives";
import { API, ordered, type Target, type useThreads } from "./comments";
import { ThreadView, Writer } from "./Thread";

interface Props {
  path: string;
  query: Pick<ReturnType<typeof useThreads>, "data" | "error">;
  /** Where a new thread begins. */
  target: Target;
  clear?: () => void;
  reveal?: (position: number) => void;
  close?: () => void;
}

/** The threads on a notebook or file, and a new one. */
export function CommentsPanel({ path, query, target, clear, reveal, close }: Props) {
  const [resolved, setResolved] = useState(false);
  const at = target.cell?.position;
  const where = at === undefined ? "the whole" : `cell ${at + 1}`;
  return (
    <aside className="comments panel" aria-label="Comments">
      <div className="line">
        <h2 className="grow">Comments</h2>
        {close ? <button type="button" className="icon" aria-label="Close the comments" onClick={close}><X size={15} /></button> : null}
      </div>
      <section className="thread new" aria-label="New thread">
        <div className="line">
          <span className="soft grow">New, on {where}</span>
          {at !== undefined && clear ? <button type="button" className="plain" onClick={clear}>On the whole instead</button> : null}
        </div>
        {target.quote ? <pre className="quoted">{target.quote}</pre> : null}
        <Writer key={`${path} ${at}`} label="Comment" action="Comment" placeholder={`Comment on ${where}`} write={(text) => call("POST", `${API}/threads`, { path, text, cell: target.cell ?? null, quote: target.quote ?? null })} />
      </section>
      <Loaded query={query}>
        {({ threads, may_manage }: Schemas["ThreadList"]) => {
          const closed = threads.filter((one) => one.resolved_at !== null).length;
          const shown = ordered(threads).filter((one) => resolved || one.resolved_at === null);
          return (
            <>
              {shown.length === 0 ? <Empty title={closed ? "All is resolved" : "No comments yet"}>{closed ? null : "Everybody who may read this may comment on it, here and in JupyterLab."}</Empty> : null}
              {shown.map((thread) => <ThreadView key={thread.id} thread={thread} mayManage={may_manage} active={at !== undefined && thread.position === at} reveal={reveal} />)}
              {closed ? <button type="button" className="plain" aria-pressed={resolved} onClick={() => setResolved(!resolved)}>{resolved ? "Hide resolved" : `Show resolved (${closed})`}</button> : null}
            </>
          );
        }}
      </Loaded>
    </aside>
  );
}
