// The header fields of an answer over HTTP/2: what is said in most answers is always the same object, so that it costs a byte.
import type { Clock, HeaderFields } from "#base";

type Field = HeaderFields[number];

const repeated = new Map<string, Field>(
  [
    ["cache-control", "no-cache, private"],
    ["content-type", "application/json"],
    ["content-type", "application/vnd.kubernetes.protobuf"],
    ["content-type", "application/vnd.kubernetes.protobuf;stream=watch"],
  ].map(([name = "", value = ""]) => [value, { name, value, repeated: true }]),
);

const statuses = new Map<number, Field>(
  [200, 201, 404, 409].map((code) => [code, { name: ":status", value: String(code), repeated: true }]),
);

export function responseFields(
  code: number,
  headers: Readonly<Record<string, string | readonly string[]>>,
  date: Field,
): HeaderFields {
  const fields = [statuses.get(code) ?? { name: ":status", value: String(code) }];
  for (const name in headers) {
    const value = headers[name];
    if (typeof value === "string") {
      const known = repeated.get(value);
      fields.push(known?.name === name ? known : { name, value });
    } else if (value !== undefined) for (const each of value) fields.push({ name, value: each });
  }
  fields.push(date);
  return fields;
}

/** The field that says when an answer was made, to the second: made once a second. */
export function dateFields(clock: Clock): () => Field {
  let second = Number.NaN;
  let field: Field = { name: "date", value: "" };
  return () => {
    const now = Math.floor(clock.now() / 1000);
    if (now !== second) {
      second = now;
      field = { name: "date", value: new Date(now * 1000).toUTCString() };
    }
    return field;
  };
}
