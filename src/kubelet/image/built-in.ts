// The images that Tiphys makes itself, so that an offline machine works: pause, and a busybox from the host's static binary.
import type { Files, Processes } from "#base";
import { type ImageEntry, ociArchive } from "./oci-archive.ts";
import type { Machine } from "./pause/elf.ts";
import { pauseProgram } from "./pause/pause.ts";

export const pauseImage = "tiphys.local/pause:1";
export const busyboxImage = "tiphys.local/busybox:1";

/** An OCI archive for amd64 and arm64; the program is a few hundred bytes. */
export const pauseArchive = (): Promise<Buffer> =>
  ociArchive(
    pauseImage,
    (["amd64", "arm64"] as const).map((machine) => ({
      machine,
      entries: [{ path: "pause", kind: "file", content: pauseProgram(machine), mode: 0o755 }],
      config: { entrypoint: ["/pause"] },
    })),
  );

/** An OCI archive for this machine, or undefined where no static busybox is installed. */
export async function busyboxArchive(
  machine: Machine,
  deps: { files: Files; processes: Processes },
  path = "/bin/busybox",
): Promise<Buffer | undefined> {
  if ((await deps.files.stat(path)) === undefined) return undefined;
  const applets = (await deps.processes.run(path, ["--list"])).stdout
    .split("\n")
    .filter((name) => name !== "" && name !== "busybox");
  const directories = ["bin", "etc", "home", "root", "tmp", "usr", "usr/bin", "var", "var/www"];
  const entries: ImageEntry[] = [
    ...directories.map((path): ImageEntry => ({ path, kind: "directory", mode: path === "tmp" ? 0o1777 : 0o755 })),
    { path: "bin/busybox", kind: "file", content: await deps.files.read(path), mode: 0o755 },
    ...applets.map((name): ImageEntry => ({ path: `bin/${name}`, kind: "symlink", target: "busybox" })),
    {
      path: "etc/passwd",
      kind: "file",
      content: Buffer.from("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n"),
    },
    { path: "etc/group", kind: "file", content: Buffer.from("root:x:0:\nnobody:x:65534:\n") },
  ];
  return ociArchive(busyboxImage, [{ machine, entries, config: { command: ["sh"] } }]);
}
