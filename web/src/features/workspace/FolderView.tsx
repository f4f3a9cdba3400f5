import { BookOpen, File, Folder, FolderGit2, LayoutDashboard } from "lucide-react";
import { useState } from "react";
import { Link } from "react-router";
import type { Schemas } from "../../api/client";
import { ago, bytes, count, time } from "../../api/format";
import { Empty, Name } from "../../ui/primitives";
import { AddBar } from "./AddBar";
import { GitPanel } from "./GitPanel";
import { href, isFixed, kindOf, manages, nameOf, type WorkspaceObject } from "./paths";
import { Remove, Rename } from "./Change";

const ICONS = { DIRECTORY: Folder, REPO: FolderGit2, NOTEBOOK: BookOpen, FILE: File, DASHBOARD: LayoutDashboard };

function Row({ object }: { object: WorkspaceObject }) {
  const [doing, setDoing] = useState<"rename" | "delete" | null>(null);
  const Icon = ICONS[object.object_type];
  const done = () => setDoing(null);
  return (
    <>
      <tr>
        <td className="wrap"><Icon size={15} className="kind" aria-hidden /> <Link to={href(object.path)}><Name text={nameOf(object.path)} /></Link></td>
        <td className="soft nowrap">{kindOf(object)}</td>
        <td className="num soft nowrap">{object.size === null || object.size === undefined ? "" : bytes(object.size)}</td>
        <td className="soft nowrap" title={time(object.modified_at)}>{ago(object.modified_at)}</td>
        <td className="act nowrap">
          {manages(object) && !isFixed(object.path) ? (
            <>
              <button type="button" className="button quiet" onClick={() => setDoing("rename")}>Rename</button>{" "}
              <button type="button" className="button quiet" onClick={() => setDoing("delete")}>Delete</button>
            </>
          ) : null}
        </td>
      </tr>
      {doing === null ? null : (
        <tr><td colSpan={5} className="doing">{doing === "rename" ? <Rename object={object} done={done} /> : <Remove object={object} done={done} />}</td></tr>
      )}
    </>
  );
}

/** What a folder holds, and what can be added to it. */
export function FolderView({ found, offset, size }: { found: Schemas["PageFolder"]; offset: number; size: number }) {
  const { folder, objects, total } = found;
  const page = (from: number) => `${href(folder.path)}${from > 0 ? `&from=${from}` : ""}`;
  return (
    <>
      {folder.object_type === "REPO" ? <GitPanel folder={folder} /> : null}
      {manages(folder) && !["/", "/Users", "/Repos"].includes(folder.path) ? <AddBar folder={folder} /> : null}
      {objects.length === 0 ? (
        <Empty title="Nothing here yet">
          {manages(folder) ? "Import notebooks and files above, or from any client with w.workspace.upload(…)." : "What others share with you in this folder shows here."}
        </Empty>
      ) : (
        <section className="panel flush">
          <div className="scroll">
            <table className="data list" aria-label="Contents">
              <thead><tr><th>Name</th><th>Kind</th><th className="num">Size</th><th>Changed</th><th /></tr></thead>
              <tbody>{objects.map((object) => <Row key={object.object_id} object={object} />)}</tbody>
            </table>
          </div>
          {total > size ? (
            <p className="foot soft">
              {count(offset + 1)} to {count(offset + objects.length)} of {count(total)}{" "}
              {offset > 0 ? <Link to={page(Math.max(0, offset - size))}>Earlier</Link> : null}{" "}
              {offset + size < total ? <Link to={page(offset + size)}>Later</Link> : null}
            </p>
          ) : null}
        </section>
      )}
    </>
  );
}
