// The configuration of our own containerd instance: own root, own socket, own CNI configuration.
import { pauseImage } from "../image/built-in.ts";

export interface ContainerdPaths {
  /** Images, snapshots, metadata: survives a reboot. */
  readonly root: string;
  /** Sockets and run-time state: gone after a reboot. */
  readonly state: string;
  readonly socket: string;
  readonly cniConfiguration: string;
}

export interface ContainerdSettings {
  readonly restrictOomScore: boolean;
  readonly cniBinaries: string;
  /** Programs for handlers that a RuntimeClass may name beside the default "runc": crun to "/usr/bin/crun". */
  readonly handlers: ReadonlyMap<string, string>;
}

const text = JSON.stringify; // TOML's basic strings are JSON strings for the characters that paths have

/** containerd 1.6's TOML, version 2. */
export function containerdConfig(paths: ContainerdPaths, options: ContainerdSettings): string {
  return `version = 2
root = ${text(paths.root)}
state = ${text(paths.state)}
oom_score = 0
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.opt"]

[grpc]
  address = ${text(paths.socket)}

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${text(pauseImage)}
  restrict_oom_score_adj = ${options.restrictOomScore}
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  max_container_log_line_size = 16384

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = ${text(options.cniBinaries)}
    conf_dir = ${text(paths.cniConfiguration)}

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
${[...options.handlers].map(([name, program]) => handlerConfig(name, program)).join("")}`;
}

/** Programs that are called as runc is. */
const handlerConfig = (name: string, program: string): string => `
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.${name}]
      runtime_type = "io.containerd.runc.v2"

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.${name}.options]
        BinaryName = ${text(program)}
`;
