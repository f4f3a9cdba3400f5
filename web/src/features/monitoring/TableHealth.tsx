import { useQuery } from "@tanstack/react-query";
import { get, path } from "../../api/client";
import { Badge } from "../../ui/primitives";
import { completeness, freshness, type Health, tone } from "./health";

/** Whether a table is as fresh and as complete as its history lets one expect; nothing where nobody looks at it. */
export function TableHealth({ name }: { name: string }) {
  const { data } = useQuery({ queryKey: ["health", name], queryFn: () => get<Health>(path("/api/boathouse/v1/data-quality/tables", name)), retry: false });
  if (!data?.monitored) return null;
  if (!data.status) return <div className="faint">Its freshness and rows are looked at within the hour.</div>;
  return (
    <div className="health" role="group" aria-label="Freshness and rows">
      <Badge tone={tone(data.status)}>{data.status.toLowerCase()}</Badge> <span className="soft">{freshness(data)} {completeness(data)}</span>
    </div>
  );
}
