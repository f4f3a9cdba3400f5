import { useQuery } from "@tanstack/react-query";
import { Boxes, ChevronDown, ChevronRight, Database, Folder, HardDrive, Table2 } from "lucide-react";
import { type ReactNode, useState } from "react";
import { NavLink } from "react-router";
import { get, path, type Schemas } from "../../api/client";
import { Failure } from "../../ui/primitives";

const UC = "/api/2.1/unity-catalog";

interface ModelList {
  registered_models?: { name: string; full_name: string }[];
}

interface BranchProps {
  label: string;
  icon: ReactNode;
  /** Whether it is open until somebody closes it. */
  open: boolean;
  children: () => ReactNode;
}

function Branch({ label, icon, open, children }: BranchProps) {
  const [chosen, setChosen] = useState<boolean | null>(null);
  const shown = chosen ?? open;
  return (
    <li>
      <button type="button" className="row" onClick={() => setChosen(!shown)} aria-expanded={shown} title={label}>
        {shown ? <ChevronDown size={14} /> : <ChevronRight size={14} />} {icon} <span>{label}</span>
      </button>
      {shown && children()}
    </li>
  );
}

function Leaf({ to, label, icon }: { to: string; label: string; icon: ReactNode }) {
  return (
    <li>
      <NavLink to={to} className={({ isActive }) => `row${isActive ? " active" : ""}`} title={label}>
        {icon} <span>{label}</span>
      </NavLink>
    </li>
  );
}

function SchemaContents({ catalog, schema, filter }: { catalog: string; schema: string; filter: string }) {
  const query = `catalog_name=${encodeURIComponent(catalog)}&schema_name=${encodeURIComponent(schema)}`;
  const key = [catalog, schema];
  const tables = useQuery({ queryKey: ["tables", ...key], queryFn: () => get<Schemas["TableList"]>(`${UC}/tables?${query}`) });
  const volumes = useQuery({ queryKey: ["volumes", ...key], queryFn: () => get<Schemas["VolumeList"]>(`${UC}/volumes?${query}`) });
  const models = useQuery({ queryKey: ["models", ...key], queryFn: () => get<ModelList>(`${UC}/models?${query}`), retry: false });
  if (tables.error) return <Failure error={tables.error} />;
  const matches = (name: string) => name.toLowerCase().includes(filter.toLowerCase());
  const base = path("/catalog", catalog, schema);
  const found = [
    ...(volumes.data?.volumes ?? []).filter((one) => matches(one.name)).map((one) => (
      <Leaf key={`v${one.name}`} to={`${path(base, one.name)}?kind=volume`} label={one.name} icon={<HardDrive size={14} />} />
    )),
    ...(tables.data?.tables ?? []).filter((one) => matches(one.name)).map((one) => (
      <Leaf key={`t${one.name}`} to={path(base, one.name)} label={one.name} icon={<Table2 size={14} />} />
    )),
    ...(models.data?.registered_models ?? []).filter((one) => matches(one.name)).map((one) => (
      <Leaf key={`m${one.name}`} to={path("/models", one.full_name)} label={one.name} icon={<Boxes size={14} />} />
    )),
  ];
  if (tables.isPending) return <ul><li className="row faint">Loading…</li></ul>;
  return <ul>{found.length ? found : <li className="row faint">{filter ? "No match" : "Empty"}</li>}</ul>;
}

function CatalogContents({ catalog, selected, filter }: { catalog: string; selected: string | undefined; filter: string }) {
  const query = useQuery({
    queryKey: ["schemas", catalog],
    queryFn: () => get<Schemas["SchemaList"]>(`${UC}/schemas?catalog_name=${encodeURIComponent(catalog)}`),
  });
  if (query.error) return <Failure error={query.error} />;
  return (
    <ul>
      {(query.data?.schemas ?? []).map((schema) => (
        <Branch key={schema.name} label={schema.name} icon={<Folder size={14} />} open={schema.name === selected || filter !== ""}>
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
          <Branch key={one.name} label={one.name} icon={<Database size={14} />} open={one.name === (catalog ?? "main") || filter !== ""}>
            {() => <CatalogContents catalog={one.name} selected={schema ?? (catalog ? undefined : "flights")} filter={filter} />}
          </Branch>
        ))}
      </ul>
    </nav>
  );
}
