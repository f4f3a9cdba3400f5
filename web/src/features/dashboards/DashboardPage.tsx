import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearchParams } from "react-router";
import { call, get, path } from "../../api/client";
import { ago, time } from "../../api/format";
import { Badge, Empty, Failure, Head, Loaded } from "../../ui/primitives";
import { href } from "../workspace/paths";
import { EditView } from "./EditView";
import { Publishing } from "./Publishing";
import { type Document, GLOBAL, parseFilters, type Paged } from "./types";
import { WidgetView } from "./WidgetView";
import "./dashboards.css";

function Board({ found, document, published }: { found: Paged; document: Document; published: boolean }) {
  const [params, setParams] = useSearchParams();
  const pages = document.pages.filter((one) => one.pageType !== GLOBAL);
  const page = pages.find((one) => one.name === params.get("page")) ?? pages[0];
  const filters = parseFilters(params.get("f"));
  if (!page) return <Empty title="The dashboard has no page">Its file needs one in “pages”.</Empty>;
  const above = document.pages.filter((one) => one.pageType === GLOBAL);
  const asked = { id: found.dashboard_id, etag: found.etag, published, page: page.name, filters };
  const placed = [...above.flatMap((one) => one.layout.map((each) => ({ from: one.name, ...each, position: {} as typeof each.position }))), ...page.layout.map((each) => ({ from: page.name, ...each }))];
  const show = (name: string) => {
    const query = new URLSearchParams(params);
    query.set("page", name);
    return `?${query.toString()}`;
  };
  return (
    <>
      {pages.length > 1 ? (
        <nav className="tabs" aria-label="Pages">{pages.map((one) => <Link key={one.name} to={show(one.name)} className={one.name === page.name ? "active" : ""}>{one.displayName ?? one.name}</Link>)}</nav>
      ) : null}
      {placed.length === 0 ? <Empty title="Nothing on this page yet">Widgets are added to the dashboard's file, here under “Edit” or from any client.</Empty> : (
        <div className="board">
          {placed.map(({ from, widget, position }) => (
            <div key={`${from} ${widget.name}`} style={position.width === undefined ? { gridColumn: "span 2", gridRow: "span 2" } : { gridColumn: `${(position.x ?? 0) + 1} / span ${position.width}`, gridRow: `${(position.y ?? 0) + 1 + 2 * Math.ceil(above.reduce((sum, one) => sum + one.layout.length, 0) / 3)} / span ${position.height ?? 4}` }}>
              <WidgetView widget={widget} asked={{ ...asked, page: from }} choose={(chosen) => {
                const query = new URLSearchParams(params);
                query.set("f", JSON.stringify({ ...filters, [widget.name]: chosen }));
                setParams(query, { replace: true, flushSync: true });
              }} />
            </div>
          ))}
        </div>
      )}
    </>
  );
}

function Trashed({ found }: { found: Paged }) {
  const client = useQueryClient();
  const restore = useMutation({ mutationFn: () => call("POST", `${path("/api/boathouse/v1/dashboards", found.dashboard_id)}/restore`), onSuccess: () => client.invalidateQueries({ queryKey: ["dashboards"] }) });
  return (
    <Empty title="This dashboard is in the trash">
      <p>It is forgotten 30 days after {time(found.updated_at)}.</p>
      {found.level === "CAN_MANAGE" ? <button type="button" className="button" disabled={restore.isPending} onClick={() => restore.mutate()}>Restore</button> : null}
      {restore.error ? <Failure error={restore.error} /> : null}
    </Empty>
  );
}

/** A dashboard: its draft, what was published of it, and its texts. */
export function DashboardPage() {
  const { id = "" } = useParams();
  const navigate = useNavigate();
  const [params] = useSearchParams();
  const published = params.get("view") === "published";
  const editing = params.get("view") === "edit";
  const query = useQuery({ queryKey: ["dashboards", id, published], queryFn: () => get<Paged>(`${path("/api/boathouse/v1/dashboards", id)}?published=${published}`) });
  return (
    <Loaded query={query}>
      {(found) => {
        const edits = found.level === "CAN_EDIT" || found.level === "CAN_MANAGE";
        const views = [["", "Draft"], ...(found.is_published ? [["published", "Published"]] : []), ...(edits ? [["edit", "Edit"]] : [])];
        return (
          <>
            <Head title={found.display_name} sub={<>
              <Link to={href(found.path)}>{found.path}</Link>{" "}
              {published ? <Badge tone="good">published {ago(found.published_at)}</Badge> : null}{" "}
              <span className="soft">Queries are executed as {found.runs_as}{found.refreshed_at ? `; refreshed by a job ${ago(found.refreshed_at)}` : ""}.</span>
            </>} />
            {found.lifecycle_state === "TRASHED" ? <Trashed found={found} /> : (
              <>
                <div className="dashboard-bar">
                  {views.length > 1 ? <nav className="tabs" aria-label="Views">{views.map(([view, label]) => <Link key={view} to={view ? `?view=${view}` : "?"} className={(params.get("view") ?? "") === view ? "active" : ""}>{label}</Link>)}</nav> : null}
                  <span className="spacer" />
                  {edits ? <Publishing found={found} gone={() => void navigate("/dashboards")} /> : null}
                </div>
                {editing && edits ? <EditView key={found.etag} found={found} /> : found.document ? <Board found={found} document={found.document as unknown as Document} published={published} /> : <Failure error={new Error(found.problem ?? "")} title="The file is no dashboard" />}
              </>
            )}
          </>
        );
      }}
    </Loaded>
  );
}
