// Lists, single objects and watches of any resource, as tables or as objects.
import { ApiError, age, apiVersionOf, type ResourceType, type Status } from "#api";
import { systemClock } from "#base";
import { type Client, collectionPath, objectPath, type WatchFrame } from "#client";
import { type AnyObject, fetchObject } from "./session.ts";
import { type Table, tableType } from "./tables.ts";

export interface Choice {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

interface ListAnswer {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly AnyObject[] | null;
}

const choiceQuery = ({ labelSelector = "", fieldSelector = "" }: Choice): Record<string, string> => ({
  ...(labelSelector === "" ? {} : { labelSelector }),
  ...(fieldSelector === "" ? {} : { fieldSelector }),
});

/** Page by page. `chunkSize` 0: all at once. */
async function* pages<T extends ListAnswer | Table>(
  client: Client,
  type: ResourceType,
  choice: Choice,
  chunkSize: number,
  more: { readonly accept?: string; readonly query?: Readonly<Record<string, string>> } = {},
): AsyncGenerator<T> {
  let next: string | undefined = "";
  while (next !== undefined) {
    const query: Record<string, string> = {
      ...choiceQuery(choice),
      ...more.query,
      ...(chunkSize > 0 ? { limit: String(chunkSize) } : {}),
      ...(next === "" ? {} : { continue: next }),
    };
    const page: T = await fetchObject<T>(client, {
      method: "GET",
      path: collectionPath(type, choice.namespace),
      query,
      accept: more.accept,
    });
    yield page;
    next = page.metadata?.continue === "" ? undefined : page.metadata?.continue;
  }
}

export async function* listTables(
  client: Client,
  type: ResourceType,
  choice: Choice,
  chunkSize: number,
  includeObject: "Metadata" | "Object",
): AsyncGenerator<Table> {
  const more = { accept: tableType, query: { includeObject } };
  for await (const page of pages<Table | ListAnswer>(client, type, choice, chunkSize, more)) yield asTable(page);
}

/** With the kind and version in each, which the server leaves out in lists. */
export async function* listObjects(
  client: Client,
  type: ResourceType,
  choice: Choice,
  chunkSize = 500,
): AsyncGenerator<AnyObject> {
  for await (const { items } of pages<ListAnswer>(client, type, choice, chunkSize))
    for (const item of items ?? []) yield { apiVersion: apiVersionOf(type), kind: type.kind, ...item };
}

export async function getTable(client: Client, type: ResourceType, ref: { namespace?: string; name: string }): Promise<Table> {
  const path = objectPath(type, ref);
  return asTable(await fetchObject(client, { method: "GET", path, query: { includeObject: "Metadata" }, accept: tableType }));
}

/** Some resources are served without tables: then name and age are shown. */
function asTable(answer: Table | ListAnswer | AnyObject): Table {
  if ("kind" in answer && answer.kind === "Table") return answer as Table;
  const items = "items" in answer ? ((answer.items ?? []) as readonly AnyObject[]) : [answer as AnyObject];
  return {
    metadata: answer.metadata as Table["metadata"],
    columnDefinitions: [{ name: "Name", format: "name" }, { name: "Age" }],
    rows: items.map((object) => ({
      cells: [object.metadata.name, age(object.metadata.creationTimestamp ?? "", systemClock.now())],
      object,
    })),
  };
}

/** Frames as the server sends them, an ERROR as ApiError; ends when the server or the signal ends it. */
export async function* watchFrames(
  client: Client,
  type: ResourceType,
  choice: Choice & { readonly resourceVersion?: string },
  more: { readonly signal?: AbortSignal; readonly accept?: string } = {},
): AsyncGenerator<WatchFrame> {
  const { resourceVersion = "" } = choice;
  const query = { ...choiceQuery(choice), watch: "true", ...(resourceVersion === "" ? {} : { resourceVersion }) };
  const path = collectionPath(type, choice.namespace);
  const reply = await client.send({ method: "GET", path, query, accept: more.accept, signal: more.signal });
  if (!("frames" in reply)) return;
  for await (const frame of reply.frames) {
    if (frame.type === "ERROR") throw new ApiError(frame.object as Status);
    if (frame.type !== "BOOKMARK") yield frame;
  }
}
