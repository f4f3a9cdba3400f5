import { useQuery } from "@tanstack/react-query";
import { Link, useSearchParams } from "react-router";
import { get, path, type Schemas } from "../../api/client";
import { bytes, count, time } from "../../api/format";
import { Badge, Empty, Head, Loaded, Tabs } from "../../ui/primitives";
import { SampleView } from "./SampleView";

const TABS = ["Columns", "Sample", "History", "Details", "Permissions"];
const OURS = "/api/boathouse/v1/tables";
type Table = Schemas["TableBody"];

function Columns({ table }: { table: Table }) {
  if (!table.columns.length) return <Empty title="No columns are recorded yet" />;
  return (
    <section className="panel flush">
      <div className="scroll">
        <table className="data">
          <thead><tr><th>Name</th><th>Type</th><th>Nullable</th><th>Comment</th></tr></thead>
          <tbody>
            {table.columns.map((column) => (
              <tr key={column.name}>
                <td className="mono">{column.name}</td>
                <td className="mono soft" title={column.type_text ?? ""}>{column.type_text}</td>
                <td className="soft">{column.nullable === false ? "no" : "yes"}</td>
                <td>{column.comment}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function figure(metrics: Record<string, unknown>, ...names: string[]): number | null {
  const found = names.map((name) => metrics[name]).find((value) => value !== undefined && value !== null);
  return found === undefined ? null : Number(found);
}

function filesChanged(metrics: Record<string, unknown>): string {
  const added = figure(metrics, "numAddedFiles", "num_added_files", "numTargetFilesAdded", "numOutputFiles");
  const removed = figure(metrics, "numRemovedFiles", "num_removed_files", "numTargetFilesRemoved");
  return [added ? `+${count(added)}` : "", removed ? `−${count(removed)}` : ""].filter(Boolean).join(" ") || "–";
}

function History({ name }: { name: string }) {
  const query = useQuery({ queryKey: ["history", name], queryFn: () => get<Schemas["HistoryBody"]>(`${path(OURS, name)}/history`) });
  return (
    <Loaded query={query}>
      {({ history }) => (
        <section className="panel flush">
          <div className="scroll">
            <table className="data">
              <thead><tr><th className="num">Version</th><th>Time (UTC)</th><th>Operation</th><th>User</th><th className="num">Rows written</th><th className="num">Files</th><th className="num">Bytes</th><th>Parameters</th></tr></thead>
              <tbody>
                {history.map((commit) => (
                  <tr key={commit.version}>
                    <td className="num"><Link to={`?tab=sample&version=${commit.version}`} title="Rows of this version">{commit.version}</Link></td>
                    <td>{time(commit.timestamp)}</td>
                    <td>{commit.operation}</td>
                    <td className="soft">{commit.user ?? "–"}</td>
                    <td className="num">{count(commit.rows)}</td>
                    <td className="num soft">{filesChanged(commit.metrics)}</td>
                    <td className="num soft">{bytes(figure(commit.metrics, "numOutputBytes", "numAddedBytes"))}</td>
                    <td className="mono soft" title={JSON.stringify({ ...commit.operation_parameters, ...commit.metrics }, null, 1)}>{JSON.stringify(commit.operation_parameters)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </section>
      )}
    </Loaded>
  );
}

function Details({ table }: { table: Table }) {
  const query = useQuery({ queryKey: ["detail", table.full_name], queryFn: () => get<Schemas["DetailBody"]>(`${path(OURS, table.full_name)}/detail`) });
  const facts: [string, string][] = [
    ["Type", `${table.table_type} ${table.data_source_format}`], ["Owner", table.owner], ["Created", `${time(table.created_at)} by ${table.created_by}`],
    ["Identifier", table.table_id], ["Location", table.storage_location],
  ];
  return (
    <section className="panel">
      <dl className="facts">
        {facts.map(([term, fact]) => <div key={term} style={{ display: "contents" }}><dt>{term}</dt><dd>{fact}</dd></div>)}
        <Loaded query={query}>
          {(detail) => <><dt>Rows</dt><dd>{count(detail.rows)}</dd><dt>Files</dt><dd>{count(detail.files)}, {bytes(detail.size_bytes)}</dd><dt>Version</dt><dd>{detail.version}</dd><dt>Partitioned by</dt><dd>{detail.partition_columns.join(", ") || "nothing"}</dd></>}
        </Loaded>
        {Object.entries(table.properties).map(([key, value]) => <div key={key} style={{ display: "contents" }}><dt className="mono">{key}</dt><dd className="mono">{value}</dd></div>)}
      </dl>
    </section>
  );
}

function Permissions({ name }: { name: string }) {
  const query = useQuery({ queryKey: ["grants", name], queryFn: () => get<Schemas["EffectivePermissions"]>(`/api/2.1/unity-catalog/${path("effective-permissions/table", name)}`) });
  return (
    <Loaded query={query}>
      {({ privilege_assignments: assignments }) => assignments.length === 0 ? <Empty title="Nothing is granted">Only its owner and admins may use this table.</Empty> : (
        <section className="panel flush">
          <table className="data">
            <thead><tr><th>Principal</th><th>Privilege</th><th>From</th></tr></thead>
            <tbody>
              {assignments.flatMap((one) => one.privileges.map((held) => (
                <tr key={`${one.principal} ${held.privilege} ${held.inherited_from_name}`}>
                  <td className="wrap">{one.principal}</td><td>{held.privilege.replaceAll("_", " ")}</td><td className="soft wrap">{held.inherited_from_name ?? "this table"}</td>
                </tr>
              )))}
            </tbody>
          </table>
        </section>
      )}
    </Loaded>
  );
}

export function TableView({ name }: { name: string }) {
  const [params] = useSearchParams();
  const tab = TABS.map((one) => one.toLowerCase()).find((one) => one === params.get("tab")) ?? "columns";
  const query = useQuery({ queryKey: ["table", name], queryFn: () => get<Table>(`/api/2.1/unity-catalog/${path("tables", name)}`) });
  return (
    <Loaded query={query}>
      {(table) => (
        <>
          <Head title={table.full_name} sub={table.comment}>
            {table.properties.quality ? <Badge tone="accent">{table.properties.quality}</Badge> : null}
          </Head>
          <Tabs tabs={TABS} current={tab} />
          {tab === "columns" && <Columns table={table} />}
          {tab === "sample" && <SampleView name={name} />}
          {tab === "history" && <History name={name} />}
          {tab === "details" && <Details table={table} />}
          {tab === "permissions" && <Permissions name={name} />}
        </>
      )}
    </Loaded>
  );
}
