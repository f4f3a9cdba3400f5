import { useQuery } from "@tanstack/react-query";
import { ApiError, get } from "../../api/client";
import { Empty, Failure, Snippet } from "../../ui/primitives";
import { sqlName } from "./names";
import { isView, policiesText, type Table } from "./table";

/** Why the page does not show a table's rows, and how to get them. */
export function Unreadable({ table, mayRead, error }: { table: Table; mayRead: boolean; error: unknown }) {
  const me = useQuery({ queryKey: ["me"], queryFn: () => get<{ userName?: string; applicationId?: string }>("/api/2.0/preview/scim/v2/Me"), staleTime: 60_000 });
  const name = sqlName(table.full_name);
  const query = `SELECT * FROM ${name} LIMIT 50`;
  if (!(error instanceof ApiError)) return <Failure error={error} />;
  if (error.status === 403 && !mayRead) {
    const who = me.data?.userName ?? me.data?.applicationId ?? "…";
    return (
      <Empty title="You may know of this table, but not read it">
        <p>Its owner, {table.owner}, or whoever manages it can grant you that:</p>
        <Snippet text={`GRANT SELECT ON TABLE ${name} TO \`${who}\``} />
        <p>USE CATALOG and USE SCHEMA are needed on what it lies in.</p>
      </Empty>
    );
  }
  if (error.status === 403 || isView(table)) {
    const policies = policiesText(table);
    return (
      <Empty title={policies ? `This table has ${policies}` : "This is a view"}>
        <p>They hold for queries. This page reads a table's files as they are, which is for those who manage the table. A query gives the rows that you may see:</p>
        <Snippet text={query} />
      </Empty>
    );
  }
  if (error.code === "INVALID_STATE") {
    return (
      <Empty title="There is no Delta log to read here">
        <p>{error.message}</p>
        <p>A table that was registered and not written yet has none; else its files were moved or removed.</p>
      </Empty>
    );
  }
  return <Failure error={error} />;
}
