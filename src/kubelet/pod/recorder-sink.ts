// From the kubelet's events to the client room's recorder.
import type { EventRecorder } from "#client";
import type { EventSink } from "./events.ts";

export const recorderSink = (recorder: EventRecorder): EventSink => ({
  record: (about, type, reason, message) => recorder.event(about, { type, reason, message }),
});
