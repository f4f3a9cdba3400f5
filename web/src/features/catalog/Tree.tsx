import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Boxes, ChevronDown, ChevronRight, Database, Eye, Folder, HardDrive, Info, SquareFunction, Table2 } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { Link, NavLink, useLocation } from "react-router";
import { get, path, type Schemas } from "../../api/client";
import { Failure } from "../../ui/primitives";
import { hrefOf } from "./names";

const UC = "/api/2.1/unity-catalog";
const PAGE = 300;

interface ModelList {
  registered_models?: { name: string; full_name: string }[];
}

interface BranchProps {
  label: string;
  icon: ReactNode;
  to: string;
  /** Whether it is open until somebody closes it. */
  open: boolean;
  children: () => ReactNode;
}

function Branch({ label, icon, to, open, children }: BranchProps) {
  const [chosen, setChosen] = useState<boolean | null>(null);
  const active = useLocation().pathname === to;
  const shown = chosen ?? open;
  return (
    <li>
      <div className="branch">
        <button type="button" className="row" onClick={() => setChosen(!shown)} aria-expanded={shown} title={label}>
          {shown ? <ChevronDown size={14} /> : <ChevronRight size={14} />} {icon} <span>{label}</span>
        </button>
        <Link to={to} className={`about${active ? " active" : ""}`} aria-label={`About ${label}`} title={`About ${label}`}><Info size={13} /></Link>
      </div>
      {shown && children()}
    </li>
  );
}

function Leaf({ to, label, icon }: { to: string; label: string; icon: ReactNode }) {
  // A table, a function and a volume of one name have one path.
  const same = (new URLSearchParams(useLocation().search).get("kind") ?? "") === (new URLSearchParams(to.split("?")[1] ?? "").get("kind") ?? "");
  return (
    <li>
      <NavLink to={to} className={({ isActive }) => `row${isActive && same ? " active" : ""}`} title={label}>
        {icon} <span>{label}</span>
      </NavLink>
    </li>
  );
}

function SchemaContents({ catalog, schema, filter }: { catalog: string; schema: string; filter: string }) {
  const query = `catalog_name=${encodeURIComponent(catalog)}&schema_name=${encodeURIComponent(schema)}`;
  const key = [catalog, schema];
  const tables = useInfiniteQuery({
    queryKey: ["tables", ...key],
    queryFn: ({ pageParam }) => get<Schemas["TableList"]>(`${UC}/tables?${query}&omit_columns=true&omit_properties=true&max_results=${PAGE}&page_token=${encodeURIComponent(pageParam)}`),
    initialPageParam: "",
    getNextPageParam: (last) => last.next_page_token ?? undefined,
  });
  const volumes = useQuery({ queryKey: ["volumes", ...key], queryFn: () => get<Schemas["VolumeList"]>(`${UC}/volumes?${query}`) });
  const functions = useQuery({ queryKey: ["functions", ...key], queryFn: () => get<Schemas["FunctionList"]>(`${UC}/functions?${query}`) });
  const models = useQuery({ queryKey: ["models", ...key], queryFn: () => get<ModelList>(`${UC}/models?${query}`), retry: false });
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = tables;
  useEffect(() => {
    // What is filtered by has to be there.
    if (filter && hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [filter, hasNextPage, isFetchingNextPage, fetchNextPage]);
  if (tables.error && !tables.data) return <Failure error={tables.error} />;
  if (tables.isPending) return <ul><li className="row faint">Loading…</li></ul>;
  const matches = (one: { name: string }) => one.name.toLowerCase().includes(filter.toLowerCase());
  const leaf = (type: string, name: string, icon: ReactNode) => <Leaf key={`${type} ${name}`} to={hrefOf(type, `${catalog}.${schema}.${name}`) ?? ""} label={name} icon={icon} />;
  const found = [
    ...(volumes.data?.volumes ?? []).filter(matches).map((one) => leaf("volume", one.name, <HardDrive size={14} aria-label="volume" />)),
    ...tables.data.pages.flatMap((page) => page.tables).filter(matches).map((one) => leaf("table", one.name, one.table_type === "VIEW" ? <Eye size={14} aria-label="view" /> : <Table2 size={14} />)),
    ...(functions.data?.functions ?? []).filter(matches).map((one) => leaf("function", one.name, <SquareFunction size={14} aria-label="function" />)),
    ...(models.data?.registered_models ?? []).filter(matches).map((one) => leaf("registered_model", one.name, <Boxes size={14} aria-label="model" />)),
  ];
  return (
    <ul>
      {found.length ? found : <li className="row faint">{filter ? "No match" : "Empty"}</li>}
      {hasNextPage ? <li><button type="button" className="row faint" disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>{isFetchingNextPage ? "Loading…" : "More tables"}</button></li> : null}
    </ul>
  );
}

function CatalogContents({ catalog, selected, filter }: { catalog: string; selected: string | undefined; filter: string }) {
  const query = useQuery({
    queryKey: ["schemas", catalog],
    queryFn: () => get<Schemas["SchemaList"]>(`${UC}/schemas?catalog_name=${encodeURIComponent(catalog)}`),
  });
  if (query.error && !query.data) return <Failure error={query.error} />;
  return (
    <ul>
      {query.data?.schemas.length === 0 ? <li className="row faint">No schema that you may see</li> : null}
      {(query.data?.schemas ?? []).map((schema) => (
        <Branch key={schema.name} label={schema.name} icon={<Folder size={14} />} to={path("/catalog", catalog, schema.name)} open={schema.name === selected || filter !== ""}>
          {() => <SchemaContents catalog={catalog} schema={schema.name} filter={filter} />}
        </Branch>
      ))}
    </ul>
  );
}

/** Catalogs, schemas and what they hold; each level is loaded when it is opened. */
export function Tree({ catalog, schema }: { catalog: string | undefined; schema: string | undefined }) {
  const [filter, setFilter] = useState("");
  const query = useQuery({ queryKey: ["catalogs"], queryFn: () => get<Schemas["CatalogList"]>(`${UC}/catalogs`) });
  return (
    <nav className="panel tree" aria-label="Catalogs">
      <input className="field" placeholder="Filter by name" aria-label="Filter by name" value={filter} onChange={(event) => setFilter(event.target.value)} style={{ marginBottom: 8 }} />
      {query.error ? <Failure error={query.error} /> : null}
      <ul key={String(filter !== "")}>
        {(query.data?.catalogs ?? []).map((one) => (
          <Branch key={one.name} label={one.name} icon={<Database size={14} />} to={path("/catalog", one.name)} open={one.name === (catalog ?? "main") || filter !== ""}>
            {() => <CatalogContents catalog={one.name} selected={schema ?? (catalog ? undefined : "flights")} filter={filter} />}
          </Branch>
        ))}
      </ul>
    </nav>
  );
}
