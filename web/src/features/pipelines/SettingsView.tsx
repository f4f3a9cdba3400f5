import { useQuery } from "@tanstack/react-query";
import { get } from "../../api/client";
import { time } from "../../api/format";
import { Loaded, Snippet } from "../../ui/primitives";
import { words } from "./types";

interface Access {
  access_control_list: { user_name?: string; group_name?: string; service_principal_name?: string; all_permissions: { permission_level: string }[] }[];
}
interface Library {
  glob?: { include?: string };
  file?: { path?: string };
  notebook?: { path?: string };
}

function Permissions({ id }: { id: string }) {
  const query = useQuery({ queryKey: ["pipeline", id, "permissions"], queryFn: () => get<Access>(`/api/2.0/permissions/pipelines/${encodeURIComponent(id)}`) });
  return (
    <section className="panel">
      <h2>Who may what</h2>
      <Loaded query={query}>
        {({ access_control_list }) => (
          <dl className="facts">
            {access_control_list.map((one) => {
              const grantee = one.user_name ?? one.group_name ?? one.service_principal_name ?? "";
              return <div key={grantee} style={{ display: "contents" }}><dt className="wrap">{grantee}</dt><dd>{one.all_permissions.map((held) => words(held.permission_level)).join(", ")}</dd></div>;
            })}
          </dl>
        )}
      </Loaded>
    </section>
  );
}

/** The settings of a pipeline, as they were given, and who may do what with it. */
export function SettingsView({ id, spec, creator, runAs, changed }: { id: string; spec: Record<string, unknown>; creator: string; runAs: string; changed: number }) {
  const sources = ((spec.libraries as Library[] | undefined) ?? []).map((one) => one.glob?.include ?? one.file?.path ?? one.notebook?.path ?? "");
  const configuration = Object.entries((spec.configuration as Record<string, string> | undefined) ?? {});
  const facts: [string, React.ReactNode][] = [
    ["Source", sources.length ? sources.map((one) => <div key={one} className="mono wrap">{one}</div>) : "defined by spark-pipelines"],
    ["Tables in", `${String(spec.catalog ?? "main")}.${String(spec.schema ?? spec.target ?? "default")}`],
    ["Mode", `${spec.continuous ? "continuous" : "triggered"}, ${spec.development ? "development" : "production"}`],
    ["Configuration", configuration.length ? configuration.map(([key, value]) => <div key={key} className="mono wrap">{key} = {value}</div>) : "none"],
    ["Creator", creator],
    ["Runs as", runAs],
    ["Changed (UTC)", time(changed)],
    ["Identifier", <span key="id" className="mono wrap">{id}</span>],
  ];
  return (
    <div className="grid2">
      <section className="panel">
        <h2>Settings</h2>
        <dl className="facts">{facts.map(([term, value]) => <div key={term} style={{ display: "contents" }}><dt>{term}</dt><dd className="wrap">{value}</dd></div>)}</dl>
        <h2 className="gap-above">As JSON</h2>
        <Snippet text={JSON.stringify(spec, null, 2)} />
      </section>
      <Permissions id={id} />
    </div>
  );
}
