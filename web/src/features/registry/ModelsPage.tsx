import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { get } from "../../api/client";
import { ago, time } from "../../api/format";
import { Badge, Empty, Head, Loaded, Snippet } from "../../ui/primitives";
import type { RegisteredModel } from "./types";

export function ModelsPage() {
  const query = useQuery({ queryKey: ["models"], queryFn: () => get<{ registered_models?: RegisteredModel[] }>("/api/2.1/unity-catalog/models?include_aliases=true") });
  return (
    <>
      <Head title="Models" sub="Registered models that you may see" />
      <Loaded query={query}>
        {({ registered_models: models = [] }) => models.length === 0 ? (
          <Empty title="No model yet that you may see">
            <div style={{ marginTop: 8 }}><Snippet text={'mlflow.register_model(model_info.model_uri, "main.default.my_model")'} /></div>
          </Empty>
        ) : (
          <section className="panel flush">
            <table className="data">
              <thead><tr><th>Model</th><th>Aliases</th><th>Owner</th><th>Changed</th></tr></thead>
              <tbody>
                {models.map((model) => (
                  <tr key={model.full_name}>
                    <td className="wrap"><Link to={`/models/${encodeURIComponent(model.full_name)}`}>{model.full_name}</Link></td>
                    <td>{(model.aliases ?? []).map((alias) => <Badge key={alias.alias_name} tone="accent">{alias.alias_name} → {alias.version_num}</Badge>)}</td>
                    <td className="soft wrap">{model.owner}</td>
                    <td className="soft nowrap" title={time(model.updated_at)}>{ago(model.updated_at)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </section>
        )}
      </Loaded>
    </>
  );
}
