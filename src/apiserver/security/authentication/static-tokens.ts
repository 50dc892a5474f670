// The static token file: lines of `token,user,uid,"group1,group2"` (upstream's --token-auth-file).
import { createHash } from "node:crypto";
import type { UserInfo } from "#client";

/** Users by the hash of their token: a look-up by hash tells nothing through its timing. */
export type StaticTokens = ReadonlyMap<string, UserInfo>;

export const tokenHash = (token: string): string => createHash("sha256").update(token).digest("base64");

/** Throws for a line with fewer than three columns. */
export function parseStaticTokens(text: string): StaticTokens {
  const users = new Map<string, UserInfo>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const [token, name, uid, groups] = columns(line);
    if (token === undefined || token === "" || name === undefined || uid === undefined) {
      throw new Error(
        `Cannot read static token file, line ${index + 1}: it needs at least 3 columns (token, user name, user uid)`,
      );
    }
    const ownGroups = (groups ?? "")
      .split(",")
      .map((group) => group.trim())
      .filter((group) => group !== "");
    users.set(tokenHash(token), { name, ...(uid === "" ? {} : { uid }), groups: [...ownGroups, "system:authenticated"] });
  }
  return users;
}

/** The columns of one CSV line: quoted fields may hold commas and doubled quotes. */
function columns(line: string): readonly string[] {
  const found = [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)];
  return found.map((match) => (match[1] === undefined ? (match[2] ?? "").trim() : match[1].replaceAll('""', '"')));
}
