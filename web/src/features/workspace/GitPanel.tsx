import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { call, get, path, type Schemas } from "../../api/client";
import { Badge, Failure, Loaded, Snippet } from "../../ui/primitives";
import { edits, type WorkspaceObject } from "./paths";

type Status = Schemas["StatusBody"];

const TONES: Record<string, string> = { ADDED: "good", DELETED: "bad", CONFLICTED: "bad" };

/** How a file differs from the last commit. */
function Difference({ url, file }: { url: string; file: string }) {
  const query = useQuery({ queryKey: ["workspace", "git", url, "diff", file], queryFn: () => get<Schemas["DiffBody"]>(`${url}/diff?path=${encodeURIComponent(file)}`) });
  return <Loaded query={query}>{({ diff }) => <Snippet text={diff || "No line differs."} />}</Loaded>;
}

/** What is not committed, and a commit of it. */
function Changes({ url, status, refresh, editable }: { url: string; status: Status; refresh: () => Promise<void>; editable: boolean }) {
  const [left, setLeft] = useState<string[]>([]);
  const [shown, setShown] = useState<string | null>(null);
  const [message, setMessage] = useState("");
  const chosen = status.changes.map((one) => one.path).filter((one) => !left.includes(one));
  const commit = useMutation({
    mutationFn: (push: boolean) => call("POST", `${url}/commit`, { message, paths: chosen, push }),
    onSuccess: () => setMessage(""),
    onSettled: refresh,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    commit.mutate(true);
  };
  const flip = (file: string) => setLeft(left.includes(file) ? left.filter((one) => one !== file) : [...left, file]);
  return (
    <form className="stack" onSubmit={submit} aria-label="Commit">
      <ul className="changes">
        {status.changes.map(({ path: file, kind }) => (
          <li key={file}>
            <label><input type="checkbox" disabled={!editable} checked={!left.includes(file)} onChange={() => flip(file)} /> <Badge tone={TONES[kind]}>{kind.toLowerCase()}</Badge></label>
            <button type="button" className="plain" aria-expanded={shown === file} onClick={() => setShown(shown === file ? null : file)}>{file}</button>
            {shown === file ? <Difference url={url} file={file} /> : null}
          </li>
        ))}
      </ul>
      {editable ? (
        <div className="line">
          <input className="field pick" aria-label="Message" placeholder="What the commit changes" value={message} onChange={(event) => setMessage(event.target.value)} />
          <button type="submit" className="button" disabled={message.trim() === "" || chosen.length === 0 || commit.isPending}>Commit and push</button>
          <button type="button" className="button quiet" disabled={message.trim() === "" || chosen.length === 0 || commit.isPending} onClick={() => commit.mutate(false)}>Commit only</button>
        </div>
      ) : null}
      {commit.error ? <Failure error={commit.error} /> : null}
    </form>
  );
}

/** A git folder against its last commit and the remote: branches, pull, commit, push. */
export function GitPanel({ folder }: { folder: WorkspaceObject }) {
  const queries = useQueryClient();
  const repo = path("/api/2.0/repos", String(folder.object_id));
  const url = path("/api/boathouse/v1/repos", String(folder.object_id));
  const key = ["workspace", "git", url];
  const status = useQuery({ queryKey: [...key, "status"], queryFn: () => get<Status>(`${url}/status`) });
  const branches = useQuery({ queryKey: [...key, "branches"], queryFn: () => get<Schemas["BranchList"]>(`${url}/branches`) });
  const [name, setName] = useState<string | null>(null);
  const refresh = () => queries.invalidateQueries({ queryKey: ["workspace"] });
  const act = useMutation({
    mutationFn: ({ method, at, body }: { method: string; at: string; body?: unknown }) => call(method, at, body ?? {}),
    onSuccess: () => setName(null),
    onSettled: refresh,
  });
  const editable = edits(folder);
  const begin = (event: FormEvent) => {
    event.preventDefault();
    act.mutate({ method: "POST", at: `${url}/branches`, body: { name } });
  };
  return (
    <section className="panel gap stack" aria-label="Git">
      <Loaded query={status}>
        {(found) => (
          <>
            <div className="line">
              <select className="field language" aria-label="Branch" disabled={!editable || act.isPending} value={found.branch ?? ""} onChange={(event) => act.mutate({ method: "PATCH", at: repo, body: { branch: event.target.value } })}>
                {found.branch === null ? <option value="">no branch</option> : null}
                {[...new Set([...(branches.data?.branches ?? []), ...(found.branch ? [found.branch] : [])])].map((one) => <option key={one}>{one}</option>)}
              </select>
              <span className="soft mono">{found.head_commit_id?.slice(0, 8) ?? "no commit yet"}</span>
              <span className="soft">{[found.ahead ? `${found.ahead} to push` : "", found.behind ? `${found.behind} to pull` : "", found.changes.length ? "" : "nothing to commit"].filter(Boolean).join(", ")}</span>
              {editable && found.branch !== null ? <button type="button" className="button quiet" disabled={act.isPending} onClick={() => act.mutate({ method: "PATCH", at: repo, body: { branch: found.branch } })}>Pull</button> : null}
              {editable && found.ahead > 0 ? <button type="button" className="button quiet" disabled={act.isPending} onClick={() => act.mutate({ method: "POST", at: `${url}/push` })}>Push</button> : null}
              {editable ? <button type="button" className="button quiet" aria-expanded={name !== null} onClick={() => setName(name === null ? "" : null)}>New branch</button> : null}
            </div>
            {name === null ? null : (
              <form className="line" onSubmit={begin} aria-label="New branch">
                <input className="field pick" aria-label="Name of the branch" autoFocus value={name} onChange={(event) => setName(event.target.value)} />
                <button type="submit" className="button" disabled={name === "" || act.isPending}>Begin it</button>
              </form>
            )}
            {act.error ? <Failure error={act.error} /> : null}
            {found.changes.length > 0 ? <Changes url={url} status={found} refresh={refresh} editable={editable} /> : null}
          </>
        )}
      </Loaded>
    </section>
  );
}
