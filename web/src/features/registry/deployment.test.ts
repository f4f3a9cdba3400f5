import { describe, expect, it } from "vitest";
import { type DeploymentEvent, evidence, history, instead, served, told } from "./deployment";

const event = (step: string, name: string, verdict: string, details: Record<string, unknown> = {}): DeploymentEvent => ({
  id: 1, version: 1, step, name, verdict, reason: "", metrics: {}, details, principal: "a", run_id: null, at: 0,
});

describe("deployment", () => {
  const events = [event("evaluation", "quality", "failed"), event("approval", "approval", "rejected"), event("evaluation", "schema", "passed"), event("evaluation", "quality", "passed")];

  it("shows the latest word on each check", () => {
    expect(evidence(events).map(({ name, verdict }) => [name, verdict])).toEqual([["quality", "passed"], ["schema", "passed"]]);
    expect(history(events).map(({ step }) => step)).toEqual(["approval"]);
  });

  it("says what was done", () => {
    expect(told(event("alias", "champion", "done", { version: "2", previous: "1" }))).toBe("champion points here, not to version 1");
    expect(told(event("alias", "champion", "done", { version: null, previous: "1" }))).toBe("champion was taken away");
    expect(told(event("rollback", "champion", "done", { from: 2, to: 1 }))).toBe("champion goes back to version 1");
    expect(told(event("policy", "policy", "done", { four_eyes: true, automatic: false, protected_aliases: ["champion"] }))).toBe("four_eyes, protected_aliases: champion");
  });

  it("finds where a version is served", () => {
    const entity = (version: string) => ({ name: `m-${version}`, entity_name: "c.s.m", entity_version: version });
    const endpoint = { name: "e", config: { served_entities: [entity("1"), entity("2")], traffic_config: { routes: [{ served_entity_name: "m-1", traffic_percentage: 90 }, { served_entity_name: "m-2", traffic_percentage: 10 }] } } };
    expect(served([endpoint, { name: "other" }], "c.s.m", "2")).toEqual([{ endpoint: "e", served: "m-2", share: 10 }]);
  });

  it("puts another version in the place of one", () => {
    const entity = (version: string) => ({ name: `m-${version}`, entity_name: "c.s.m", entity_version: version, workload_size: "Large" });
    const route = (name: string, share: number) => ({ served_model_name: name, traffic_percentage: share });
    const one = { served_entities: [entity("2")], traffic_config: { routes: [route("m-2", 100)] } };
    expect(instead(one, "c.s.m", "m-2", "1")).toEqual({ served_entities: [entity("1")], traffic_config: { routes: [route("m-1", 100)] } });
    const two = { served_entities: [entity("1"), entity("2")], traffic_config: { routes: [route("m-1", 90), route("m-2", 10)] } };
    expect(instead(two, "c.s.m", "m-2", "1")).toEqual({ served_entities: [entity("1")], traffic_config: { routes: [route("m-1", 100)] } });
  });
});
