// Lines of CRI's log format: `<RFC 3339 nanoseconds> <stdout|stderr> <F|P> <content>`; P marks a line whose rest follows.

export interface LogLine {
  readonly time: string;
  readonly stream: "stdout" | "stderr";
  readonly partial: boolean;
  readonly content: Buffer;
}

/** Undefined for a line that is not in the format. */
export function parseLogLine(line: Buffer): LogLine | undefined {
  const first = line.indexOf(32);
  const second = line.indexOf(32, first + 1);
  if (first <= 0 || second <= first) return undefined;
  let third = line.indexOf(32, second + 1);
  if (third === -1) third = line.length; // an empty line may lack the last space
  const stream = line.toString("latin1", first + 1, second);
  if (stream !== "stdout" && stream !== "stderr") return undefined;
  const tags = line.toString("latin1", second + 1, third).split(":");
  return { time: line.toString("latin1", 0, first), stream, partial: tags[0] === "P", content: line.subarray(third + 1) };
}
