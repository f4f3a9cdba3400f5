import { useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { Link, useSearchParams } from "react-router";
import { get, path, readable, type Schemas } from "../../api/client";
import { cell, count } from "../../api/format";
import { Empty, Loaded, Snippet } from "../../ui/primitives";
import { policiesText, type Table } from "./table";
import { Unreadable } from "./Unreadable";

const NUMERIC = /^(byte|short|integer|long|float|double|decimal)/;
const LONG = 44;
const SHOWN = 200;

interface Opened {
  column: string;
  text: string;
}

/** A value in full. */
function Whole({ opened, onClose }: { opened: Opened; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} onClose={onClose} onClick={(event) => event.target === event.currentTarget && onClose()} aria-label={opened.column}>
      <h2>
        <span>{opened.column} <span className="faint">{count(opened.text.length)} characters</span></span>
        <button type="button" className="icon" onClick={onClose} aria-label="Close" title="Close"><X size={16} /></button>
      </h2>
      <Snippet text={readable(opened.text)} />
    </dialog>
  );
}

function Cell({ value, numeric, open }: { value: unknown; numeric: boolean; open: (text: string) => void }) {
  if (value === null || value === undefined) return <td className={numeric ? "num" : ""}><span className="null">null</span></td>;
  const text = cell(value);
  if (text === "") return <td><span className="null">empty</span></td>;
  if (text.length <= LONG && !text.includes("\n")) return <td className={numeric ? "num" : ""}>{text}</td>;
  return (
    <td className="opens">
      <button type="button" onClick={() => open(text)} title="Show all of it">{text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text}</button>
    </td>
  );
}

/** The first rows of a table, of the newest version or of the one that the URL names. */
export function SampleView({ table, mayRead }: { table: Table; mayRead: boolean }) {
  const name = table.full_name;
  const policies = policiesText(table);
  const [params] = useSearchParams();
  const [opened, setOpened] = useState<Opened | null>(null);
  const version = /^\d+$/.test(params.get("version") ?? "") ? params.get("version") : null;
  const query = useQuery({
    queryKey: ["sample", name, version],
    queryFn: () => get<Schemas["SampleBody"]>(`${path("/api/boathouse/v1/tables", name)}/sample?limit=50${version ? `&version=${version}` : ""}`),
  });
  if (query.error && !query.data && !version) return <Unreadable table={table} mayRead={mayRead} error={query.error} />;
  return (
    <>
      {policies && query.data ? <p className="soft">The table has {policies}. You manage it: this is what lies in its files, without them.</p> : null}
      {version ? <p className="soft">Version {version}. <Link to="?tab=sample">Show the newest</Link></p> : null}
      <Loaded query={query}>
        {(sample) => sample.rows.length === 0 ? <Empty title="The table has no rows" /> : (
          <section className="panel flush">
            <div className="scroll" tabIndex={0} role="region" aria-label="Sample rows">
              <table className="data">
                <thead>
                  <tr>{sample.columns.map((column) => <th key={column.name} className={NUMERIC.test(column.type) ? "num" : ""}>{column.name}<span className="type">{column.type}</span></th>)}</tr>
                </thead>
                <tbody>
                  {sample.rows.map((row, line) => (
                    <tr key={line}>
                      {row.map((value, index) => {
                        const column = sample.columns[index];
                        return <Cell key={index} value={value} numeric={NUMERIC.test(column?.type ?? "")} open={(text) => setOpened({ column: column?.name ?? "", text })} />;
                      })}
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </section>
        )}
      </Loaded>
      {opened ? <Whole opened={opened} onClose={() => setOpened(null)} /> : null}
    </>
  );
}
