import { useQuery } from "@tanstack/react-query";
import { File, Folder } from "lucide-react";
import { Link, useSearchParams } from "react-router";
import { get, type Schemas } from "../../api/client";
import { bytes, time } from "../../api/format";
import { Empty, Head, Loaded } from "../../ui/primitives";

function encoded(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

/** The files of a volume; the directory shown lives in the URL. */
export function VolumeView({ name }: { name: string }) {
  const [params] = useSearchParams();
  const root = `/Volumes/${name.split(".").join("/")}`;
  const inside = params.get("path") ?? "";
  const here = inside ? `${root}/${inside}` : root;
  const query = useQuery({ queryKey: ["directory", here], queryFn: () => get<Schemas["DirectoryList"]>(`/api/2.0/fs/directories${encoded(here)}`) });
  const to = (path: string) => `?kind=volume${path ? `&path=${encodeURIComponent(path)}` : ""}`;
  const steps = inside ? inside.split("/") : [];
  return (
    <>
      <Head
        title={name}
        sub={<span className="mono"><Link to={to("")}>{root}</Link>{steps.map((step, index) => <span key={index}> / <Link to={to(steps.slice(0, index + 1).join("/"))}>{step}</Link></span>)}</span>}
      />
      <Loaded query={query}>
        {({ contents, next_page_token: more }) => contents.length === 0 ? (
          <Empty title="No files here">Upload with <code>w.files.upload("{here}/…", …)</code>, or write there from Spark.</Empty>
        ) : (
          <section className="panel flush">
            <div className="scroll">
              <table className="data">
                <thead><tr><th>Name</th><th className="num">Size</th><th>Changed (UTC)</th></tr></thead>
                <tbody>
                  {contents.map((entry) => (
                    <tr key={entry.name}>
                      <td>
                        {entry.is_directory ? <Folder size={14} style={{ verticalAlign: -2 }} /> : <File size={14} style={{ verticalAlign: -2 }} />}{" "}
                        {entry.is_directory ? <Link to={to(inside ? `${inside}/${entry.name}` : entry.name)}>{entry.name}</Link> : <a href={`/api/2.0/fs/files${encoded(entry.path)}`} download={entry.name}>{entry.name}</a>}
                      </td>
                      <td className="num soft">{entry.is_directory ? "" : bytes(entry.file_size)}</td>
                      <td className="soft">{time(entry.last_modified)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
            {more ? <p className="soft" style={{ padding: 12, margin: 0 }}>The first {contents.length} are shown.</p> : null}
          </section>
        )}
      </Loaded>
    </>
  );
}
