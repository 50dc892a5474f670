// What a log request asks for: the query parameters of PodLogOptions, checked.

export interface LogQuery {
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly tailLines: number | undefined;
  readonly limitBytes: number | undefined;
  /** Lines older than this are left out. */
  readonly sinceMs: number | undefined;
  readonly stream: "All" | "Stdout" | "Stderr";
}

/** A refused query: the text is upstream's. */
export class LogQueryError extends Error {}

export function parseLogQuery(query: URLSearchParams, nowMs: number): LogQuery {
  const count = (name: string, least: number): number | undefined => {
    const text = query.get(name);
    if (text === null || text === "") return undefined;
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < least)
      throw new LogQueryError(`Invalid value for ${name}: ${JSON.stringify(text)}: must be a whole number of at least ${least}`);
    return value;
  };
  const sinceSeconds = count("sinceSeconds", 1);
  const sinceTime = query.get("sinceTime");
  if (sinceSeconds !== undefined && sinceTime !== null)
    throw new LogQueryError("at most one of `sinceTime` or `sinceSeconds` may be specified");
  const sinceTimeMs = sinceTime === null ? undefined : Date.parse(sinceTime);
  if (Number.isNaN(sinceTimeMs))
    throw new LogQueryError(`Invalid value for sinceTime: ${JSON.stringify(sinceTime)}: must be an RFC 3339 time`);
  const stream = query.get("stream") ?? "All";
  if (stream !== "All" && stream !== "Stdout" && stream !== "Stderr")
    throw new LogQueryError(`Invalid value for stream: ${JSON.stringify(stream)}: must be All, Stdout or Stderr`);
  return {
    follow: flag(query, "follow"),
    previous: flag(query, "previous"),
    timestamps: flag(query, "timestamps"),
    tailLines: count("tailLines", 0),
    limitBytes: count("limitBytes", 1),
    sinceMs: sinceSeconds === undefined ? sinceTimeMs : nowMs - sinceSeconds * 1000,
    stream,
  };
}

/** As everywhere in the API: anything but "false" and "0" is true. */
export const flag = (query: URLSearchParams, name: string): boolean => {
  const value = query.get(name);
  return value !== null && value.toLowerCase() !== "false" && value !== "0";
};
