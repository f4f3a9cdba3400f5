import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { call } from "../../api/client";
import { Failure } from "../../ui/primitives";
import type { WorkspaceObject } from "./paths";

interface Props {
  object: WorkspaceObject;
  text: string;
  done: () => void;
}

/** The text of a file or a notebook, to be changed. */
export function Editor({ object, text, done }: Props) {
  const queries = useQueryClient();
  const [value, setValue] = useState(text);
  const save = useMutation({
    mutationFn: () => {
      const form = new FormData();
      form.set("path", object.path);
      form.set("overwrite", "true");
      if (object.object_type === "NOTEBOOK") {
        form.set("format", "SOURCE");
        form.set("language", object.language ?? "PYTHON");
      } else form.set("format", "RAW");
      form.set("content", new Blob([value]));
      return call("POST", "/api/2.0/workspace/import", form);
    },
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["workspace"] });
      done();
    },
  });
  return (
    <section aria-label="Editor">
      <textarea className="field editor" aria-label="Text" spellCheck={false} autoFocus value={value} onChange={(event) => setValue(event.target.value)} />
      <div className="actions gap-above">
        <button type="button" className="button" disabled={value === text || save.isPending} onClick={() => save.mutate()}>Save</button>
        <button type="button" className="button quiet" onClick={done}>{value === text ? "Close" : "Discard"}</button>
      </div>
      {save.error ? <Failure error={save.error} title="It was not saved" /> : null}
    </section>
  );
}
