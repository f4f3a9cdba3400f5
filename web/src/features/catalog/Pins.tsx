import { Link } from "react-router";
import { path, type Schemas } from "../../api/client";

export type Pin = Schemas["PinBody"];

export const PINS = "/api/boathouse/v1/pins";

/** The model versions that hold a version of a table; those that may not be seen are counted. */
export function Holders({ pins }: { pins: Pin[] }) {
  const hidden = pins.filter((pin) => pin.model === null).length;
  return (
    <>
      {pins.flatMap(({ model, model_version: version }) => model === null || version === null ? [] : (
        <div key={`${model}/${version}`}><Link to={path("/models", model, "versions", String(version))}>{model} {version}</Link></div>
      ))}
      {hidden > 0 ? <div className="soft">{hidden === 1 ? "a model" : `${hidden} versions of models`} that you may not see</div> : null}
    </>
  );
}
