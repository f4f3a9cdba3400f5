import { useInfiniteQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Link, useSearchParams } from "react-router";
import { get, type Schemas } from "../../api/client";
import { ago, time } from "../../api/format";
import { Badge, Empty, Head, Loaded, Name, Snippet } from "../../ui/primitives";
import { Tags } from "../catalog/Tags";
import { behind } from "./freshness";

type Table = Schemas["FeatureTableBody"];

const SHOWN = 6;
const FIRST = `fe = FeatureEngineeringClient()
fe.create_table(name="main.weather.hourly", primary_keys=["origin", "time_hour"], timeseries_columns="time_hour", df=hourly)`;

function Row({ table }: { table: Table }) {
  const more = table.features.length - SHOWN;
  return (
    <tr>
      <td className="wrap">
        <Link to={`/features/${encodeURIComponent(table.full_name)}`}><Name text={table.full_name} /></Link>
        {table.comment ? <div className="faint">{table.comment}</div> : null}
        <Tags tags={table.tags} />
      </td>
      <td className="wrap">{table.primary_keys.join(", ")}{table.timeseries_key ? <div className="faint">as of {table.timeseries_key}{table.available_at ? `, known since ${table.available_at}` : ""}</div> : null}</td>
      <td className="soft wrap">{table.features.slice(0, SHOWN).map((one) => one.name).join(", ")}{more > 0 ? <span className="faint"> and {more} more</span> : null}</td>
      <td className="soft wrap">{table.owner}</td>
      <td className="soft nowrap" title={time(table.updated_at)}>{table.updated_at === null ? "unreadable" : ago(table.updated_at)}</td>
      <td>{table.online.length === 0 ? <span className="faint">no</span> : table.online.map((one) => <Badge key={one.name} tone={behind(table, one) === "up to date" ? "good" : "warning"}>{behind(table, one)}</Badge>)}</td>
    </tr>
  );
}

/** Feature tables, those that match what the URL asks for. */
export function FeaturesPage() {
  const [params, setParams] = useSearchParams();
  const asked = params.get("q") ?? "";
  const [text, setText] = useState(asked);
  const query = useInfiniteQuery({
    queryKey: ["features", asked],
    initialPageParam: "",
    queryFn: ({ pageParam }) => get<Schemas["FeatureTableList"]>(`/api/boathouse/v1/features?q=${encodeURIComponent(asked)}&page_token=${encodeURIComponent(pageParam)}`),
    getNextPageParam: (last) => last.next_page_token ?? undefined,
  });
  const search = (event: FormEvent) => {
    event.preventDefault();
    setParams(text.trim() ? { q: text.trim() } : {});
  };
  return (
    <>
      <Head title="Features" sub="Tables with a primary key, and the features in them" />
      <form role="search" className="gap" onSubmit={search} style={{ maxWidth: 460 }}>
        <input type="search" className="field" placeholder="Names, comments, owners, tags" aria-label="Search features" maxLength={500} value={text} onChange={(event) => setText(event.target.value)} />
      </form>
      <Loaded query={query}>
        {({ pages }) => {
          const tables = pages.flatMap((page) => page.tables);
          if (tables.length === 0) return asked ? <Empty title={`Nothing matches “${asked}”`}>All words have to occur in one table's names, comments, owner or tags. <Link to="/features">Show all</Link></Empty> : (
            <Empty title="No feature table yet that you may see"><div style={{ marginTop: 8 }}><Snippet text={FIRST} /></div></Empty>
          );
          return (
            <section className="panel flush">
              <table className="data" aria-label="Feature tables">
                <thead><tr><th>Table</th><th>Keys</th><th>Features</th><th>Owner</th><th>Written</th><th>Online</th></tr></thead>
                <tbody>{tables.map((one) => <Row key={one.full_name} table={one} />)}</tbody>
              </table>
              {query.hasNextPage ? <p className="foot"><button type="button" className="button quiet" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>Show more</button></p> : null}
            </section>
          );
        }}
      </Loaded>
    </>
  );
}
