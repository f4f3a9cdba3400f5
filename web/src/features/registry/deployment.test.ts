import { describe, expect, it } from "vitest";
import { decisions, type DeploymentEvent, evidence, history, outcomes, served, tagsOf, told } from "./deployment";

const event = (step: string, name: string, verdict: string, details: Record<string, unknown> = {}): DeploymentEvent => ({
  id: 1, version: 1, step, name, verdict, reason: "", metrics: {}, details, principal: "a", run_id: null, at: 0,
});

describe("deployment", () => {
  it("tells approvals of any name from other tags", () => {
    expect(tagsOf([{ key: "approval_check", value: "rejected" }, { key: "team", value: "a" }, { key: "mlflow.x", value: "1" }])).toEqual({ approvals: [["approval_check", "rejected"]], others: { team: "a" } });
  });

  it("takes the latest word of each approval, and what a finding says of columns", () => {
    const approval = (name: string, verdict: string) => ({ step: "approval", name, verdict, details: {} }) as unknown as DeploymentEvent;
    expect(decisions([approval("approval", "approved"), approval("approval", "rejected"), approval("approval_b", "withdrawn")]).map((one) => one.verdict)).toEqual(["rejected"]);
    expect(outcomes({ details: { columns: { rooms: "refused: NaN" } } } as unknown as DeploymentEvent)).toEqual([["rooms", "refused: NaN"]]);
    expect(outcomes({ details: { columns: ["rooms"] } } as unknown as DeploymentEvent)).toEqual([]);
  });

  const events = [event("evaluation", "quality", "failed"), event("approval", "approval", "rejected"), event("evaluation", "schema", "passed"), event("evaluation", "quality", "passed")];

  it("shows the latest word on each check", () => {
    expect(evidence(events).map(({ name, verdict }) => [name, verdict])).toEqual([["quality", "passed"], ["schema", "passed"]]);
    expect(history(events).map(({ step }) => step)).toEqual(["approval"]);
  });

  it("says what was done", () => {
    expect(told(event("alias", "champion", "done", { version: "2", previous: "1" }))).toBe("champion points here, not to version 1");
    expect(told(event("alias", "champion", "done", { version: null, previous: "1" }))).toBe("champion was taken away");
    expect(told(event("rollback", "champion", "done", { from: 2, to: 1 }))).toBe("champion goes back to version 1");
    expect(told(event("rollback", "price", "failed", { to: 1 }))).toBe("price does not go back to version 1");
    expect(told(event("policy", "policy", "done", { four_eyes: true, automatic: false, protected_aliases: ["champion"] }))).toBe("four_eyes, protected_aliases: champion");
  });

  it("finds where a version is served", () => {
    const entity = (version: string) => ({ name: `m-${version}`, entity_name: "c.s.m", entity_version: version });
    const endpoint = { name: "e", config: { served_entities: [entity("1"), entity("2")], traffic_config: { routes: [{ served_entity_name: "m-1", traffic_percentage: 90 }, { served_entity_name: "m-2", traffic_percentage: 10 }] } } };
    expect(served([endpoint, { name: "other" }], "c.s.m", "2")).toEqual([{ endpoint: "e", served: "m-2", share: 10 }]);
  });
});
