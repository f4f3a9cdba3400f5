import { useQuery } from "@tanstack/react-query";
import { get, path, type Schemas } from "../../api/client";
import { Facts } from "../catalog/Facts";
import { Tags } from "../catalog/Tags";
import { tagsOf } from "./deployment";
import { RunLink } from "./RunLink";
import type { ModelVersion } from "./types";

type Column = Schemas["SignatureColumn"];

function Columns({ columns }: { columns: Column[] }) {
  return columns.map(({ name, type, required }, index) => <div key={name || index}>{name ? <span className="mono">{name}</span> : null} {type}{required ? "" : " (optional)"}</div>);
}

/** Where a version comes from, what it takes and gives, and its tags. */
export function About({ model, version, run }: { model: string; version: string; run: string | undefined }) {
  const signature = useQuery({ queryKey: ["signature", model, version], queryFn: () => get<Schemas["SignatureBody"]>(`${path("/api/boathouse/v1/models", model, "versions", version)}/signature`) });
  const query = new URLSearchParams({ name: model, version }).toString();
  const tagged = useQuery({ queryKey: ["version tags", model, version], queryFn: () => get<{ model_version: ModelVersion }>(`/api/2.0/mlflow/model-versions/get?${query}`) });
  const { others } = tagsOf(tagged.data?.model_version.tags);
  const { inputs = [], outputs = [], params = [] } = signature.data ?? {};
  return (
    <section className="panel gap-above" aria-label="About">
      <h2>About</h2>
      <dl className="facts">
        <Facts
          facts={[
            ["Run", run ? <RunLink id={run} /> : null],
            ["Takes", inputs.length ? <Columns columns={inputs} /> : null],
            ["Gives", outputs.length ? <Columns columns={outputs} /> : null],
            ["Parameters", params.length ? <Columns columns={params} /> : null],
            ["Tags", Object.keys(others).length ? <Tags tags={others} /> : null],
          ]}
        />
      </dl>
    </section>
  );
}
