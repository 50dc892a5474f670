// Every component that can run as a process of its own.
import { apiServerProgram } from "./api-server.ts";
import { controllerManagerProgram } from "./controller-manager.ts";
import { dnsProgram } from "./dns.ts";
import { etcdProgram } from "./etcd.ts";
import { kubeletProgram } from "./kubelet.ts";
import type { Program } from "./program.ts";
import { proxyProgram } from "./proxy.ts";
import { schedulerProgram } from "./scheduler.ts";
import { simNodesProgram } from "./sim-nodes.ts";

export const programs: readonly Program[] = [
  apiServerProgram,
  controllerManagerProgram,
  schedulerProgram,
  kubeletProgram,
  proxyProgram,
  dnsProgram,
  simNodesProgram,
  etcdProgram,
];
