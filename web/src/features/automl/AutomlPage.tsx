import { useQuery } from "@tanstack/react-query";
import { Link, useSearchParams } from "react-router";
import { call } from "../../api/client";
import { ago, time } from "../../api/format";
import { Head, Loaded, Name } from "../../ui/primitives";
import { type Experiment, type Problem, PROBLEMS, searchHref, tagsOf } from "./automl";
import { StartForm } from "./StartForm";

/** The form, and the searches that there were. */
export function AutomlPage() {
  const [params] = useSearchParams();
  const query = useQuery({
    queryKey: ["automl"],
    queryFn: () => call<{ experiments?: Experiment[] }>("POST", "/api/2.0/mlflow/experiments/search", { max_results: 100, filter: "tags.`automl.problem` LIKE '%'", order_by: ["creation_time DESC"] }),
    refetchInterval: 15_000,
  });
  return (
    <>
      <Head title="AutoML" sub="Models are searched for within a time, and each trial is a notebook to go on from." />
      <StartForm table={params.get("table") ?? ""} />
      <Loaded query={query}>
        {({ experiments = [] }) => experiments.length === 0 ? null : (
          <section className="panel flush" aria-label="Searches">
            <div className="scroll">
              <table className="data list">
                <thead><tr><th>Search</th><th>What</th><th>Table</th><th>Target</th><th>Begun</th></tr></thead>
                <tbody>{experiments.map((one) => {
                  const tags = tagsOf(one.tags);
                  return (
                    <tr key={one.experiment_id}>
                      <td className="wrap"><Link to={searchHref(one.name, tags["automl.job_run"])}><Name text={one.name.slice(one.name.lastIndexOf("/") + 1)} /></Link></td>
                      <td>{PROBLEMS[tags["automl.problem"] as Problem]}</td>
                      <td className="soft wrap"><Name text={tags["automl.dataset"] ?? ""} /></td>
                      <td className="soft wrap"><Name text={tags["automl.target"] ?? ""} /></td>
                      <td className="soft nowrap" title={time(one.creation_time)}>{ago(one.creation_time)}</td>
                    </tr>
                  );
                })}</tbody>
              </table>
            </div>
          </section>
        )}
      </Loaded>
    </>
  );
}
