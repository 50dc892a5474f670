// Makes sure that a container's image is there, by its pull policy, with upstream's back-off and events.
import type { Pod } from "#api";
import type { Clock } from "#base";
import type { Image, Runtime } from "../runtime.ts";
import { containerFieldPath, type EventSink, podReference } from "./events.ts";
import { goDuration } from "./names.ts";
import { type Backoff, raiseBackoff } from "./restart.ts";
import type { AnyContainer } from "./spec.ts";

/** A container cannot start for now; `reason` becomes its waiting reason. */
export class CannotStart extends Error {
  readonly reason: string;
  readonly retryAfterMs: number;
  /** The text of the "Failed" event, undefined when the failure was told otherwise. */
  readonly eventMessage: string | undefined;

  constructor(reason: string, message: string, more: { retryAfterMs?: number; eventMessage?: string; cause?: unknown } = {}) {
    super(message, { cause: more.cause });
    this.name = "CannotStart";
    this.reason = reason;
    this.retryAfterMs = more.retryAfterMs ?? 10_000;
    this.eventMessage = more.eventMessage ?? `Error: ${message}`;
  }
}

export type Credentials = (pod: Pod, image: string) => Promise<{ username: string; password: string } | undefined>;

interface PullFailure {
  readonly backoff: Backoff;
  readonly message: string;
}

export class ImageKeeper {
  readonly #runtime: Runtime;
  readonly #clock: Clock;
  readonly #events: EventSink;
  readonly #credentials: Credentials;
  readonly #failures = new Map<string, PullFailure>();

  constructor(deps: {
    readonly runtime: Runtime;
    readonly clock: Clock;
    readonly events: EventSink;
    readonly credentials: Credentials;
  }) {
    this.#runtime = deps.runtime;
    this.#clock = deps.clock;
    this.#events = deps.events;
    this.#credentials = deps.credentials;
  }

  /** Throws CannotStart with ErrImagePull, ImagePullBackOff, ErrImageNeverPull or InvalidImageName. */
  async ensure(pod: Pod, container: AnyContainer, signal: AbortSignal): Promise<Image> {
    const image = withTag(container.image ?? "");
    if (image === undefined) {
      const message = `Failed to apply default image tag "${container.image}": couldn't parse image name "${container.image}": invalid reference format`;
      this.#tell(pod, container, "Warning", "InspectFailed", message);
      throw new CannotStart("InvalidImageName", message, { eventMessage: "Error: InvalidImageName" });
    }
    const policy = container.imagePullPolicy ?? (/:latest$/.test(image) ? "Always" : "IfNotPresent");
    const present = policy === "Always" ? undefined : await this.#runtime.imageStatus(image, { signal });
    if (present !== undefined) {
      this.#tell(
        pod,
        container,
        "Normal",
        "Pulled",
        `Container image "${container.image}" already present on machine and can be accessed by the pod`,
      );
      return present;
    }
    if (policy === "Never") {
      const message = `Container image "${container.image}" is not present with pull policy of Never`;
      this.#tell(pod, container, "Warning", "ErrImageNeverPull", message);
      throw new CannotStart("ErrImageNeverPull", message, { eventMessage: "Error: ErrImageNeverPull" });
    }
    return this.#pull(pod, container, image, signal);
  }

  forget(uid: string): void {
    for (const key of this.#failures.keys()) if (key.startsWith(`${uid} `)) this.#failures.delete(key);
  }

  async #pull(pod: Pod, container: AnyContainer, image: string, signal: AbortSignal): Promise<Image> {
    const key = `${pod.metadata.uid} ${image}`;
    const failure = this.#failures.get(key);
    const waitMs = failure === undefined ? 0 : failure.backoff.updatedMs + failure.backoff.delayMs - this.#clock.now();
    if (failure !== undefined && waitMs > 0) {
      const message = `Back-off pulling image "${container.image}"`;
      this.#tell(pod, container, "Normal", "BackOff", message);
      throw new CannotStart("ImagePullBackOff", `${message}: ${failure.message}`, {
        retryAfterMs: waitMs,
        eventMessage: "Error: ImagePullBackOff",
      });
    }
    this.#tell(pod, container, "Normal", "Pulling", `Pulling image "${container.image}"`);
    const begun = this.#clock.monotonic();
    try {
      const credentials = await this.#credentials(pod, image);
      await this.#runtime.pullImage(image, credentials, { signal });
      const pulled = await this.#runtime.imageStatus(image, { signal });
      if (pulled === undefined) throw new Error(`image "${image}" is not there after it was pulled`);
      this.#failures.delete(key);
      const took = goDuration(Math.round(this.#clock.monotonic() - begun));
      this.#tell(
        pod,
        container,
        "Normal",
        "Pulled",
        `Successfully pulled image "${container.image}" in ${took} (${took} including waiting). Image size: ${pulled.sizeBytes} bytes.`,
      );
      return pulled;
    } catch (error) {
      if (signal.aborted) throw error;
      const text = (error as Error).message;
      this.#failures.set(key, { backoff: raiseBackoff(failure?.backoff, this.#clock.now()), message: `ErrImagePull: ${text}` });
      this.#tell(pod, container, "Warning", "Failed", `Failed to pull image "${container.image}": ${text}`);
      // Soon after, the waiting reason turns into ImagePullBackOff, as upstream's next look at the pod does.
      throw new CannotStart("ErrImagePull", text, { retryAfterMs: 2_000, eventMessage: "Error: ErrImagePull", cause: error });
    }
  }

  #tell(pod: Pod, container: AnyContainer, type: "Normal" | "Warning", reason: string, message: string): void {
    this.#events.record(podReference(pod, containerFieldPath(pod, container.name)), type, reason, message);
  }
}

/** The image name with ":latest" where it names neither tag nor digest; undefined when it is no image name. */
export function withTag(image: string): string | undefined {
  if (
    !/^[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:\.[A-Za-z0-9-]+)*(?::\d+)?(?:\/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*(?::[\w][\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9+._-]*:[0-9a-fA-F]{32,})?$/i.test(
      image,
    )
  )
    return undefined;
  if (image.includes("@")) return image;
  const last = image.slice(image.lastIndexOf("/") + 1);
  return last.includes(":") ? image : `${image}:latest`;
}
