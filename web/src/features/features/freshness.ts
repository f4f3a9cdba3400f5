import type { Schemas } from "../../api/client";

type Table = Schemas["FeatureTableBody"];

/** How far what is published lies behind the table. */
export function behind(table: Pick<Table, "version">, online: { source_version: number }): string {
  if (table.version === null) return "unknown";
  const versions = table.version - online.source_version;
  return versions <= 0 ? "up to date" : versions === 1 ? "1 version behind" : `${versions} versions behind`;
}

/** The heights of bars, of 100, the highest first of all. */
export function heights(bins: { rows: number }[]): number[] {
  const most = Math.max(1, ...bins.map((one) => one.rows));
  return bins.map((one) => (one.rows === 0 ? 0 : Math.max(2, (100 * one.rows) / most)));
}

/** The tone of what a look-up makes of a row. */
export function tone(status: string): string {
  return status === "chosen" ? "good" : status === "an older row" ? "" : "warning";
}
