// What form of answer a request accepts: format, and whether the object itself, its metadata or a table is wanted.
import { type ApiError, apiError } from "#api";
import { type BodyFormat, formatOfType, parseMediaType } from "./media-type.ts";

type Transform = "none" | "Table" | "PartialObjectMetadata" | "PartialObjectMetadataList";

export interface Accepted {
  readonly format: BodyFormat;
  readonly transform: Transform;
  /** "v1" or "v1beta1" of meta.k8s.io, for a transform. */
  readonly metaVersion: string;
  readonly pretty: boolean;
}

/** What is accepted, and what else the form of the answer depends on. */
export interface Wanted extends Accepted {
  /** The query parameter includeObject, for tables. */
  readonly include: "None" | "Metadata" | "Object";
  /** For the ages in tables. */
  readonly nowMs: number;
}

const servedTypes = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
const streamTypes = "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";

const plainJson: Accepted = { format: "json", transform: "none", metaVersion: "", pretty: false };

/** Upstream's router refuses an Accept header that names no type of the route, before anything else looks at it. Exact, case-sensitive. */
export function checkRoute(accept: string | undefined, streams: boolean): ApiError | undefined {
  if (accept === undefined || accept === "" || accept === "*/*") return undefined;
  for (const clause of accept.split(",")) {
    const type = (clause.split(";")[0] as string).trim();
    if (type === "*/*" || Object.hasOwn(formatOfType, type)) return undefined;
  }
  return apiError(
    "NotAcceptable",
    `406: Not Acceptable\n\nAvailable representations: ${servedTypes}${streams ? `, ${streamTypes}` : ""}`,
    {},
  );
}

/** The same for a route that has one type only. */
export function checkType(accept: string | undefined, only: string): ApiError | undefined {
  const types = (accept ?? "").split(",").map((clause) => (clause.split(";")[0] as string).trim());
  return accept === undefined || accept === "" || types.some((type) => type === "*/*" || type === only)
    ? undefined
    : apiError("NotAcceptable", `406: Not Acceptable\n\nAvailable representations: ${only}`, {});
}

interface Clause {
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly weight: number;
}

/** What a header accepts, best first. */
export function acceptClauses(accept: string): readonly Clause[] {
  const found: Clause[] = [];
  for (const text of accept.split(",")) {
    const media = parseMediaType(text);
    if (media === undefined) continue;
    const q = Number(media.parameters["q"] ?? "1");
    const wildcard = media.type === "*/*" ? 2 : media.type.endsWith("/*") ? 1 : 0;
    found.push({ ...media, weight: (Number.isNaN(q) ? 1 : q) * 10 - wildcard });
  }
  return found.sort((a, b) => b.weight - a.weight);
}

const transforms: ReadonlySet<string> = new Set<Transform>(["Table", "PartialObjectMetadata", "PartialObjectMetadataList"]);

/** Undefined: nothing that is asked for is served. `transformable` says whether the answer may be a table or metadata only. */
export function negotiate(accept: string | undefined, transformable: boolean): Accepted | undefined {
  if (accept === undefined || accept === "" || accept === "application/json" || accept === "*/*") return plainJson;
  for (const { type, parameters } of acceptClauses(accept)) {
    const format = type === "*/*" || type === "application/*" ? "json" : formatOfType[type];
    if (format === undefined) continue;
    const { as = "", g = "", v = "" } = parameters;
    const pretty = parameters["pretty"] === "1";
    if (as === "" && g === "" && v === "") return { format, transform: "none", metaVersion: "", pretty };
    if (transformable && transforms.has(as) && g === "meta.k8s.io" && (v === "v1" || v === "v1beta1"))
      return { format, transform: as as Transform, metaVersion: v, pretty };
  }
  return undefined;
}

export const notAcceptable = (types = servedTypes): ApiError =>
  apiError("NotAcceptable", `only the following media types are accepted: ${types}`);
