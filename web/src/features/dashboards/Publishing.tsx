import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { call, path } from "../../api/client";
import { Failure } from "../../ui/primitives";
import type { Paged } from "./types";

/** Publishes a dashboard, takes that back, and puts it into the trash. */
export function Publishing({ found, gone }: { found: Paged; gone: () => void }) {
  const client = useQueryClient();
  const [embed, setEmbed] = useState(found.embed_credentials);
  const one = path("/api/2.0/lakeview/dashboards", found.dashboard_id);
  const act = useMutation({
    mutationFn: ({ method, to, body }: { method: string; to: string; body?: unknown }) => call(method, to, body),
    onSuccess: (_, { to, method }) => {
      void client.invalidateQueries({ queryKey: ["dashboards"] });
      if (method === "DELETE" && to === one) gone();
    },
  });
  return (
    <>
      <label className="soft"><input type="checkbox" checked={embed} onChange={(event) => setEmbed(event.target.checked)} /> with my credentials</label>
      <button type="button" className="button" disabled={act.isPending} onClick={() => act.mutate({ method: "POST", to: `${one}/published`, body: { embed_credentials: embed } })}>{found.is_published ? "Publish again" : "Publish"}</button>
      {found.is_published ? <button type="button" className="button quiet" disabled={act.isPending} onClick={() => act.mutate({ method: "DELETE", to: `${one}/published` })}>Unpublish</button> : null}
      {found.level === "CAN_MANAGE" ? <button type="button" className="button quiet" disabled={act.isPending} onClick={() => {
        if (confirm(`Put the dashboard “${found.display_name}” into the trash?`)) act.mutate({ method: "DELETE", to: one });
      }}>Trash</button> : null}
      {act.error ? <Failure error={act.error} /> : null}
    </>
  );
}
