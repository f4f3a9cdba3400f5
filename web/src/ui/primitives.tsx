import { Check, Copy } from "lucide-react";
import { Fragment, type ReactNode, useRef, useState } from "react";
import { NavLink, useSearchParams } from "react-router";
import { ApiError } from "../api/client";

/** A name that breaks after its dots, underscores and slashes where it has to. */
export function Name({ text }: { text: string }) {
  return text.split(/(?<=[._/])/).map((part, index) => <Fragment key={index}>{index ? <wbr /> : null}{part}</Fragment>);
}

export function Head({ title, sub, children }: { title: string; sub?: ReactNode; children?: ReactNode }) {
  return (
    <header className="head">
      <title>{`${title} · Boathouse`}</title>
      <div style={{ minWidth: 0, flex: 1 }}>
        <h1><Name text={title} /></h1>
        {sub !== undefined && <div className="sub">{sub}</div>}
      </div>
      {children}
    </header>
  );
}

export function Badge({ tone = "", children }: { tone?: string; children: ReactNode }) {
  return <span className={`badge ${tone}`}>{children}</span>;
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="note">
      <strong>{title}</strong>
      {children}
    </div>
  );
}

/** Why something failed; the title says what, where the status does not. */
export function Failure({ error, title }: { error: unknown; title?: string }) {
  const known = error instanceof ApiError;
  return (
    <div className="note bad" role="alert">
      <strong>{title ?? (known && error.status === 403 ? "You may not see this" : known && error.status === 404 ? "Not found" : "That did not work")}</strong>
      {error instanceof Error ? error.message : String(error)}
    </div>
  );
}

export function Loading({ lines = 5 }: { lines?: number }) {
  return (
    <div aria-busy="true" aria-label="Loading">
      {Array.from({ length: lines }, (_, line) => (
        <div key={line} className="skeleton" style={{ width: `${92 - ((line * 17) % 40)}%` }} />
      ))}
    </div>
  );
}

interface Query<T> {
  data: T | undefined;
  error: unknown;
}

/** What a query gives: its data, or why there is none yet; data that could not be refreshed says so. */
export function Loaded<T>({ query, children }: { query: Query<T>; children: (data: T) => ReactNode }) {
  if (query.data === undefined) return query.error ? <Failure error={query.error} /> : <Loading />;
  return (
    <>
      {query.error ? (
        <div className="note stale" role="status">
          <strong>Not up to date</strong>
          {query.error instanceof Error ? query.error.message : String(query.error)}
        </div>
      ) : null}
      {children(query.data)}
    </>
  );
}

export function Snippet({ text }: { text: string }) {
  const [copied, setCopied] = useState(false);
  const shown = useRef<HTMLPreElement>(null);
  const copy = async () => {
    // Over plain HTTP from another machine there is no clipboard: the text is selected to be copied by hand.
    if (!navigator.clipboard) {
      if (shown.current) getSelection()?.selectAllChildren(shown.current);
      return;
    }
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <div className="snippet">
      <pre ref={shown}>{text}</pre>
      <button type="button" className="icon" onClick={() => void copy()} aria-label="Copy" title="Copy">
        {copied ? <Check size={15} /> : <Copy size={15} />}
      </button>
    </div>
  );
}

/** On a narrow screen the tab that is open may lie beside what is shown. */
function reveal(tab: HTMLAnchorElement | null): void {
  const bar = tab?.parentElement;
  if (bar && tab.offsetLeft + tab.offsetWidth > bar.offsetLeft + bar.clientWidth) bar.scrollLeft = tab.offsetLeft - bar.offsetLeft;
}

/** Tabs whose choice lives in the URL. */
export function Tabs({ tabs, current }: { tabs: string[]; current: string }) {
  const [params] = useSearchParams();
  return (
    <nav className="tabs" aria-label="Views">
      {tabs.map((tab) => {
        const query = new URLSearchParams(params);
        query.set("tab", tab.toLowerCase());
        return (
          <NavLink key={tab} ref={tab.toLowerCase() === current ? reveal : null} to={{ search: query.toString() }} className={() => (tab.toLowerCase() === current ? "active" : "")}>
            {tab}
          </NavLink>
        );
      })}
    </nav>
  );
}
