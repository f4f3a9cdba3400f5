import { useQuery } from "@tanstack/react-query";
import { Link, useParams, useSearchParams } from "react-router";
import { get, path, type Schemas } from "../../api/client";
import { Empty, Head, Loaded } from "../../ui/primitives";
import { TableView } from "./TableView";
import { Tree } from "./Tree";
import { VolumeView } from "./VolumeView";

function SchemaView({ catalog, schema }: { catalog: string; schema: string }) {
  const name = `${catalog}.${schema}`;
  const query = useQuery({ queryKey: ["schema", name], queryFn: () => get<Schemas["SchemaBody"]>(`/api/2.1/unity-catalog/schemas/${encodeURIComponent(name)}`) });
  return (
    <Loaded query={query}>
      {(found) => <><Head title={name} sub={found.comment ?? "Schema"} /><Empty title="Choose a table, volume or model in the tree">Owner: {found.owner}</Empty></>}
    </Loaded>
  );
}

export function CatalogPage() {
  const { catalog, schema, name } = useParams();
  const [params] = useSearchParams();
  const full = [catalog, schema, name].filter(Boolean).join(".");
  return (
    <div className={`browse${name ? " chosen" : ""}`}>
      <Tree catalog={catalog} schema={schema} />
      <div style={{ minWidth: 0 }}>
        {catalog && schema && name ? <Link className="up" to={path("/catalog", catalog, schema)}>‹ All of {catalog}.{schema}</Link> : null}
        {name ? (
          params.get("kind") === "volume" ? <VolumeView key={full} name={full} /> : <TableView key={full} name={full} />
        ) : catalog && schema ? (
          <SchemaView catalog={catalog} schema={schema} />
        ) : (
          <>
            <Head title="Catalog" sub="Tables, volumes and models that you may see" />
            <Empty title="Choose something in the tree">What you do not see, you have no privilege on: ask its owner.</Empty>
          </>
        )}
      </div>
    </div>
  );
}
