import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { ApiError, call } from "../../api/client";
import { Failure } from "../../ui/primitives";
import { Clone } from "./Clone";
import { href, join, type WorkspaceObject } from "./paths";

interface Arriving {
  files: File[];
  overwrite: boolean;
}

/** What can be added to a folder: folders, notebooks, files from this machine. */
export function AddBar({ folder }: { folder: WorkspaceObject }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const picker = useRef<HTMLInputElement>(null);
  const [adding, setAdding] = useState<"folder" | "notebook" | "clone" | null>(null);
  const [name, setName] = useState("");
  const [language, setLanguage] = useState("PYTHON");
  const [waiting, setWaiting] = useState<File[]>([]);
  const refresh = () => queries.invalidateQueries({ queryKey: ["workspace"] });
  const begin = (what: "folder" | "notebook" | "clone") => {
    setName("");
    add.reset();
    setAdding(adding === what ? null : what);
  };
  const add = useMutation({
    mutationFn: async () => {
      const path = join(folder.path, name);
      if (adding === "folder") await call("POST", "/api/2.0/workspace/mkdirs", { path });
      else await call("POST", "/api/2.0/workspace/import", { path, format: "SOURCE", language, content: "" });
      return path;
    },
    onSuccess: async (path) => {
      await refresh();
      setAdding(null);
      await navigate(href(path));
    },
  });
  const bring = useMutation({
    mutationFn: async ({ files, overwrite }: Arriving) => {
      for (const [index, file] of files.entries()) {
        const form = new FormData();
        form.set("path", join(folder.path, file.name));
        form.set("format", "AUTO");
        form.set("overwrite", String(overwrite));
        form.set("content", file);
        setWaiting(files.slice(index));
        await call("POST", "/api/2.0/workspace/import", form);
        // Asked once for each that is there already.
        overwrite = false;
      }
      setWaiting([]);
    },
    onSettled: refresh,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    add.mutate();
  };
  const taken = bring.error instanceof ApiError && bring.error.code === "RESOURCE_ALREADY_EXISTS" ? waiting[0] : undefined;
  return (
    <>
      <div className="actions">
        <button type="button" className="button" onClick={() => begin("notebook")} aria-expanded={adding === "notebook"}>New notebook</button>
        <button type="button" className="button quiet" onClick={() => begin("folder")} aria-expanded={adding === "folder"}>New folder</button>
        <button type="button" className="button quiet" disabled={bring.isPending} onClick={() => picker.current?.click()}>{bring.isPending ? `Importing ${waiting[0]?.name ?? ""}…` : "Import files"}</button>
        <button type="button" className="button quiet" onClick={() => begin("clone")} aria-expanded={adding === "clone"}>Clone a repository</button>
        <input ref={picker} type="file" multiple hidden aria-label="Files to import" onChange={(event) => {
          const files = [...(event.target.files ?? [])];
          event.target.value = "";
          if (files.length > 0) bring.mutate({ files, overwrite: false });
        }} />
      </div>
      {adding === "clone" ? <Clone folder={folder} done={() => setAdding(null)} /> : null}
      {adding === null || adding === "clone" ? null : (
        <form className="line gap" onSubmit={submit} aria-label={`New ${adding}`}>
          <input className="field pick" aria-label="Name" placeholder={`Name of the ${adding}`} value={name} maxLength={200} autoFocus onChange={(event) => setName(event.target.value)} />
          {adding === "notebook" ? (
            <select className="field language" aria-label="Language" value={language} onChange={(event) => setLanguage(event.target.value)}>
              <option value="PYTHON">Python</option>
              <option value="SQL">SQL</option>
            </select>
          ) : null}
          <button type="submit" className="button" disabled={name === "" || add.isPending}>Make it</button>
          <button type="button" className="button quiet" onClick={() => setAdding(null)}>Cancel</button>
          {add.error ? <Failure error={add.error} /> : null}
        </form>
      )}
      {taken ? (
        <div className="note gap" role="alertdialog" aria-label={`Replace ${taken.name}`}>
          <strong>{taken.name} is there already</strong>
          <div className="actions">
            <button type="button" className="button bad" onClick={() => bring.mutate({ files: waiting, overwrite: true })}>Replace it</button>
            <button type="button" className="button quiet" onClick={() => {
              const rest = waiting.slice(1);
              if (rest.length > 0) bring.mutate({ files: rest, overwrite: false });
              else bring.reset();
            }}>Leave it</button>
          </div>
        </div>
      ) : bring.error ? <div className="gap"><Failure error={bring.error} title={waiting[0] ? `${waiting[0].name} was not imported` : undefined} /></div> : null}
    </>
  );
}
