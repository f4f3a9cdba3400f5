import type { ReactNode } from "react";

export type Fact = [term: string, fact: ReactNode];

/** Terms and what they are; what is null is left out. */
export function Facts({ facts, mono = false }: { facts: Fact[]; mono?: boolean }) {
  return facts.filter(([, fact]) => fact !== null && fact !== undefined).map(([term, fact]) => (
    <div key={term} style={{ display: "contents" }}><dt className={mono ? "mono wrap" : ""}>{term}</dt><dd className={mono ? "mono" : ""}>{fact}</dd></div>
  ));
}
