import { createContext, useContext, useId, useState } from "react";
import { at, lines, linesText, pairs, pairsText, type Plain, type Problem, put, type Shape } from "./settings";

interface Draft {
  settings: Plain;
  change: (next: Plain) => void;
  problems: Problem[];
}

/** The settings that are edited, and what the server has said of them. */
export const DraftContext = createContext<Draft>({ settings: {}, change: () => undefined, problems: [] });

/** What the server has said of a field or of something in it that has no place of its own. */
export function Problems({ path, within }: { path: string; within?: boolean }) {
  const { problems } = useContext(DraftContext);
  const found = problems.filter((one) => one.field === path || (within && (one.field.startsWith(`${path}.`) || one.field.startsWith(`${path}[`))));
  return found.map((one) => <p key={one.field + one.text} className="problem" role="alert">{one.field === path ? one.text : `${one.field} ${one.text}`}</p>);
}

/** Lists and pairs as lines: what is typed stays as it is typed. */
function Area({ id, value, shape, hint, change }: { id: string; value: unknown; shape: "lines" | "pairs"; hint?: string | undefined; change: (value: unknown) => void }) {
  const [text, setText] = useState(shape === "pairs" ? pairsText(value) : linesText(value));
  return <textarea id={id} className="field mono" rows={Math.min(8, Math.max(2, text.split("\n").length))} placeholder={hint} value={text} onChange={(event) => { setText(event.target.value); change(shape === "pairs" ? pairs(event.target.value) : lines(event.target.value)); }} />;
}

/** One setting, at its path. Where nothing is given, the setting is not there. */
export function Setting({ path, label, shape = "text", hint, options }: { path: string; label: string; shape?: Shape; hint?: string | undefined; options?: string[] | undefined }) {
  const { settings, change } = useContext(DraftContext);
  const id = useId();
  const value = at(settings, path);
  const set = (next: unknown) => change(put(settings, path, next === "" ? undefined : next));
  return (
    <div>
      <label htmlFor={id}>{label}</label>
      {shape === "lines" || shape === "pairs" ? <Area id={id} value={value} shape={shape} hint={hint} change={set} />
        : shape === "choice" ? (
          <select id={id} className="field" value={value === undefined ? "" : String(value)} onChange={(event) => set(event.target.value)}>
            <option value="">{hint ?? "Choose one"}</option>
            {options?.map((one) => <option key={one} value={one}>{one}</option>)}
          </select>
        ) : <input id={id} className="field" type={shape === "number" ? "number" : "text"} placeholder={hint} value={value === undefined || value === null ? "" : String(value)} onChange={(event) => set(shape === "number" && event.target.value !== "" ? Number(event.target.value) : event.target.value)} />}
      <Problems path={path} within />
    </div>
  );
}

/** A setting that is on or off; off it is not there, or has the value that means it. */
export function Switch({ path, label, on = true, off }: { path: string; label: string; on?: unknown; off?: unknown }) {
  const { settings, change } = useContext(DraftContext);
  return <label className="switch"><input type="checkbox" checked={at(settings, path) === on} onChange={(event) => change(put(settings, path, event.target.checked ? on : off))} /> {label}</label>;
}
