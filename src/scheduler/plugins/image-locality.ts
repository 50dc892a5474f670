// ImageLocality: nodes that already have the pod's images score higher, the more so the larger the images.
import type { Pod } from "#api";
import type { Plugin, PluginFactory } from "../framework/plugin.ts";
import { skip, success } from "../framework/verdict.ts";

const megabyte = 1024 * 1024;
const minThreshold = 23 * megabyte;
const maxPerContainer = 1000 * megabyte;

/** Not a node-local score: an image counts in proportion to how many nodes have it, lest one node draws every pod. */
export const imageLocality = {
  name: "ImageLocality",
  create: (_args, { cluster }): Plugin => ({
    name: "ImageLocality",
    preScore: ({ pod }) => (imagesOf(pod).some((image) => cluster.nodesWithImage(image) > 0) ? success : skip),
    score: ({ pod }, node) => {
      const images = imagesOf(pod);
      let sum = 0;
      for (const image of images) {
        const bytes = node.images.get(image);
        if (bytes !== undefined) sum += Math.floor(bytes * (cluster.nodesWithImage(image) / cluster.nodes.length));
      }
      const maxThreshold = maxPerContainer * images.length;
      const clamped = Math.min(Math.max(sum, minThreshold), maxThreshold);
      return Math.floor((100 * (clamped - minThreshold)) / (maxThreshold - minThreshold));
    },
  }),
} as const satisfies PluginFactory;

const imagesOf = (pod: Pod): readonly string[] =>
  [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].flatMap(({ image }) =>
    image === undefined || image === "" ? [] : [withTag(image)],
  );

const withTag = (image: string): string => (image.lastIndexOf(":") <= image.lastIndexOf("/") ? `${image}:latest` : image);
