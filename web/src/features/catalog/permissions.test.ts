import { expect, it } from "vitest";
import { holdingsOf } from "./permissions";

it("shows what was granted here before what comes from a container", () => {
  const privileges = [
    { privilege: "USE_SCHEMA", inherited_from_name: "main.s", inherited_from_type: "SCHEMA" },
    { privilege: "SELECT" },
    { privilege: "MODIFY" },
  ];
  expect(holdingsOf([{ principal: "ann", privileges }])).toEqual([
    { principal: "ann", privilege: "MODIFY", from: null },
    { principal: "ann", privilege: "SELECT", from: null },
    { principal: "ann", privilege: "USE_SCHEMA", from: { type: "schema", name: "main.s" } },
  ]);
});
