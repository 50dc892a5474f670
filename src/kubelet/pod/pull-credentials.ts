// Registry credentials from a pod's imagePullSecrets.
import type { Pod, Secret } from "#api";
import type { ReferencedObjects } from "./environment.ts";
import type { Credentials } from "./images.ts";

interface Login {
  readonly username: string;
  readonly password: string;
}

/** The first secret with an entry for the image's registry. Secrets that are missing or malformed are passed over. */
export const pullCredentials =
  (objects: ReferencedObjects): Credentials =>
  async (pod: Pod, image: string) => {
    for (const { name } of pod.spec.imagePullSecrets ?? []) {
      const secret =
        name === undefined ? undefined : await objects.secret(pod.metadata.namespace ?? "", name).catch(() => undefined);
      const login = secret === undefined ? undefined : loginFrom(secret, image);
      if (login !== undefined) return login;
    }
    return undefined;
  };

function loginFrom(secret: Secret, image: string): Login | undefined {
  const json = secret.data?.[".dockerconfigjson"] ?? secret.data?.[".dockercfg"];
  if (json === undefined) return undefined;
  try {
    const parsed = JSON.parse(Buffer.from(json, "base64").toString()) as { auths?: Record<string, Entry> };
    const auths = parsed.auths ?? (parsed as Record<string, Entry>);
    const wanted = registryOf(image);
    // The longest matching path wins: registry/team before registry.
    const matching = Object.entries(auths)
      .filter(([key]) => matches(key, wanted, image))
      .sort(([a], [b]) => b.length - a.length);
    const entry = matching[0]?.[1];
    return entry === undefined ? undefined : loginOf(entry);
  } catch {
    return undefined;
  }
}

interface Entry {
  readonly username?: string;
  readonly password?: string;
  readonly auth?: string;
}

function loginOf(entry: Entry): Login | undefined {
  if (entry.auth !== undefined) {
    const [username = "", ...password] = Buffer.from(entry.auth, "base64").toString().split(":");
    return { username, password: password.join(":") };
  }
  return entry.username === undefined ? undefined : { username: entry.username, password: entry.password ?? "" };
}

/** "docker.io" where the name says none. */
export function registryOf(image: string): string {
  const first = image.split("/")[0] ?? "";
  return image.includes("/") && (/[.:]/.test(first) || first === "localhost") ? first : "docker.io";
}

function matches(key: string, registry: string, image: string): boolean {
  const plain = key
    .replace(/^https?:\/\//, "")
    .replace(/\/v[12]\/?$/, "")
    .replace(/\/$/, "");
  const host = plain === "index.docker.io" ? "docker.io" : plain;
  return host === registry || image.startsWith(`${host}/`);
}
