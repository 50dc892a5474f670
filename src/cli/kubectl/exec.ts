// `exec`: runs a command in a container, over WebSocket with the channels of v5 (KEP-4006), and ends as it ends.
import { spawnSync } from "node:child_process";
import { ReadStream } from "node:tty";
import type { WebSocket } from "ws";
import { ApiError, type Status } from "#api";
import { defineOptions } from "#base";
import { objectPath } from "#client";
import { defineCommand } from "./command.ts";
import { Failure } from "./failure.ts";
import { containerOf, podOf, podsType } from "./pods-of.ts";
import type { Session } from "./session.ts";
import { openWebSocket } from "./stream.ts";

const options = defineOptions({
  container: { kind: "string", help: "Which container", placeholder: "NAME" },
  stdin: { kind: "boolean", default: false, help: "Pass standard input on" },
  tty: { kind: "boolean", default: false, help: "The command gets a terminal" },
  quiet: { kind: "boolean", default: false, help: "Only what the command says" },
});

const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

export const exec = defineCommand({
  name: "exec",
  usage: "(POD | TYPE/NAME) [-c CONTAINER] -- COMMAND [ARGUMENTS]",
  summary: "Run a command in a container",
  options,
  short: { container: "c", stdin: "i", tty: "t", quiet: "q" },
  run: async ({ session, words, options }) => {
    const { plain, beforeDashes } = words;
    const [word] = plain;
    if (word === undefined || beforeDashes === 0) throw new Failure("error: pod, type/name or --filename must be specified");
    if (plain.length === 1) throw new Failure("error: you must specify at least one command for the container");
    if (beforeDashes === undefined)
      throw new Failure(
        "error: exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead\nSee 'tiphys kubectl exec -h' for help and examples",
      );
    if (beforeDashes > 1) throw new Failure("error: only one pod can be named before --");
    const pod = await podOf(session, word, false);
    const { phase } = pod.status ?? {};
    if (phase === "Succeeded" || phase === "Failed")
      throw new Failure(`error: cannot exec into a container in a completed pod; current phase is ${phase}`);
    const container = containerOf(session, pod, options.container);
    const { input } = session.terminal;
    const isTerminal = input instanceof ReadStream && input.isTTY;
    const tty = options.tty && (isTerminal || !options.stdin);
    if (options.tty && options.stdin && !isTerminal && !options.quiet)
      session.terminal.error("Unable to use a TTY - input is not a terminal or the right kind of file\n");
    const query = new URLSearchParams(plain.slice(1).map((part) => ["command", part]));
    query.set("container", container);
    if (options.stdin) query.set("stdin", "true");
    query.set("stdout", "true");
    if (tty) query.set("tty", "true");
    else query.set("stderr", "true");
    const path = objectPath(await podsType(session), pod.metadata as { namespace: string; name: string }, "exec");
    const socket = await openWebSocket(session, path, query, "v5.channel.k8s.io");
    return carry(session, socket, options.stdin, tty && isTerminal ? (input as ReadStream) : undefined);
  },
});

/** Both ways until the command has ended; resolves to its exit code. `keyboard` is the terminal that is handed over. */
async function carry(session: Session, socket: WebSocket, withInput: boolean, keyboard: ReadStream | undefined): Promise<number> {
  const { input, output, error, signal } = session.terminal;
  const send = (channel: number, data: Uint8Array): void => {
    if (socket.readyState === socket.OPEN) socket.send(Buffer.concat([Buffer.from([channel]), data]));
  };
  const resize = (): void => {
    const { columns, rows } = output;
    if (columns !== undefined && rows !== undefined)
      send(channels.resize, Buffer.from(JSON.stringify({ Width: columns, Height: rows })));
  };
  const pass = (chunk: Buffer): void => send(channels.stdin, Buffer.from(chunk));
  const close = (): void => send(channels.close, Buffer.from([channels.stdin]));
  const stop = (): void => socket.close();
  let outcome: Status | undefined;
  const ended = new Promise<void>((resolve, reject) => {
    socket.on("message", (data: Buffer) => {
      const bytes = data.subarray(1);
      if (data[0] === channels.stdout) output.write(bytes);
      else if (data[0] === channels.stderr) error(bytes.toString("utf8"));
      else if (data[0] === channels.error) outcome = JSON.parse(bytes.toString("utf8")) as Status;
    });
    socket.on("close", () => resolve());
    socket.on("error", reject);
  });
  signal.addEventListener("abort", stop, { once: true });
  if (keyboard !== undefined) {
    keyboard.setRawMode(true);
    // The command's terminal has made its lines already, and Node's raw mode goes on making "\r\n" of "\n": full screens would go wrong.
    // What the terminal was before comes back with the end of the raw mode. Without stty that much is as it was.
    spawnSync("stty", ["-opost"], { stdio: ["inherit", "ignore", "ignore"] });
    output.on("resize", resize);
    resize();
  }
  if (withInput) {
    input.on("data", pass);
    input.on("end", close);
  }
  try {
    await ended;
  } finally {
    signal.removeEventListener("abort", stop);
    keyboard?.setRawMode(false);
    output.removeListener("resize", resize);
    input.removeListener("data", pass);
    input.removeListener("end", close);
    // an input that is still open would keep the process
    if (withInput) input.destroy();
  }
  return exitCode(outcome);
}

/** Throws Failure with the command's own code where it did not end well, ApiError where it did not run. */
export function exitCode(outcome: Status | undefined): number {
  if (outcome === undefined) throw new Failure("error: the connection was closed before the command had ended");
  if (outcome.status === "Success") return 0;
  const code = outcome.details?.causes?.find(({ reason }) => reason === "ExitCode")?.message;
  if (outcome.reason === "NonZeroExitCode" && code !== undefined)
    throw new Failure(`command terminated with exit code ${code}`, Number(code));
  throw new Failure(`error: ${new ApiError(outcome).message}`);
}
