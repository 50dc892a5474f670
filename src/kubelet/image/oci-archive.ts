// Builds OCI image archives (OCI image layout in a tar) that containerd imports: one layer per platform, the same bytes every time.
import { createHash } from "node:crypto";
import { pack } from "tar-stream";
import type { Machine } from "./pause/elf.ts";

export interface ImageEntry {
  /** Without a leading slash: "bin/sh". */
  readonly path: string;
  readonly kind: "file" | "directory" | "symlink";
  readonly content?: Buffer;
  readonly target?: string;
  readonly mode?: number;
}

export interface ImagePlatform {
  readonly machine: Machine;
  readonly entries: readonly ImageEntry[];
  readonly config: {
    readonly entrypoint?: readonly string[];
    readonly command?: readonly string[];
    readonly env?: readonly string[];
    readonly user?: string;
  };
}

/** `name` is a full reference such as "tiphys.local/pause:1". Source: OCI image specification 1.0. */
export async function ociArchive(name: string, platforms: readonly ImagePlatform[]): Promise<Buffer> {
  const blobs = new Map<string, Buffer>();
  const add = (content: Buffer): { digest: string; size: number } => {
    const hex = createHash("sha256").update(content).digest("hex");
    blobs.set(hex, content);
    return { digest: `sha256:${hex}`, size: content.length };
  };
  const addJson = (value: unknown): { digest: string; size: number } => add(Buffer.from(JSON.stringify(value)));

  const manifests = [];
  for (const platform of platforms) {
    const layer = add(await tar(platform.entries));
    const { entrypoint, command, env, user } = platform.config;
    const config = addJson({
      created: "1970-01-01T00:00:00Z",
      architecture: platform.machine,
      os: "linux",
      config: {
        Entrypoint: entrypoint,
        Cmd: command,
        Env: env ?? ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        User: user,
      },
      rootfs: { type: "layers", diff_ids: [layer.digest] },
      history: [{ created: "1970-01-01T00:00:00Z", created_by: "tiphys" }],
    });
    const manifest = addJson({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: { mediaType: "application/vnd.oci.image.config.v1+json", ...config },
      layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", ...layer }],
    });
    manifests.push({
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      ...manifest,
      platform: { architecture: platform.machine, os: "linux" },
    });
  }
  const index = addJson({ schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests });
  const annotations = {
    "io.containerd.image.name": name,
    "org.opencontainers.image.ref.name": name.slice(name.lastIndexOf(":") + 1),
  };
  return tar([
    { path: "oci-layout", kind: "file", content: Buffer.from('{"imageLayoutVersion":"1.0.0"}') },
    {
      path: "index.json",
      kind: "file",
      content: Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          manifests: [{ mediaType: "application/vnd.oci.image.index.v1+json", ...index, annotations }],
        }),
      ),
    },
    { path: "blobs", kind: "directory" },
    { path: "blobs/sha256", kind: "directory" },
    ...[...blobs].map(([hex, content]): ImageEntry => ({ path: `blobs/sha256/${hex}`, kind: "file", content })),
  ]);
}

async function tar(entries: readonly ImageEntry[]): Promise<Buffer> {
  const archive = pack();
  for (const entry of entries) {
    const header = {
      name: entry.path,
      mtime: new Date(0),
      uid: 0,
      gid: 0,
      mode: entry.mode ?? (entry.kind === "directory" ? 0o755 : 0o644),
    };
    if (entry.kind === "file") archive.entry({ ...header, type: "file" }, entry.content ?? Buffer.alloc(0));
    else if (entry.kind === "directory") archive.entry({ ...header, type: "directory" });
    else archive.entry({ ...header, type: "symlink", linkname: entry.target });
  }
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
