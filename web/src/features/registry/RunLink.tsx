import { useQuery } from "@tanstack/react-query";
import { get } from "../../api/client";

interface Run {
  run: { info: { experiment_id: string }; data?: { metrics?: { key: string; value: number | string }[] } };
}

/** A run of MLflow, by its id. */
export function useRun(id: string | undefined) {
  return useQuery({ queryKey: ["run", id], queryFn: () => get<Run>(`/api/2.0/mlflow/runs/get?run_id=${encodeURIComponent(id ?? "")}`), enabled: Boolean(id), staleTime: Infinity });
}

/** The way to a run on MLflow's page, where the asker may see it. */
export function RunLink({ id }: { id: string }) {
  const query = useRun(id);
  if (!query.data) return <span className="faint mono">{id.slice(0, 8)}</span>;
  return <a className="mono" href={`/mlflow/#/experiments/${query.data.run.info.experiment_id}/runs/${id}`}>{id.slice(0, 8)}</a>;
}
