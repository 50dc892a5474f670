// What a request says before its body, checked as RFC 9113 section 8 wants it.
import type { ReceivedField } from "./header-fields.ts";

export interface RequestHead {
  readonly method: string;
  readonly path: string;
  readonly contentType: string | undefined;
  readonly contentLength: number | undefined;
  /** All, in their order; those that begin with a colon first. Names are in lower case. */
  readonly fields: readonly ReceivedField[];
}

/** Undefined: malformed. */
export function readHead(fields: readonly ReceivedField[]): RequestHead | undefined {
  const pseudo = { ":method": "", ":path": "", ":scheme": "", ":authority": "" };
  let pseudoAllowed = true;
  let contentType: string | undefined;
  let contentLength: number | undefined;
  for (const { name, value, sound } of fields) {
    if (!sound) return undefined;
    if (name.startsWith(":")) {
      if (!pseudoAllowed || !isPseudo(pseudo, name) || pseudo[name] !== "") return undefined;
      pseudo[name] = value;
      continue;
    }
    pseudoAllowed = false;
    if (name === "content-type") contentType = value;
    else if (name === "content-length") {
      if (!/^[0-9]{1,15}$/.test(value) || (contentLength ?? Number(value)) !== Number(value)) return undefined;
      contentLength = Number(value);
    }
  }
  const { ":method": method, ":path": path, ":scheme": scheme } = pseudo;
  return method === "" || path === "" || scheme === "" ? undefined : { method, path, contentType, contentLength, fields };
}

const isPseudo = <T extends object>(pseudo: T, name: string): name is keyof T & string => Object.hasOwn(pseudo, name);

/** Trailers say nothing that we want, but must be fields at all. */
export const soundTrailers = (fields: readonly ReceivedField[]): boolean =>
  fields.every(({ name, sound }) => sound && !name.startsWith(":"));
