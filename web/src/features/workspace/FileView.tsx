import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useSearchParams } from "react-router";
import { getText } from "../../api/client";
import { bytes, time } from "../../api/format";
import { Empty, Loaded, Snippet } from "../../ui/primitives";
import { useThreads } from "./comments/comments";
import { CommentsPanel } from "./comments/CommentsPanel";
import { Editor } from "./Editor";
import { download, downloadName, edits, type WorkspaceObject } from "./paths";

const MOST_SHOWN = 500_000;

const isText = (text: string): boolean => !text.includes("\0") && !text.includes("\uFFFD");

/** A file: its text, if it is one and not too long. */
export function FileView({ object }: { object: WorkspaceObject }) {
  const large = (object.size ?? 0) > MOST_SHOWN;
  const [editing, setEditing] = useState(false);
  const [params, setParams] = useSearchParams();
  const commented = object.object_type === "FILE" && params.has("comments");
  const threads = useThreads(object.path, object.object_type === "FILE");
  const open = threads.data?.threads.filter((one) => one.resolved_at === null).length;
  const show = (shown: boolean) => setParams({ path: object.path, ...(shown ? { comments: "all" } : {}) }, { replace: true });
  const query = useQuery({ queryKey: ["workspace", "file", object.path], queryFn: () => getText(download(object, "AUTO")), enabled: !large });
  return (
    <>
      <div className="actions">
        {edits(object) && !editing && query.data !== undefined && isText(query.data) ? <button type="button" className="button" onClick={() => setEditing(true)}>Edit</button> : null}
        <a className="button quiet" href={download(object, "AUTO")} download={downloadName(object, "AUTO")}>Download</a>
        {object.object_type === "FILE" ? <button type="button" className="button quiet" aria-expanded={commented} onClick={() => show(!commented)}>Comments{open ? ` (${open})` : ""}</button> : null}
        <span className="soft size">{bytes(object.size)}, changed {time(object.modified_at)}</span>
      </div>
      <div className={commented ? "commented" : undefined}>
        <div>
          {large ? <Empty title="Too long to be shown here">Files up to {bytes(MOST_SHOWN)} are.</Empty> : (
            <Loaded query={query}>
              {(text) => !isText(text) ? <Empty title="This is no text">Download it to open it.</Empty> : editing ? <Editor object={object} text={text} done={() => setEditing(false)} /> : text === "" ? <Empty title="This file is empty" /> : <Snippet text={text} />}
            </Loaded>
          )}
        </div>
        {commented ? <CommentsPanel path={object.path} query={threads} target={{}} close={() => show(false)} /> : null}
      </div>
    </>
  );
}
