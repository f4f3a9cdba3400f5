import { useInfiniteQuery, useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useNavigate } from "react-router";
import { call, get, path } from "../../api/client";
import { ago } from "../../api/format";
import { Empty, Failure, Head, Loaded, Name } from "../../ui/primitives";

interface Listed {
  dashboard_id: string;
  display_name: string;
  create_time: string;
}

function Make() {
  const navigate = useNavigate();
  const [name, setName] = useState("");
  const make = useMutation({ mutationFn: () => call<Listed>("POST", "/api/2.0/lakeview/dashboards", { display_name: name }), onSuccess: (made) => navigate(`${path("/dashboards", made.dashboard_id)}?view=edit`) });
  return (
    <form className="actions" onSubmit={(event) => {
      event.preventDefault();
      make.mutate();
    }}>
      <input className="field pick" aria-label="Name of a new dashboard" placeholder="Name of a new dashboard" value={name} maxLength={180} onChange={(event) => setName(event.target.value)} />
      <button type="submit" className="button" disabled={!name || make.isPending}>Create</button>
      {make.error ? <Failure error={make.error} /> : null}
    </form>
  );
}

/** All dashboards that the asker may see. */
export function DashboardsPage() {
  const query = useInfiniteQuery({
    queryKey: ["dashboards"],
    queryFn: ({ pageParam }) => get<{ dashboards?: Listed[]; next_page_token?: string }>(`/api/2.0/lakeview/dashboards?page_size=100${pageParam ? `&page_token=${encodeURIComponent(pageParam)}` : ""}`),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_page_token,
  });
  const found = query.data?.pages.flatMap((page) => page.dashboards ?? []);
  return (
    <>
      <Head title="Dashboards" sub="Files of the workspace that end in .lvdash.json: queries, and pages of what they give." />
      <Make />
      <Loaded query={{ data: found, error: query.error }}>
        {(shown) => shown.length === 0 ? <Empty title="No dashboard yet">Make one above, import a .lvdash.json file into the workspace, or deploy a bundle with one.</Empty> : (
          <section className="panel flush">
            <div className="scroll">
              <table className="data list">
                <thead><tr><th>Dashboard</th><th>Made</th></tr></thead>
                <tbody>{shown.map((one) => (
                  <tr key={one.dashboard_id}>
                    <td className="wrap"><Link to={path("/dashboards", one.dashboard_id)}><Name text={one.display_name} /></Link></td>
                    <td className="soft nowrap">{ago(Date.parse(one.create_time))}</td>
                  </tr>
                ))}</tbody>
              </table>
            </div>
            {query.hasNextPage ? <p className="foot"><button type="button" className="button quiet" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>Show more</button></p> : null}
          </section>
        )}
      </Loaded>
    </>
  );
}
