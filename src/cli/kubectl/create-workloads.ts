// `create pod`, `create deployment`, `create node`: the kubectl of Kubernetes has only the second.
import { simulatedNodeLabel, simulateNodeAnnotation } from "#api";
import { defineOptions } from "#base";
import { createCommand } from "./create.ts";
import { Failure } from "./failure.ts";
import type { AnyObject } from "./session.ts";

const podOptions = defineOptions({
  image: { kind: "string", help: "Image of its container", placeholder: "IMAGE" },
  env: { kind: "list", default: [], help: "Environment: NAME=VALUE", placeholder: "VARIABLES" },
  port: { kind: "integer", help: "Port that the container serves" },
  labels: { kind: "list", default: [], help: "Labels: NAME=VALUE", placeholder: "LABELS" },
  restart: {
    kind: "string",
    default: "Always",
    choices: ["Always", "OnFailure", "Never"],
    help: "When the container is started again",
  },
  command: { kind: "boolean", default: false, help: "What follows -- is the command, not its arguments" },
});

export const createPod = createCommand({
  name: "pod",
  aliases: ["po", "pods"],
  usage: "NAME --image=IMAGE [-- ARGUMENTS]",
  summary: "Make a pod of one container",
  options: podOptions,
  namespaced: true,
  object: (name, { options, words }, more) => {
    const { image, port, labels, restart } = options;
    if (image === undefined) throw new Failure('error: required flag(s) "image" not set');
    // a value may hold a comma
    const env = (words.given["env"] ?? []).map((text) => {
      const [key, value] = pair(text, "env");
      return { name: key, value };
    });
    const container = {
      name,
      image,
      ...(env.length === 0 ? {} : { env }),
      ...(port === undefined ? {} : { ports: [{ containerPort: port }] }),
      ...(more.length === 0 ? {} : options.command ? { command: more } : { args: more }),
      resources: {},
    };
    return {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name,
        labels: labels.length === 0 ? { run: name } : Object.fromEntries(labels.map((text) => pair(text, "labels"))),
      },
      spec: { containers: [container], restartPolicy: restart },
    };
  },
});

function pair(text: string, flag: string): [string, string] {
  const at = text.indexOf("=");
  if (at <= 0) throw new Failure(`error: invalid --${flag} "${text}": NAME=VALUE is wanted`);
  return [text.slice(0, at), text.slice(at + 1)];
}

const deploymentOptions = defineOptions({
  image: { kind: "list", default: [], help: "Images: a container for each", placeholder: "IMAGES" },
  replicas: { kind: "integer", default: 1, help: "How many pods" },
  port: { kind: "integer", default: -1, help: "Port that the container serves" },
});

export const createDeployment = createCommand({
  name: "deployment",
  noun: "deployment",
  aliases: ["deploy"],
  usage: "NAME --image=IMAGE... [-- COMMAND]",
  summary: "Make a deployment",
  options: deploymentOptions,
  namespaced: true,
  object: (name, { options }, command) => {
    const { image: images, port, replicas } = options;
    if (images.length === 0) throw new Failure('error: required flag(s) "image" not set');
    if (images.length > 1 && command.length > 0) throw new Failure("error: cannot specify multiple --image options and command");
    const containers = images.map((image) => ({
      name: containerName(image),
      image,
      ...(command.length === 0 ? {} : { command }),
      ...(port < 0 ? {} : { ports: [{ containerPort: port }] }),
      resources: {},
    }));
    const labels = { app: name };
    return {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name, labels },
      spec: {
        replicas,
        selector: { matchLabels: labels },
        strategy: {},
        template: { metadata: { labels }, spec: { containers } },
      },
      status: {},
    } as AnyObject;
  },
});

/** The last part of the image's name, without tag and digest, as a container may be called. */
export const containerName = (image: string): string =>
  (image.split("/").at(-1) ?? "")
    .replace(/[:@].*$/, "")
    .replaceAll("_", "-")
    .toLowerCase();

const nodeOptions = defineOptions({
  labels: { kind: "list", default: [], help: "Labels: NAME=VALUE", placeholder: "LABELS" },
});

export const createNode = createCommand({
  name: "node",
  aliases: ["no", "nodes"],
  usage: "NAME",
  summary: "Make a simulated node, which a running `tiphys up` serves",
  options: nodeOptions,
  namespaced: false,
  object: (name, { options }) => ({
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      annotations: { [simulateNodeAnnotation]: "true" },
      labels: { [simulatedNodeLabel]: "true", ...Object.fromEntries(options.labels.map((text) => pair(text, "labels"))) },
    },
  }),
});
