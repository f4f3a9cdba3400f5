import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { call } from "../../api/client";
import { Failure } from "../../ui/primitives";
import { join, nameOf, parentOf, type WorkspaceObject } from "./paths";

interface Props {
  object: WorkspaceObject;
  done: () => void;
}

/** Give an object another name. */
export function Rename({ object, done }: Props) {
  const queries = useQueryClient();
  const [name, setName] = useState(nameOf(object.path));
  const rename = useMutation({
    mutationFn: () => call("POST", "/api/boathouse/v1/workspace/move", { path: object.path, destination_path: join(parentOf(object.path), name) }),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["workspace"] });
      done();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    rename.mutate();
  };
  return (
    <form className="line" onSubmit={submit} aria-label={`Rename ${nameOf(object.path)}`}>
      <input className="field pick" aria-label="New name" value={name} maxLength={200} autoFocus onChange={(event) => setName(event.target.value)} />
      <button type="submit" className="button" disabled={name === "" || name === nameOf(object.path) || rename.isPending}>Rename</button>
      <button type="button" className="button quiet" onClick={done}>Cancel</button>
      {rename.error ? <Failure error={rename.error} /> : null}
    </form>
  );
}

/** Delete an object, after asking. */
export function Remove({ object, done }: Props) {
  const queries = useQueryClient();
  const folder = object.object_type === "DIRECTORY" || object.object_type === "REPO";
  const remove = useMutation({
    mutationFn: () => call("POST", "/api/2.0/workspace/delete", { path: object.path, recursive: folder }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["workspace"] }),
  });
  return (
    <div className="line" role="alertdialog" aria-label={`Delete ${nameOf(object.path)}`}>
      <span>Delete <strong>{nameOf(object.path)}</strong>{folder ? " with all that it holds" : ""}? It does not come back.</span>
      <button type="button" className="button bad" disabled={remove.isPending} onClick={() => remove.mutate()}>Delete</button>
      <button type="button" className="button quiet" onClick={done}>Cancel</button>
      {remove.error ? <Failure error={remove.error} /> : null}
    </div>
  );
}
