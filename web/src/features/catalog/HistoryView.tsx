import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { get, path, type Schemas } from "../../api/client";
import { bytes, count, time } from "../../api/format";
import { Loaded } from "../../ui/primitives";
import { Holders, PINS } from "./Pins";
import type { Table } from "./table";
import { Unreadable } from "./Unreadable";

function figure(metrics: Record<string, unknown>, ...names: string[]): number | null {
  const found = names.map((name) => metrics[name]).find((value) => value !== undefined && value !== null);
  return found === undefined ? null : Number(found);
}

function filesChanged(metrics: Record<string, unknown>): string {
  const added = figure(metrics, "numAddedFiles", "num_added_files", "numTargetFilesAdded", "numOutputFiles");
  const removed = figure(metrics, "numRemovedFiles", "num_removed_files", "numTargetFilesRemoved");
  return [added ? `+${count(added)}` : "", removed ? `−${count(removed)}` : ""].filter(Boolean).join(" ") || "–";
}

/** What caused a version, on one line; the whole of a long one on hover. */
function Cause({ type, id }: { type: string; id: string }) {
  const text = `${type.toLowerCase().replaceAll("_", " ")} ${id}`;
  return <div className="cause" title={text}>{text}</div>;
}

/** The versions of a table: what was done, when, by whom. */
export function HistoryView({ table, mayRead }: { table: Table; mayRead: boolean }) {
  const name = table.full_name;
  const query = useQuery({ queryKey: ["history", name], queryFn: () => get<Schemas["HistoryBody"]>(`${path("/api/boathouse/v1/tables", name)}/history`) });
  const pins = useQuery({ queryKey: ["pins", name], queryFn: () => get<Schemas["PinList"]>(`${PINS}?table_name=${encodeURIComponent(name)}`), enabled: mayRead });
  const held = pins.data?.pins ?? [];
  if (query.error && !query.data) return <Unreadable table={table} mayRead={mayRead} error={query.error} />;
  return (
    <Loaded query={query}>
      {({ history }) => (
        <section className="panel flush">
          <div className="scroll">
            <table className="data">
              <thead><tr><th className="num">Version</th><th>Time (UTC)</th><th>Operation</th>{held.length > 0 ? <th>Held by</th> : null}<th>User</th><th className="num">Rows written</th><th className="num">Files</th><th className="num">Bytes</th><th>Parameters</th></tr></thead>
              <tbody>
                {history.map((commit) => (
                  <tr key={commit.version}>
                    <td className="num"><Link to={`?tab=sample&version=${commit.version}`} title="Rows of this version">{commit.version}</Link></td>
                    <td>{time(commit.timestamp)}</td>
                    <td>{commit.operation}</td>
                    {held.length > 0 ? <td className="wrap"><Holders pins={held.filter((pin) => pin.table_version === commit.version)} /></td> : null}
                    <td className="soft">{commit.user ?? "–"}{commit.entity_type && <Cause type={commit.entity_type} id={commit.entity_id ?? ""} />}</td>
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
