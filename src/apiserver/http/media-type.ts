// Media types of bodies and answers: which are read, which are served, which an Accept header asks for.

export type BodyFormat = "json" | "yaml" | "protobuf";

interface MediaType {
  /** "application/json", lower case. */
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
}

export function parseMediaType(text: string): MediaType | undefined {
  const [head = "", ...rest] = text.split(";");
  const type = head.trim().toLowerCase();
  if (!/^[a-z0-9!#$&^_.+*-]+\/[a-z0-9!#$&^_.+*@-]+$/.test(type)) return undefined;
  const parameters: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const part of rest) {
    if (part.trim() === "") continue;
    const at = part.indexOf("=");
    if (at < 0 || part.slice(0, at).trim() === "") return undefined;
    parameters[part.slice(0, at).trim().toLowerCase()] = part
      .slice(at + 1)
      .trim()
      .replace(/^"(.*)"$/, "$1");
  }
  return { type, parameters };
}

export const formatOfType: Readonly<Record<string, BodyFormat>> = {
  "application/json": "json",
  "application/yaml": "yaml",
  "application/vnd.kubernetes.protobuf": "protobuf",
};

export const typeOfFormat: Readonly<Record<BodyFormat, string>> = {
  json: "application/json",
  yaml: "application/yaml",
  protobuf: "application/vnd.kubernetes.protobuf",
};
