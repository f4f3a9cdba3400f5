import { useQuery } from "@tanstack/react-query";
import { useSearchParams } from "react-router";
import { get, path, type Schemas } from "../../api/client";
import { time } from "../../api/format";
import { Head, Loaded, Tabs } from "../../ui/primitives";
import { SchemaMonitor } from "../monitoring/SchemaMonitor";
import { DroppedView } from "./DroppedView";
import { Facts } from "./Facts";
import { PermissionsView } from "./PermissionsView";
import { useSecurable } from "./securable";
import { Tags } from "./Tags";

const TABS = { catalog: ["About", "Permissions"], schema: ["About", "Dropped", "Permissions"] };

/** A catalog or schema; what it holds is in the tree. */
export function ContainerView({ kind, name }: { kind: "catalog" | "schema"; name: string }) {
  const [params] = useSearchParams();
  const query = useQuery({ queryKey: [kind, name], queryFn: () => get<Schemas["CatalogBody"] | Schemas["SchemaBody"]>(`/api/2.1/unity-catalog/${path(`${kind}s`, name)}`) });
  const securable = useSecurable(kind, name);
  const tabs = TABS[kind];
  const tab = tabs.map((one) => one.toLowerCase()).find((one) => one === params.get("tab")) ?? "about";
  return (
    <Loaded query={query}>
      {(found) => (
        <>
          <Head title={name} sub={<>{found.comment ?? (kind === "catalog" ? "Catalog" : "Schema")}<div className="faint">Owner {found.owner}</div><Tags tags={securable.data?.tags} /></>} />
          <Tabs tabs={tabs} current={tab} />
          {tab === "about" && (
            <section className="panel">
              <dl className="facts">
                <Facts facts={[["Owner", found.owner], ["Created", `${time(found.created_at)} by ${found.created_by}`], ["Changed", `${time(found.updated_at)} by ${found.updated_by}`]]} />
                <Facts mono facts={Object.entries(found.properties)} />
              </dl>
              <p className="soft" style={{ margin: "14px 0 0" }}>What it holds is in the tree: choose there.</p>
            </section>
          )}
          {tab === "about" && "schema_id" in found ? <SchemaMonitor id={found.schema_id} mayManage={securable.data?.privileges.includes("MANAGE") ?? false} /> : null}
          {tab === "dropped" && <DroppedView schema={name} />}
          {tab === "permissions" && <PermissionsView kind={kind} name={name} owner={found.owner} />}
        </>
      )}
    </Loaded>
  );
}
