import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { ago, time } from "../../../api/format";
import { call } from "../../../api/client";
import { Failure } from "../../../ui/primitives";
import { API, type Comment, type Thread } from "./comments";

interface Writing {
  label: string;
  action: string;
  begin?: string;
  placeholder?: string;
  write: (text: string) => Promise<unknown>;
  done?: () => void;
  cancel?: () => void;
}

/** A text that is written and sent; Ctrl+Enter sends it too. */
export function Writer({ label, action, begin = "", placeholder, write, done, cancel }: Writing) {
  const queries = useQueryClient();
  const [text, setText] = useState(begin);
  const send = useMutation({
    mutationFn: () => write(text),
    onSuccess: async () => {
      setText("");
      await queries.invalidateQueries({ queryKey: ["workspace", "threads"] });
      done?.();
    },
  });
  const ready = text.trim() !== "" && !send.isPending;
  const submit = (event?: FormEvent) => {
    event?.preventDefault();
    if (ready) send.mutate();
  };
  return (
    <form className="writer" aria-label={label} onSubmit={submit}>
      <textarea className="field" aria-label="Text" rows={2} maxLength={10_000} autoFocus={cancel !== undefined} placeholder={placeholder} value={text} onChange={(event) => setText(event.target.value)} onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit();
        if (event.key === "Escape") cancel?.();
      }} />
      {text.trim() !== "" || cancel ? (
        <div className="line">
          <button type="submit" className="button small" disabled={!ready}>{action}</button>
          {cancel ? <button type="button" className="button quiet small" onClick={cancel}>Cancel</button> : null}
        </div>
      ) : null}
      {send.error ? <Failure error={send.error} title="It was not sent" /> : null}
    </form>
  );
}

function Said({ comment, mayManage }: { comment: Comment; mayManage: boolean }) {
  const queries = useQueryClient();
  const [doing, setDoing] = useState<"edit" | "delete" | null>(null);
  const url = `${API}/comments/${comment.id}`;
  const remove = useMutation({
    mutationFn: () => call("DELETE", url),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["workspace", "threads"] }),
  });
  const stop = () => setDoing(null);
  return (
    <article className="said" aria-label={`Comment of ${comment.author}`}>
      <header><strong>{comment.author}</strong> <span className="faint" title={time(comment.created_at)}>{ago(comment.created_at)}{comment.edited_at === null ? "" : ", edited"}</span></header>
      {doing === "edit" ? <Writer label="Edit the comment" action="Save" begin={comment.text} write={(text) => call("PATCH", url, { text })} done={stop} cancel={stop} /> : <p>{comment.text}</p>}
      {doing === "delete" ? (
        <div className="line" role="alertdialog" aria-label="Delete the comment">
          <button type="button" className="button bad small" disabled={remove.isPending} onClick={() => remove.mutate()}>Delete</button>
          <button type="button" className="button quiet small" onClick={stop}>Keep</button>
        </div>
      ) : null}
      {doing === null && (comment.is_own || mayManage) ? (
        <div className="line">
          {comment.is_own ? <button type="button" className="plain" onClick={() => setDoing("edit")}>Edit</button> : null}
          <button type="button" className="plain" onClick={() => setDoing("delete")}>Delete</button>
        </div>
      ) : null}
      {remove.error ? <Failure error={remove.error} /> : null}
    </article>
  );
}

/** Where a thread is, in words. */
export function placeOf(thread: Thread): string {
  if (thread.is_gone) return "A cell that is gone";
  return thread.position === null ? "On the whole" : `Cell ${thread.position + 1}`;
}

interface Props {
  thread: Thread;
  mayManage: boolean;
  active: boolean;
  reveal?: (position: number) => void;
}

/** What was said at one place, to be answered and resolved. */
export function ThreadView({ thread, mayManage, active, reveal }: Props) {
  const queries = useQueryClient();
  const resolve = useMutation({
    mutationFn: () => call("PATCH", `${API}/threads/${thread.id}`, { resolved: thread.resolved_at === null }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["workspace", "threads"] }),
  });
  const { position, quote, excerpt } = thread;
  return (
    <section className={`thread${active ? " active" : ""}${thread.resolved_at === null ? "" : " resolved"}`} aria-label={`Thread: ${placeOf(thread)}`}>
      <div className="line">
        {position !== null && reveal ? <button type="button" className="plain grow" onClick={() => reveal(position)}>{placeOf(thread)}</button> : <span className="soft grow">{placeOf(thread)}</span>}
        <button type="button" className="button quiet small" disabled={resolve.isPending} onClick={() => resolve.mutate()}>{thread.resolved_at === null ? "Resolve" : "Open again"}</button>
      </div>
      {quote ?? (thread.is_gone ? excerpt : null) ? <pre className="quoted">{quote ?? excerpt}</pre> : null}
      {thread.comments.map((comment) => <Said key={comment.id} comment={comment} mayManage={mayManage} />)}
      {thread.resolved_at === null ? (
        <Writer label="Answer" action="Answer" placeholder="Answer" write={(text) => call("POST", `${API}/threads/${thread.id}/comments`, { text })} />
      ) : <p className="faint">Resolved by {thread.resolved_by}, {ago(thread.resolved_at)}</p>}
      {resolve.error ? <Failure error={resolve.error} /> : null}
    </section>
  );
}
