/** Tags, each with its value where it has one. */
export function Tags({ tags }: { tags: Record<string, string> | undefined }) {
  const found = Object.entries(tags ?? {});
  if (!found.length) return null;
  return (
    <span className="tags" aria-label="Tags">
      {found.map(([key, value]) => <span key={key} className="tag" title={value ? `${key}: ${value}` : key}><span>{key}</span>{value ? <span className="value">{value}</span> : null}</span>)}
    </span>
  );
}
