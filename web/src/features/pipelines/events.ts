import { useInfiniteQuery } from "@tanstack/react-query";
import { get, path } from "../../api/client";
import type { PipelineEvent } from "./types";

export interface Asked {
  level?: string | null;
  update?: string | null;
  dataset?: string | null;
}

interface Page {
  events: PipelineEvent[];
  next_page_token?: string;
}

/** The API's filter for what is asked. */
export function filterOf({ level, update }: Asked): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;
  return [level ? `level = ${quoted(level)}` : "", update ? `update_id = ${quoted(update)}` : ""].filter(Boolean).join(" AND ");
}

/** Events of a pipeline, the newest first. */
export function useEvents(id: string, what: Asked, most: number, interval: number | false) {
  const filter = filterOf(what);
  return useInfiniteQuery({
    queryKey: ["pipeline", id, "events", filter],
    queryFn: ({ pageParam }) => get<Page>(`${path("/api/2.0/pipelines", id)}/events?max_results=${most}${filter ? `&filter=${encodeURIComponent(filter)}` : ""}${pageParam ? `&page_token=${pageParam}` : ""}`),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_page_token,
    refetchInterval: interval,
  });
}
