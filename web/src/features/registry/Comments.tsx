import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { call } from "../../api/client";
import { time } from "../../api/format";
import { Failure } from "../../ui/primitives";
import type { Activity } from "./activities";

const COMMENTS = "/api/2.0/mlflow/comments";

interface Place {
  model: string;
  version: string;
}

function useComment({ model, version }: Place) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ method, to, body }: { method: string; to: string; body?: Record<string, unknown> }) => call(method, `${COMMENTS}/${to}`, body),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["activities", model, version] }),
  });
}

/** What somebody said; who said it may change it. */
function Comment({ place, comment }: { place: Place; comment: Activity }) {
  const [text, setText] = useState<string | null>(null);
  const act = useComment(place);
  const actions = comment.available_actions ?? [];
  const field = `comment-${comment.id}`;
  const save = () => act.mutate({ method: "PATCH", to: "update", body: { id: comment.id, comment: text } }, { onSuccess: () => setText(null) });
  return (
    <li>
      <div><strong>{comment.user_id}</strong> <span className="soft">{time(comment.creation_timestamp)} UTC{comment.last_updated_timestamp > comment.creation_timestamp ? ", changed" : ""}</span></div>
      {text === null ? <p className="said">{comment.comment}</p> : (
        <form className="stack gap-above" onSubmit={(event) => { event.preventDefault(); save(); }}>
          <div>
            <label htmlFor={field}>Comment</label>
            <textarea id={field} className="field prose" rows={3} value={text} onChange={(event) => setText(event.target.value)} />
          </div>
          <div className="actions">
            <button type="submit" className="button" disabled={act.isPending || !text.trim()}>Save</button>
            <button type="button" className="button quiet" onClick={() => setText(null)}>Leave it</button>
          </div>
        </form>
      )}
      {text === null && actions.length > 0 ? (
        <div className="actions">
          {actions.includes("EDIT_COMMENT") ? <button type="button" className="button quiet" onClick={() => setText(comment.comment ?? "")}>Change</button> : null}
          {actions.includes("DELETE_COMMENT") ? <button type="button" className="button quiet" disabled={act.isPending} onClick={() => act.mutate({ method: "DELETE", to: `delete?id=${encodeURIComponent(comment.id)}` })}>Delete</button> : null}
        </div>
      ) : null}
      {act.error ? <div className="gap-above"><Failure error={act.error} /></div> : null}
    </li>
  );
}

/** What people say of a version. */
export function Comments({ model, version, comments }: Place & { comments: Activity[] }) {
  const [text, setText] = useState("");
  const act = useComment({ model, version });
  const send = () => act.mutate({ method: "POST", to: "create", body: { name: model, version, comment: text } }, { onSuccess: () => setText("") });
  return (
    <section className="panel" aria-label="Comments">
      <h2>Comments</h2>
      {comments.length === 0 ? <p className="soft">Nobody has said anything yet.</p> : <ul className="feed">{comments.map((one) => <Comment key={one.id} place={{ model, version }} comment={one} />)}</ul>}
      <form className="stack gap-above" onSubmit={(event) => { event.preventDefault(); send(); }}>
        <div>
          <label htmlFor="comment">Say something</label>
          <textarea id="comment" className="field prose" rows={3} value={text} onChange={(event) => setText(event.target.value)} />
        </div>
        <div className="actions"><button type="submit" className="button" disabled={act.isPending || !text.trim()}>Comment</button></div>
      </form>
      {act.error ? <div className="gap-above"><Failure error={act.error} /></div> : null}
    </section>
  );
}
