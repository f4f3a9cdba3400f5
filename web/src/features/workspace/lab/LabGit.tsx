import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { ApiError, get, type Schemas } from "../../../api/client";
import { Empty, Loaded } from "../../../ui/primitives";
import { API, useThreads } from "../comments/comments";
import { GitPanel } from "../GitPanel";
import { steps, type WorkspaceObject } from "../paths";
import type { OpenNotebook } from "./open";

/** The git folder that a notebook lies in. */
async function around(path: string): Promise<WorkspaceObject | null> {
  for (const step of steps(path).toReversed()) {
    try {
      const { folder } = await get<Schemas["PageFolder"]>(`${API}/folder?path=${encodeURIComponent(step.path)}&limit=1`);
      if (folder.object_type === "REPO") return folder;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
    }
  }
  return null;
}

function Of({ path }: { path: string }) {
  const queries = useQueryClient();
  const folder = useQuery({ queryKey: ["workspace", "around", path], queryFn: () => around(path), staleTime: 60_000 });
  const saved = useThreads(path).data?.modified_at;
  // What is not committed changes when the notebook is saved.
  useEffect(() => void queries.invalidateQueries({ queryKey: ["workspace", "git"] }), [queries, saved]);
  return (
    <Loaded query={folder}>
      {(found) => found === null ? (
        <div className="empty"><Empty title="In no git folder">Clone a repository on the page's Workspace, and open a notebook of it.</Empty></div>
      ) : <GitPanel folder={found} />}
    </Loaded>
  );
}

/** The git folder of the notebook that is in front, as the page shows it; nothing is asked before somebody looks. */
export function LabGit({ notebook }: { notebook: OpenNotebook }) {
  const open = useSyncExternalStore(notebook.subscribe, notebook.current);
  const place = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const observer = new IntersectionObserver((entries) => setSeen(entries.some((one) => one.isIntersecting)));
    if (place.current) observer.observe(place.current);
    return () => observer.disconnect();
  }, []);
  return (
    <div ref={place}>
      {open === null ? <p className="empty">Open a notebook of a git folder to commit, push and pull.</p> : seen ? <Of key={open.path} path={open.path} /> : <p className="empty">Git</p>}
    </div>
  );
}
