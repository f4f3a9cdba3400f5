import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useNavigate } from "react-router";
import { call, type Schemas } from "../../api/client";
import { Failure } from "../../ui/primitives";
import { href, join, PROVIDERS, providerOf, type WorkspaceObject } from "./paths";

/** Clone a repository into a new git folder. */
export function Clone({ folder, done }: { folder: WorkspaceObject; done: () => void }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [url, setUrl] = useState("");
  const [chosen, setChosen] = useState<string | null>(null);
  const provider = chosen ?? providerOf(url);
  const name = url.replace(/\/+$/, "").split("/").at(-1)?.replace(/\.git$/, "") ?? "";
  const clone = useMutation({
    mutationFn: () => call<Schemas["RepoBody"]>("POST", "/api/2.0/repos", { url, provider, path: join(folder.path, name) }),
    onSuccess: async ({ path }) => {
      await queries.invalidateQueries({ queryKey: ["workspace"] });
      done();
      await navigate(href(path));
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    clone.mutate();
  };
  return (
    <form className="line gap" onSubmit={submit} aria-label="Clone a repository">
      <input className="field pick" aria-label="Address" placeholder="https://github.com/name/repository.git" value={url} maxLength={2000} autoFocus onChange={(event) => setUrl(event.target.value.trim())} />
      <select className="field language" aria-label="Provider" value={provider} onChange={(event) => setChosen(event.target.value)}>
        {Object.entries(PROVIDERS).map(([key, label]) => <option key={key} value={key}>{label}</option>)}
      </select>
      <button type="submit" className="button" disabled={name === "" || clone.isPending}>{clone.isPending ? "Cloning…" : "Clone"}</button>
      <button type="button" className="button quiet" onClick={done}>Cancel</button>
      {clone.error ? <Failure error={clone.error} title="It was not cloned" /> : null}
    </form>
  );
}
