import { useQuery } from "@tanstack/react-query";
import { Fragment } from "react";
import { Link, useSearchParams } from "react-router";
import { get, type Schemas } from "../../api/client";
import { Failure, Head, Loaded } from "../../ui/primitives";
import { FileView } from "./FileView";
import { FolderView } from "./FolderView";
import { NotebookView } from "./NotebookView";
import { href, kindOf, nameOf, steps } from "./paths";
import "./comments/comments.css";
import "./workspace.css";

const PAGE = 200;

/** The workspace: the folder, notebook or file whose path is in the URL; without one, the asker's own folder. */
export function WorkspacePage() {
  const [params] = useSearchParams();
  const path = params.get("path") ?? "";
  const offset = Math.max(0, Number(params.get("from")) || 0);
  const query = useQuery({
    queryKey: ["workspace", path, offset],
    queryFn: () => get<Schemas["PageFolder"]>(`/api/boathouse/v1/workspace/folder?path=${encodeURIComponent(path)}&limit=${PAGE}&offset=${offset}`),
  });
  if (query.error && query.data === undefined) {
    return (
      <>
        <Head title="Workspace" sub={<Link to="/workspace">Your folder</Link>} />
        <Failure error={query.error} />
      </>
    );
  }
  return (
    <Loaded query={query}>
      {(found) => {
        const { folder } = found;
        const above = steps(folder.path);
        return (
          <>
            <Head
              title={nameOf(folder.path)}
              sub={
                <>
                  {above.map((step) => <Fragment key={step.path}><Link to={href(step.path)}>{step.name}</Link> / </Fragment>)}
                  {folder.object_type === "DIRECTORY" ? null : kindOf(folder)}
                  {folder.path === found.home ? null : <> <Link to="/workspace" className="home">Your folder</Link></>}
                </>
              }
            />
            {folder.object_type === "NOTEBOOK" ? <NotebookView object={folder} /> : folder.object_type === "FILE" || folder.object_type === "DASHBOARD" ? <FileView object={folder} /> : <FolderView found={found} offset={offset} size={PAGE} />}
          </>
        );
      }}
    </Loaded>
  );
}
