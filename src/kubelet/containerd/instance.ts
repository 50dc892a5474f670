// Runs a containerd of our own: started, watched and restarted, taken over by a kubelet that comes back, stopped without leaving anything.
import { type ChildProcess, type Clock, type Files, type Log, type Processes, sleep } from "#base";
import { type ContainerdPaths, containerdConfig } from "./config.ts";

export interface ContainerdOptions {
  /** Of the node: images and snapshots live below it. */
  readonly directory: string;
  /** Short (a socket path has 107 characters at most) and on a file system that a reboot empties: "/run/tiphys/1a2b3c4d-n1". */
  readonly runDirectory: string;
  /** Runs in this network namespace (of `ip netns`). */
  readonly networkNamespace?: string;
  /** Default "/usr/lib/cni". */
  readonly cniBinaries?: string;
}

export interface ContainerdDeps {
  readonly files: Files;
  readonly processes: Processes;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ContainerdInstance extends AsyncDisposable {
  /** For gRPC: "unix:/run/..." */
  readonly address: string;
  readonly cniConfiguration: string;
  /** Loads an OCI archive; the images are known to CRI when this resolves. */
  importImage(archive: string): Promise<void>;
  /** Stops the daemon; what it runs goes on. Disposal does the same. */
  stop(): Promise<void>;
  /** After `stop` and when no pod is left: removes mounts and run-time state. */
  cleanUp(): Promise<void>;
}

/** Runtimes that are offered where they are installed. */
const otherHandlers = ["crun"];
const startTimeoutMs = 30_000;

export async function startContainerd(options: ContainerdOptions, deps: ContainerdDeps): Promise<ContainerdInstance> {
  const instance = new Containerd(options, deps);
  await instance.start();
  return instance;
}

/** With everything that is mounted in it, or in directories that stay. */
export async function removeRunDirectory(
  runDirectory: string,
  { files, processes, log }: Pick<ContainerdDeps, "files" | "processes" | "log">,
  staying: readonly string[] = [],
): Promise<void> {
  const mounts = (await files.read("/proc/self/mounts"))
    .toString()
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "");
  const isOurs = (path: string): boolean => [runDirectory, ...staying].some((directory) => path.startsWith(`${directory}/`));
  for (const mount of mounts.filter(isOurs).reverse()) {
    const result = await processes.run("umount", [mount]);
    if (result.code !== 0) log.warn("cannot unmount", { mount, error: result.stderr.trim() });
  }
  await files.remove(runDirectory);
}

class Containerd implements ContainerdInstance {
  readonly address: string;
  readonly #options: ContainerdOptions;
  readonly #deps: ContainerdDeps;
  readonly #paths: ContainerdPaths;
  readonly #stopping = new AbortController();
  #pid = -1;
  #restarts = 0;

  constructor(options: ContainerdOptions, deps: ContainerdDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#paths = {
      root: `${options.directory}/root`,
      state: `${options.runDirectory}/state`,
      socket: `${options.runDirectory}/containerd.sock`,
      cniConfiguration: `${options.directory}/cni`,
    };
    this.address = `unix:${this.#paths.socket}`;
  }

  get cniConfiguration(): string {
    return this.#paths.cniConfiguration;
  }

  async start(): Promise<void> {
    const { files, log } = this.#deps;
    if (this.#paths.socket.length > 107)
      throw new Error(`Cannot start containerd: the socket path "${this.#paths.socket}" is longer than 107 characters`);
    for (const directory of [this.#paths.root, this.#paths.state, this.#paths.cniConfiguration])
      await files.makeDirectory(directory, 0o711);
    const restrictOomScore = await this.#cannotLowerOomScore();
    const config = containerdConfig(this.#paths, {
      restrictOomScore,
      cniBinaries: this.#options.cniBinaries ?? "/usr/lib/cni",
      handlers: await this.#installedHandlers(),
    });
    await files.writeAtomic(`${this.#options.directory}/config.toml`, config, 0o600);
    const before = await this.#runningPid();
    if (before !== undefined && (await this.#answers())) {
      log.info("took over the running containerd", { pid: before });
      this.#pid = before;
      this.#watchForeign(before);
      return;
    }
    await this.#spawn();
  }

  async importImage(archive: string): Promise<void> {
    const result = await this.#ctr(["-n", "k8s.io", "images", "import", archive], 120_000);
    if (result.code !== 0) throw new Error(`Cannot load image archive "${archive}": ${result.stderr.trim()}`);
  }

  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort(new Error("containerd is being stopped"));
    const { processes, clock, files } = this.#deps;
    processes.signal(this.#pid, "SIGTERM");
    for (let waitedMs = 0; processes.signal(this.#pid, 0) && (await this.#isContainerd(this.#pid)); waitedMs += 20) {
      if (waitedMs > 10_000) processes.signal(this.#pid, "SIGKILL");
      await sleep(clock, 20);
    }
    await files.remove(`${this.#options.runDirectory}/containerd.pid`);
  }

  async cleanUp(): Promise<void> {
    await removeRunDirectory(this.#options.runDirectory, this.#deps, [this.#options.directory]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #spawn(): Promise<void> {
    const { processes, files, log } = this.#deps;
    const command = ["containerd", "--config", `${this.#options.directory}/config.toml`, "--log-level", "warn"];
    const namespace = this.#options.networkNamespace;
    // nsenter and not `ip netns exec`: the latter also makes a mount namespace, and mounts of volumes would not be seen
    const [program = "", ...args] =
      namespace === undefined ? command : ["nsenter", `--net=/run/netns/${namespace}`, "--", ...command];
    const logFile = `${this.#options.directory}/containerd.log`;
    const child = processes.start(program, args, { outputFile: logFile });
    this.#pid = child.pid;
    if (child.pid > 0) await files.writeAtomic(`${this.#options.runDirectory}/containerd.pid`, `${child.pid}\n`);
    let exited = false;
    void child.exited.then(() => (exited = true));
    for (let waitedMs = 0; !(await this.#answers()); waitedMs += 25) {
      if (exited)
        throw new Error(
          `Cannot start containerd: it ended at once; the reason is at the end of "${logFile}"${await this.#tail(logFile)}`,
        );
      if (waitedMs > startTimeoutMs)
        throw new Error(
          `Cannot start containerd: no answer on "${this.#paths.socket}" after ${startTimeoutMs / 1000} s; see "${logFile}"`,
        );
      await sleep(this.#deps.clock, 25, this.#stopping.signal);
    }
    this.#watch(child);
    log.info("containerd runs", { pid: child.pid, socket: this.#paths.socket });
  }

  /** Restarts the daemon when it dies; its shims keep the containers running meanwhile. */
  #watch(child: ChildProcess): void {
    void child.exited.then(({ code, signal }) => this.#died({ code, signal }));
  }

  #watchForeign(pid: number): void {
    const look = async (): Promise<void> => {
      if (this.#stopping.signal.aborted) return;
      if (this.#deps.processes.signal(pid, 0) && (await this.#isContainerd(pid))) this.#deps.clock.after(500, () => void look());
      else await this.#died({});
    };
    this.#deps.clock.after(500, () => void look());
  }

  async #died(how: { code?: number; signal?: string }): Promise<void> {
    const { log, clock } = this.#deps;
    while (!this.#stopping.signal.aborted) {
      const waitMs = Math.min(30_000, 200 * 2 ** this.#restarts++);
      log.error("containerd ended; starting it again", { ...how, waitMs });
      try {
        await sleep(clock, waitMs, this.#stopping.signal);
        await this.#spawn();
        clock.after(60_000, () => (this.#restarts = 0));
        return;
      } catch (error) {
        if (!this.#stopping.signal.aborted) log.error("cannot start containerd again", { error });
      }
    }
  }

  async #answers(): Promise<boolean> {
    if ((await this.#deps.files.stat(this.#paths.socket)) === undefined) return false;
    // the CRI plugin comes last: its list of images is what the kubelet will ask for
    return (await this.#ctr(["-n", "k8s.io", "images", "ls", "-q"], 5000).catch(() => ({ code: 1 }))).code === 0;
  }

  async #installedHandlers(): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    for (const name of otherHandlers) {
      const { code, stdout } = await this.#deps.processes.run("sh", ["-c", `command -v ${name}`]);
      if (code === 0) found.set(name, stdout.trim());
    }
    return found;
  }

  #ctr(args: readonly string[], timeoutMs: number) {
    return this.#deps.processes.run("ctr", ["--address", this.#paths.socket, ...args], { timeoutMs });
  }

  async #runningPid(): Promise<number | undefined> {
    const path = `${this.#options.runDirectory}/containerd.pid`;
    if ((await this.#deps.files.stat(path)) === undefined) return undefined;
    const pid = Number((await this.#deps.files.read(path)).toString().trim());
    return Number.isSafeInteger(pid) && this.#deps.processes.signal(pid, 0) && (await this.#isContainerd(pid)) ? pid : undefined;
  }

  /** A pid may have been given to another program since, or be a zombie, whose command line is empty. */
  async #isContainerd(pid: number): Promise<boolean> {
    const commandLine = await this.#deps.files.read(`/proc/${pid}/cmdline`).catch(() => Buffer.alloc(0));
    return commandLine.includes("containerd") && commandLine.includes(this.#options.directory);
  }

  /** In an unprivileged container the kernel refuses lower scores, and containers would not start. */
  async #cannotLowerOomScore(): Promise<boolean> {
    const status = (await this.#deps.files.read("/proc/self/status")).toString();
    const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
    const capSysResource = 1n << 24n;
    return (effective & capSysResource) === 0n;
  }

  async #tail(path: string): Promise<string> {
    const text = (await this.#deps.files.read(path).catch(() => Buffer.alloc(0))).toString().trim().split("\n").at(-1) ?? "";
    return text === "" ? "" : `: ${text}`;
  }
}
