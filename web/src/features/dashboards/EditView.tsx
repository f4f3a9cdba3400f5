import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { call, path } from "../../api/client";
import { Empty, Failure } from "../../ui/primitives";
import { type Document, type Paged, queryOf, withQueries } from "./types";

/** A dashboard's name, the SQL of its datasets, and its whole file as it is. */
export function EditView({ found }: { found: Paged }) {
  const client = useQueryClient();
  const document = found.document as unknown as Document | null;
  const [name, setName] = useState(found.display_name);
  const [texts, setTexts] = useState<Record<string, string>>({});
  const [raw, setRaw] = useState(found.text ?? "");
  const save = useMutation({
    mutationFn: (serialized: string | null) => call("PATCH", path("/api/2.0/lakeview/dashboards", found.dashboard_id), { display_name: name, etag: found.etag, ...(serialized === null ? {} : { serialized_dashboard: serialized }) }),
    onSuccess: () => client.invalidateQueries({ queryKey: ["dashboards"] }),
  });
  const changed = document !== null && document.datasets.some((one) => texts[one.name] !== undefined && texts[one.name] !== queryOf(one));
  return (
    <div className="stack">
      {save.error ? <Failure error={save.error} title="Not saved" /> : null}
      {save.isSuccess ? <p className="soft" role="status">Saved.</p> : null}
      <form className="panel" onSubmit={(event) => {
        event.preventDefault();
        save.mutate(changed ? JSON.stringify(withQueries(JSON.parse(found.text ?? "{}") as Document, texts), null, 2) : null);
      }}>
        <h2>Name and datasets</h2>
        <label>Name<input className="field pick" value={name} maxLength={180} required onChange={(event) => setName(event.target.value)} /></label>
        {document?.datasets.map((one) => (
          <div key={one.name} className="dataset">
            <label htmlFor={`dataset-${one.name}`}>{one.displayName ?? one.name}</label>
            <textarea id={`dataset-${one.name}`} className="field" spellCheck={false} value={texts[one.name] ?? queryOf(one)} onChange={(event) => setTexts({ ...texts, [one.name]: event.target.value })} />
          </div>
        ))}
        {document?.datasets.length === 0 ? <Empty title="No dataset yet">Add one to the file below.</Empty> : null}
        <p className="foot"><button type="submit" className="button" disabled={save.isPending || (!changed && name === found.display_name)}>Save</button></p>
      </form>
      <form className="panel" onSubmit={(event) => {
        event.preventDefault();
        save.mutate(raw);
      }}>
        <h2>The whole file</h2>
        <textarea className="field raw" aria-label="The whole file" spellCheck={false} value={raw} onChange={(event) => setRaw(event.target.value)} />
        <p className="foot"><button type="submit" className="button" disabled={save.isPending || raw === found.text}>Save the file</button></p>
      </form>
    </div>
  );
}
