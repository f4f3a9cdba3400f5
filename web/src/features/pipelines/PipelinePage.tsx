import { useQuery } from "@tanstack/react-query";
import { useParams, useSearchParams } from "react-router";
import { get, path } from "../../api/client";
import { Badge, Head, Loaded, Tabs } from "../../ui/primitives";
import { Actions } from "./Actions";
import { EventsView } from "./EventsView";
import { GraphView } from "./GraphView";
import "./pipelines.css";
import { SettingsView } from "./SettingsView";
import { type Graph, isRunning, type PipelineSettings, tone, words } from "./types";
import { UpdatesView } from "./UpdatesView";

const TABS = ["Graph", "Updates", "Events", "Settings"];
const QUICK = 1500;
const SLOW = 10_000;

/** A pipeline; which tab, update and dataset is looked at lives in the URL. */
export function PipelinePage() {
  const { id = "" } = useParams();
  const [params] = useSearchParams();
  const update = params.get("update");
  const tab = TABS.map((one) => one.toLowerCase()).find((one) => one === params.get("tab")) ?? "graph";
  const pipeline = useQuery({
    queryKey: ["pipeline", id, "settings"],
    queryFn: () => get<PipelineSettings>(path("/api/2.0/pipelines", id)),
    refetchInterval: ({ state }) => (isRunning(state.data?.latest_updates?.[0]) ? QUICK : SLOW),
  });
  const graph = useQuery({
    queryKey: ["pipeline", id, "graph", update],
    queryFn: () => get<Graph>(`${path("/api/boathouse/v1/pipelines", id)}/graph${update ? `?update_id=${encodeURIComponent(update)}` : ""}`),
    refetchInterval: ({ state }) => (isRunning(state.data?.update) ? QUICK : SLOW),
  });
  return (
    <Loaded query={pipeline}>
      {({ name, latest_updates = [], spec, creator_user_name, run_as_user_name, last_modified }) => {
        const newest = latest_updates[0] ?? null;
        return (
          <>
            <Head title={name} sub={<>Tables in {String(spec.catalog ?? "main")}.{String(spec.schema ?? spec.target ?? "default")}, made with the rights of {run_as_user_name}</>}>
              <Badge tone={tone(newest?.state)}>{newest ? words(newest.state) : "never run"}</Badge>
              {spec.continuous ? <Badge>continuous</Badge> : null}
            </Head>
            {graph.data ? <Actions id={id} graph={graph.data} newest={newest} /> : null}
            <Tabs tabs={TABS} current={tab} />
            {tab === "graph" && <Loaded query={graph}>{(data) => <GraphView id={id} graph={data} newest={newest} />}</Loaded>}
            {tab === "updates" && <UpdatesView id={id} running={isRunning(newest)} />}
            {tab === "events" && <EventsView id={id} running={isRunning(newest)} />}
            {tab === "settings" && <SettingsView id={id} spec={spec} creator={creator_user_name} runAs={run_as_user_name} changed={last_modified} />}
          </>
        );
      }}
    </Loaded>
  );
}
