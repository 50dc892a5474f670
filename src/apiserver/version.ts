// What /version says.
import { checkType } from "./http/accept.ts";
import type { PathHandler } from "./paths.ts";
import { methodRefused } from "./paths.ts";

interface VersionInfo {
  readonly major: string;
  readonly minor: string;
  readonly gitVersion: string;
  readonly gitCommit: string;
  readonly gitTreeState: string;
  readonly buildDate: string;
  readonly goVersion: string;
  readonly compiler: string;
  readonly platform: string;
}

/** The release of Kubernetes whose API this is. */
export const kubernetesVersion = "1.36.2";

export function versionInfo(packageVersion: string): VersionInfo {
  const [major = "", minor = ""] = kubernetesVersion.split(".");
  return {
    major,
    minor,
    gitVersion: `v${kubernetesVersion}+tiphys.${packageVersion}`,
    gitCommit: "",
    gitTreeState: "clean",
    buildDate: "1970-01-01T00:00:00Z",
    goVersion: "",
    compiler: "node",
    platform: `${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}`,
  };
}

export const versionPath =
  (info: VersionInfo): PathHandler =>
  (request) => {
    if (request.info.path !== "/version" && request.info.path !== "/version/") return undefined;
    if (request.method !== "GET") throw methodRefused();
    const refused = checkType(request.header("accept"), "application/json");
    if (refused !== undefined) throw refused;
    return { kind: "raw", code: 200, contentType: "application/json", body: JSON.stringify(info, undefined, 2) };
  };
