import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { call, path } from "../../api/client";
import type { Data, Filters, Widget } from "./types";

/** What is looked at, and what was chosen in its filters. */
export interface Asked {
  id: string;
  etag: string;
  published: boolean;
  page: string;
  filters: Filters;
}

/** What a widget's query gives. */
export function useWidget(asked: Asked, widget: Widget, query: string) {
  const body = { page: asked.page, widget: widget.name, query, published: asked.published, filters: asked.filters };
  return useQuery({
    queryKey: ["dashboards", asked.id, asked.etag, body],
    queryFn: () => call<Data>("POST", `${path("/api/boathouse/v1/dashboards", asked.id)}/query`, body),
    enabled: query !== "",
    staleTime: 60_000,
    retry: false,
    placeholderData: keepPreviousData,
  });
}
