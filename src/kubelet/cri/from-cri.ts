// CRI's messages into our words; what must be there is checked here, not later.
import { assert } from "#base";
import type { ContainerState, ContainerStatus, Image, RuntimeInfo, SandboxStatus } from "../runtime.ts";

type Message = Record<string, unknown>;

const message = (value: unknown): Message => (value ?? {}) as Message;
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const texts = (value: unknown): Readonly<Record<string, string>> => (value ?? {}) as Readonly<Record<string, string>>;
const list = (value: unknown): readonly Message[] => (value ?? []) as readonly Message[];

/** CRI counts nanoseconds, beyond 2^53; 0 means never. */
const milliseconds = (nanoseconds: unknown): number => Number(BigInt((nanoseconds ?? 0) as number | bigint) / 1_000_000n);

/** An answer's id. An empty one is the runtime's error and must not travel further. */
export function idOf(value: unknown, what: string): string {
  const id = text(value);
  assert(id !== "", `the runtime returns the id of the ${what} it made`);
  return id;
}

export function sandboxFromCri(raw: Message): SandboxStatus {
  const metadata = message(raw.metadata);
  const network = message(raw.network);
  const primary = text(network.ip);
  return {
    id: idOf(raw.id, "sandbox"),
    podName: text(metadata.name),
    podNamespace: text(metadata.namespace),
    podUid: text(metadata.uid),
    attempt: Number(metadata.attempt ?? 0),
    ready: raw.state === "SANDBOX_READY" || raw.state === undefined,
    createdAtMs: milliseconds(raw.createdAt),
    ips: primary === "" ? [] : [primary, ...list(network.additionalIps).map((ip) => text(ip.ip))],
    labels: texts(raw.labels),
    annotations: texts(raw.annotations),
  };
}

const states: Readonly<Record<string, ContainerState>> = {
  CONTAINER_CREATED: "created",
  CONTAINER_RUNNING: "running",
  CONTAINER_EXITED: "exited",
  CONTAINER_UNKNOWN: "unknown",
};

/** Of ListContainers (without times and exit code) and ContainerStatus alike. */
export function containerFromCri(raw: Message, sandboxId: string): ContainerStatus {
  const metadata = message(raw.metadata);
  return {
    id: idOf(raw.id, "container"),
    sandboxId,
    name: text(metadata.name),
    attempt: Number(metadata.attempt ?? 0),
    state: states[text(raw.state)] ?? "created",
    createdAtMs: milliseconds(raw.createdAt),
    startedAtMs: milliseconds(raw.startedAt),
    finishedAtMs: milliseconds(raw.finishedAt),
    exitCode: Number(raw.exitCode ?? 0),
    reason: text(raw.reason),
    message: text(raw.message),
    image: text(message(raw.image).image),
    imageRef: text(raw.imageRef),
    labels: texts(raw.labels),
    annotations: texts(raw.annotations),
    logPath: text(raw.logPath),
  };
}

export function imageFromCri(raw: Message): Image {
  const uid = raw.uid === undefined ? undefined : message(raw.uid).value;
  return {
    id: idOf(raw.id, "image"),
    tags: (raw.repoTags ?? []) as readonly string[],
    digests: (raw.repoDigests ?? []) as readonly string[],
    sizeBytes: Number(raw.size ?? 0),
    user: uid === undefined ? text(raw.username) : String(uid),
  };
}

export function infoFromCri(version: Message, status: Message): RuntimeInfo {
  const conditions = new Map(list(message(status.status).conditions).map((condition) => [text(condition.type), condition]));
  const failed = [...conditions.values()].filter((condition) => condition.status !== true);
  return {
    name: text(version.runtimeName),
    version: text(version.runtimeVersion),
    runtimeReady: conditions.get("RuntimeReady")?.status === true,
    networkReady: conditions.get("NetworkReady")?.status === true,
    message: failed
      .map((condition) => `${text(condition.type)}=false reason:${text(condition.reason)} message:${text(condition.message)}`)
      .join(", "),
  };
}

/** The container's id and its bytes; a runtime that has not measured yet says 0. */
export const writableLayerFromCri = (raw: Message): readonly [string, number] => [
  idOf(message(raw.attributes).id, "container"),
  Number(message(message(raw.writableLayer).usedBytes).value ?? 0),
];

/** Of a RuntimeConfigResponse. The driver's first value is systemd: as the default of its enumeration it is not sent. */
export function cgroupDriverFromCri(raw: Message): "cgroupfs" | "systemd" {
  if (raw.linux === undefined) return "cgroupfs";
  return message(raw.linux).cgroupDriver === "CGROUPFS" ? "cgroupfs" : "systemd";
}
