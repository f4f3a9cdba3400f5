import { Link, useParams, useSearchParams } from "react-router";
import { path } from "../../api/client";
import { Empty, Head } from "../../ui/primitives";
import { SearchBox } from "../../ui/SearchBox";
import { ContainerView } from "./ContainerView";
import { FunctionView } from "./FunctionView";
import { SearchView } from "./SearchView";
import { TableView } from "./TableView";
import { Tree } from "./Tree";
import { VolumeView } from "./VolumeView";

function Leaf({ kind, name }: { kind: string | null; name: string }) {
  if (kind === "volume") return <VolumeView name={name} />;
  return kind === "function" ? <FunctionView name={name} /> : <TableView name={name} />;
}

export function CatalogPage() {
  const { catalog, schema, name } = useParams();
  const [params] = useSearchParams();
  const kind = params.get("kind");
  const full = [catalog, schema, name].filter(Boolean).join(".");
  const text = catalog ? "" : (params.get("q") ?? "").trim();
  const tab = catalog && !name && params.has("tab");
  return (
    <div className={`browse${name || text || tab ? " chosen" : ""}`}>
      <Tree catalog={catalog} schema={schema} />
      <div style={{ minWidth: 0 }}>
        {catalog && schema && name ? <Link className="up" to={path("/catalog", catalog, schema)}>‹ All of {catalog}.{schema}</Link> : null}
        {tab ? <Link className="up" to={path("/catalog", catalog, ...(schema ? [schema] : []))}>‹ All of {full}</Link> : null}
        {text ? (
          <SearchView text={text} />
        ) : name ? (
          <Leaf key={`${kind} ${full}`} kind={kind} name={full} />
        ) : catalog ? (
          <ContainerView key={full} kind={schema ? "schema" : "catalog"} name={full} />
        ) : (
          <>
            <Head title="Catalog" sub="Tables, views, functions, volumes and models that you may see" />
            <div className="narrow"><SearchBox /></div>
            <Empty title="Choose something in the tree, or search">What you do not see, you have no privilege on: ask its owner.</Empty>
          </>
        )}
      </div>
    </div>
  );
}
