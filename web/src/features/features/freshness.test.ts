import { expect, test } from "vitest";
import { behind, heights, tone } from "./freshness";

test("what is published tells how far it is", () => {
  expect(behind({ version: 4 }, { source_version: 4 })).toEqual("up to date");
  expect(behind({ version: 4 }, { source_version: 3 })).toEqual("1 version behind");
  expect(behind({ version: 9 }, { source_version: 3 })).toEqual("6 versions behind");
  expect(behind({ version: null }, { source_version: 3 })).toEqual("unknown");
});

test("a bar of few rows is seen, one of none is not", () => {
  expect(heights([{ rows: 1000 }, { rows: 1 }, { rows: 0 }])).toEqual([100, 2, 0]);
  expect(heights([])).toEqual([]);
});

test("only the row that is taken is good", () => {
  expect(["chosen", "an older row", "too old"].map(tone)).toEqual(["good", "", "warning"]);
});
