import { useQuery } from "@tanstack/react-query";
import { Link, useSearchParams } from "react-router";
import { get, path } from "../../api/client";
import { Badge, Empty, Head, Loaded, Snippet, Tabs } from "../../ui/primitives";
import { QualityView } from "../monitoring/QualityView";
import { TableHealth } from "../monitoring/TableHealth";
import { ColumnsView } from "./ColumnsView";
import { DetailsView } from "./DetailsView";
import { HistoryView } from "./HistoryView";
import { LineageView } from "./LineageView";
import { sqlName } from "./names";
import { PermissionsView } from "./PermissionsView";
import { SampleView } from "./SampleView";
import { useSecurable } from "./securable";
import { isView, type Table, tabsOf } from "./table";
import { Tags } from "./Tags";

function Definition({ table }: { table: Table }) {
  if (!table.view_definition) return <Empty title="How the view is made is not shown to you">You know of it by BROWSE alone.</Empty>;
  return (
    <div className="sql">
      <Snippet text={`CREATE VIEW ${sqlName(table.full_name)} AS\n${table.view_definition}`} />
      <p className="soft">It is read with the privileges of its owner, {table.owner}. Read it by its name:</p>
      <Snippet text={`SELECT * FROM ${sqlName(table.full_name)} LIMIT 50`} />
    </div>
  );
}

/** The pipeline that makes a table, by its name where the asker may know of it. */
function MadeBy({ pipeline }: { pipeline: string }) {
  const query = useQuery({ queryKey: ["pipeline", pipeline, "settings"], queryFn: () => get<{ name: string }>(path("/api/2.0/pipelines", pipeline)), retry: false });
  return <div className="faint">Made by the pipeline {query.data ? <Link to={path("/pipelines", pipeline)}>{query.data.name}</Link> : pipeline}</div>;
}

/** A table or view; which tab is open lives in the URL. */
export function TableView({ name }: { name: string }) {
  const [params] = useSearchParams();
  const query = useQuery({ queryKey: ["table", name], queryFn: () => get<Table>(`/api/2.1/unity-catalog/${path("tables", name)}`) });
  const securable = useSecurable("table", name);
  return (
    <Loaded query={query}>
      {(table) => {
        const tabs = tabsOf(table);
        const tab = tabs.map((one) => one.toLowerCase()).find((one) => one === params.get("tab")) ?? "columns";
        const pipeline = table.properties["pipelines.pipelineId"];
        const mayRead = securable.data?.privileges.includes("SELECT") ?? true;
        return (
          <>
            <Head title={table.full_name} sub={<>{table.comment ? <div>{table.comment}</div> : null}<div className="faint">Owner {table.owner}</div>{pipeline ? <MadeBy pipeline={pipeline} /> : null}<TableHealth name={table.full_name} /><Tags tags={securable.data?.tags} /></>}>
              {isView(table) ? <Badge tone="accent">view</Badge> : null}
              {table.data_source_format && table.data_source_format !== "DELTA" ? <Badge>{table.data_source_format.toLowerCase()}</Badge> : null}
              {table.properties.quality ? <Badge tone="accent">{table.properties.quality}</Badge> : null}
            </Head>
            <Tabs tabs={tabs} current={tab} />
            {tab === "columns" && <ColumnsView table={table} securable={securable.data} />}
            {tab === "definition" && <Definition table={table} />}
            {tab === "sample" && <SampleView table={table} mayRead={mayRead} />}
            {tab === "history" && <HistoryView table={table} mayRead={mayRead} />}
            {tab === "quality" && <QualityView table={table} mayManage={securable.data?.privileges.includes("MANAGE") ?? false} />}
            {tab === "lineage" && <LineageView table={table} />}
            {tab === "details" && <DetailsView table={table} mayRead={mayRead} />}
            {tab === "permissions" && <PermissionsView kind="table" name={table.full_name} owner={table.owner} />}
          </>
        );
      }}
    </Loaded>
  );
}
