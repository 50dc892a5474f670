// A node, three pods and a machine outside, as network namespaces: enough of a network to see what service rules do to packets.
import { type ChildProcess, spawn } from "node:child_process";
import { run } from "./tiphys.ts";

export interface ServiceLab extends AsyncDisposable {
  /** Namespace names. */
  readonly node: string;
  readonly outside: string;
  pod(name: PodName): string;
  /** Opens `count` connections one after the other from a namespace; what the backend said, or the error's code, for each. */
  ask(from: string, address: string, port: number, count?: number): Promise<readonly Reply[]>;
  /** One socket for as many questions as you like. */
  conversation(from: string, protocol: "tcp" | "udp", address: string, port: number): Conversation;
}

/** Which backend answered, and what address it saw. */
export interface Reply {
  readonly backend: string;
  readonly source: string;
  readonly milliseconds: number;
}

export interface Conversation extends Disposable {
  /** The backend's name, or "timeout" after five seconds, or "closed". */
  ask(): Promise<string>;
}

export const pods = { a: "10.244.0.11", b: "10.244.0.12", c: "10.244.0.13" } as const;
export type PodName = keyof typeof pods;
export const lab = {
  nodeAddress: "192.0.2.1",
  outsideAddress: "192.0.2.2",
  gateway: "10.244.0.1",
  clusterCidr: "10.244.0.0/16",
  port: 8080,
} as const;

export async function startServiceLab(): Promise<ServiceLab> {
  const id = `svc${process.pid}`;
  const name = (part: string): string => `${id}-${part}`;
  const children: ChildProcess[] = [];
  const dispose = async (): Promise<void> => {
    for (const child of children) child.kill("SIGKILL");
    for (const part of ["node", "outside", ...Object.keys(pods)]) await run("ip", ["netns", "delete", name(part)]);
  };
  try {
    await shell(networkScript(name));
    const servers = Object.keys(pods).map((pod) => inNamespace(name(pod), server, [pod, String(lab.port)]));
    children.push(...servers);
    await Promise.all(servers.map(firstLine));
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    node: name("node"),
    outside: name("outside"),
    pod: (pod) => name(pod),
    ask: async (from, address, port, count = 1) => {
      const { code, stdout, stderr } = await run("ip", [
        "netns",
        "exec",
        from,
        process.execPath,
        "-e",
        client,
        address,
        String(port),
        String(count),
      ]);
      if (code !== 0) throw new Error(`client in ${from} ended with ${code}: ${stderr}`);
      return JSON.parse(stdout) as Reply[];
    },
    conversation: (from, protocol, address, port) => {
      const child = inNamespace(from, protocol === "udp" ? udpTalker : tcpTalker, [address, String(port)]);
      children.push(child);
      return {
        ask: () => {
          const line = firstLine(child);
          child.stdin?.write("?\n");
          return line;
        },
        [Symbol.dispose]: () => void child.kill("SIGKILL"),
      };
    },
    [Symbol.asyncDispose]: dispose,
  };
}

// The bridge's ports hairpin, as the CNI bridge plugin sets them; bridged packets pass through iptables hooks, as Kubernetes asks of every node.
function networkScript(name: (part: string) => string): string {
  const lines = [
    ...["node", "outside", ...Object.keys(pods)].map((part) => `ip netns add ${name(part)}; ip -n ${name(part)} link set lo up`),
    `ip -n ${name("node")} link add eth0 type veth peer name eth0 netns ${name("outside")}`,
    `ip -n ${name("node")} address add ${lab.nodeAddress}/24 dev eth0; ip -n ${name("node")} link set eth0 up`,
    `ip -n ${name("outside")} address add ${lab.outsideAddress}/24 dev eth0; ip -n ${name("outside")} link set eth0 up`,
    `ip -n ${name("node")} route add default via ${lab.outsideAddress}; ip -n ${name("outside")} route add default via ${lab.nodeAddress}`,
    `ip -n ${name("node")} link add cni0 type bridge; ip -n ${name("node")} address add ${lab.gateway}/24 dev cni0; ip -n ${name("node")} link set cni0 up`,
    `ip netns exec ${name("node")} sysctl -q -w net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1`,
  ];
  for (const [pod, address] of Object.entries(pods)) {
    lines.push(`ip -n ${name("node")} link add veth-${pod} type veth peer name eth0 netns ${name(pod)}`);
    lines.push(
      `ip -n ${name("node")} link set veth-${pod} master cni0 up; ip -n ${name("node")} link set veth-${pod} type bridge_slave hairpin on`,
    );
    lines.push(
      `ip -n ${name(pod)} address add ${address}/24 dev eth0; ip -n ${name(pod)} link set eth0 up; ip -n ${name(pod)} route add default via ${lab.gateway}`,
    );
  }
  return lines.join("\n");
}

async function shell(script: string): Promise<void> {
  const { code, stderr } = await run("sh", ["-e", "-c", script]);
  if (code !== 0) throw new Error(`the lab's network cannot be built: ${stderr}`);
}

const inNamespace = (namespace: string, program: string, args: readonly string[]): ChildProcess =>
  spawn("ip", ["netns", "exec", namespace, process.execPath, "-e", program, ...args], { stdio: ["pipe", "pipe", "inherit"] });

const firstLine = (child: ChildProcess): Promise<string> =>
  new Promise((resolve) => {
    child.stdout?.once("data", (data: Buffer) => resolve(data.toString().trim()));
    child.once("exit", () => resolve("closed"));
  });

const server = `
const [name, port] = process.argv.slice(1);
require("node:net").createServer((socket) => {
  const line = () => socket.write(name + " " + socket.remoteAddress.replace("::ffff:", "") + "\\n");
  line();
  socket.on("data", line).on("error", () => {});
}).listen(Number(port), "0.0.0.0", () => {
  const udp = require("node:dgram").createSocket("udp4");
  udp.on("message", (question, from) => udp.send(name + " " + question, from.port, from.address));
  udp.bind(Number(port), () => console.log("ready"));
});`;

const client = `
const [host, port, count] = process.argv.slice(1);
const ask = () => new Promise((resolve) => {
  const began = performance.now();
  const done = (backend, source = "") => { socket.destroy(); resolve({ backend, source, milliseconds: Math.round(performance.now() - began) }); };
  const socket = require("node:net").connect({ host, port: Number(port), timeout: 1000 });
  socket.once("data", (data) => done(...data.toString().trim().split(" "))).on("error", (error) => done(error.code)).on("timeout", () => done("timeout"));
});
(async () => {
  const replies = [];
  for (let i = 0; i < Number(count); i++) replies.push(await ask());
  console.log(JSON.stringify(replies));
})();`;

// A datagram may get lost on a busy machine: each question is asked again until it is answered, and only its own answer counts.
const udpTalker = `
const [host, port] = process.argv.slice(1);
const socket = require("node:dgram").createSocket("udp4");
let number = 0, timer;
const say = (text) => { clearInterval(timer); timer = undefined; console.log(text); };
socket.on("message", (data) => {
  const [name, question] = data.toString().split(" ");
  if (timer !== undefined && Number(question) === number) say(name);
});
process.stdin.on("data", () => {
  const until = performance.now() + 5000;
  const question = String(++number);
  const send = () => performance.now() > until ? say("timeout") : socket.send(question, Number(port), host);
  timer = setInterval(send, 300);
  send();
});`;

const tcpTalker = `
const [host, port] = process.argv.slice(1);
let timer, lines = 0; // the first line is the greeting
const say = (text) => { clearTimeout(timer); console.log(text); };
const socket = require("node:net").connect(Number(port), host);
require("node:readline").createInterface({ input: socket }).on("line", (line) => { if (lines++ > 0) say(line.split(" ")[0]); });
socket.on("error", () => process.exit()).on("close", () => process.exit());
process.stdin.on("data", () => { timer = setTimeout(say, 5000, "timeout"); socket.write("?"); });`;
