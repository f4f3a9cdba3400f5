import { useQuery } from "@tanstack/react-query";
import { get, type Schemas } from "../../api/client";
import { labPath } from "./paths";

/** Opens a notebook in JupyterLab; where that is not installed, says how it is added. */
export function LabLink({ path }: { path: string }) {
  const { data } = useQuery({
    queryKey: ["lab"],
    queryFn: () => get<Schemas["LabStatus"]>("/api/boathouse/v1/lab"),
    staleTime: Infinity,
  });
  if (data === undefined) return null;
  if (data.installed) return <a className="button" href={labPath(data.url, path)} target="_blank" rel="noreferrer">Open in JupyterLab</a>;
  return (
    <details className="hint">
      <summary className="button quiet">Open in JupyterLab</summary>
      <p>JupyterLab is not installed on this server. Add it and start the server again:</p>
      <code>{data.install}</code>
    </details>
  );
}
