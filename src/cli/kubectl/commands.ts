// Every command of `tiphys kubectl`.
import { apiResources } from "./api-resources.ts";
import { apply } from "./apply.ts";
import type { Command } from "./command.ts";
import { configView, currentContext } from "./config-view.ts";
import { create } from "./create.ts";
import { createConfigMap, createNamespace, createSecrets } from "./create-data.ts";
import { createServices } from "./create-services.ts";
import { createDeployment, createNode, createPod } from "./create-workloads.ts";
import { deleteCommand } from "./delete.ts";
import { exec } from "./exec.ts";
import { get } from "./get.ts";
import { annotate, label } from "./label.ts";
import { logs } from "./logs.ts";
import { patch } from "./patch.ts";
import { rolloutStatus } from "./rollout.ts";
import { scale } from "./scale.ts";
import { version } from "./version.ts";
import { wait } from "./wait.ts";

export const commands: readonly Command[] = [
  get,
  create,
  createPod,
  createNode,
  createDeployment,
  ...createServices,
  createNamespace,
  createConfigMap,
  ...createSecrets,
  apply,
  deleteCommand,
  patch,
  scale,
  label,
  annotate,
  logs,
  exec,
  wait,
  rolloutStatus,
  apiResources,
  configView,
  currentContext,
  version,
];
